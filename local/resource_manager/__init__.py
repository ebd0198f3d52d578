"""Azure Resource Manager: storage accounts, vaults, role assignments, event subscriptions, managed identities."""
