"""Azure Key Vault's data plane for keys: real RSA, versions, attributes, access rules, soft delete, rotation."""
