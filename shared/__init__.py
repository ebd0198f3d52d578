"""CrossKey without its edges: the rules (`domain`), the use cases (`services`) and the Azure adapters (`adapters`)."""
