"""The HTTP API. Only `handlers.http` loads it, on the first request: the other triggers start without FastAPI."""
