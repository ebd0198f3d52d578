"""One connection pool for every Azure client of the process, and how patient those clients are.

Clients close their transport when they are closed; what they share here closes only through `shut_down`.
Redirects are followed nowhere, since a bearer token would travel with them. Waiting for throttling is the
queue's work, not the pipeline's: a client retries only what heals within seconds.
"""

from typing import Any, Final

from azure.core.pipeline import PipelineResponse
from azure.core.pipeline.policies import AsyncRetryPolicy
from azure.core.pipeline.transport import AioHttpTransport

from shared.adapters.azure_errors import retry_after

CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 30
LONGEST_WAIT_SECONDS: Final = 5
RETRIES: Final = 2


class SharedTransport(AioHttpTransport):  # type: ignore[misc]  # azure-core exports it lazily and so untyped
    """An aiohttp transport that its clients cannot close. Its session opens on the first request."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, **arguments)

    async def close(self) -> None:
        """Stay open: a client that is closed must not take the others' connections with it."""

    async def shut_down(self) -> None:
        """Close every connection; the process is ending."""
        await super().close()


class BriefRetryPolicy(AsyncRetryPolicy[Any, Any]):
    """Azure's retry policy without long sleeps: 429 and a long Retry-After go back to the caller at once."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(
            **{
                "retry_total": RETRIES,
                "retry_backoff_factor": 0.5,
                "retry_backoff_max": LONGEST_WAIT_SECONDS,
                **arguments,
            }
        )

    def get_retry_after(self, response: PipelineResponse[Any, Any]) -> float | None:
        """The seconds that the answer asks to wait; azure-core itself stumbles over a header that cannot be read."""
        wait = retry_after(response.http_response.headers)
        return None if wait is None else wait.total_seconds()

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """Whether to try again here, rather than through the queue."""
        if response.http_response.status_code == 429 or (self.get_retry_after(response) or 0) > LONGEST_WAIT_SECONDS:
            return False
        return bool(super().is_retry(settings, response))


def client_arguments(transport: SharedTransport) -> dict[str, Any]:
    """What every client is built with."""
    return {"transport": transport, "permit_redirects": False, "retry_policy": BriefRetryPolicy()}
