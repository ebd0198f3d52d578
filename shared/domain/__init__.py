"""The rules of cross-tenant customer-managed keys: pure functions over frozen data, standard library only."""
