"""The demo: the main scenario played against the local Azure, observed step by step."""
