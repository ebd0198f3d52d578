"""The only code that imports Azure SDKs: one file per Azure service, translating values and errors at the edge."""
