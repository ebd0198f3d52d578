"""The control API: how tests and the demo seed, disturb, move in time and inspect the local Azure."""
