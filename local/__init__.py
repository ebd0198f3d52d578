"""Azure on loopback: what CrossKey talks to in development and tests. Never deployed, never imported by the app."""
