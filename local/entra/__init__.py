"""Microsoft Entra on loopback: tokens, federated credentials, discovery, admin consent, and the AADSTS errors."""
