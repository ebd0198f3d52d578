"""The network edge of the local Azure: certificates, the CONNECT proxy, dispatch by host, faults, the record."""
