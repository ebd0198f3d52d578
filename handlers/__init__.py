"""The edges of the app: the only code that knows Azure Functions and HTTP. Parse, one service call, map the result."""
