"""Refusals of an Event Grid topic."""

from typing import Any


class TopicError(Exception):
    """A refusal: HTTP status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def document(self) -> dict[str, Any]:
        """Build the JSON body; the topic repeats the status in words among the details."""
        detail = {"code": "InputJsonInvalid" if self.status == 400 else self.code, "message": self.message}
        return {"error": {"code": self.code, "message": self.message, "details": [detail]}}
