"""The encryption scopes of one account during one run of the reconciler: read when needed, released one by one."""

from shared.bundle import Bundle
from shared.domain.encryption_scopes import ObservedScope, ReleaseScope
from shared.domain.model import Resource
from shared.errors import UnexpectedAnswer
from shared.telemetry import Event, log_event


class AccountScopes:
    """`seen` is None until they were read, and again when they must be read once more."""

    def __init__(self, bundle: Bundle, resource: Resource) -> None:
        self._bundle = bundle
        self._resource = resource
        self.seen: tuple[ObservedScope, ...] | None = None

    async def read(self) -> None:
        """Read them all."""
        self.seen = tuple(await self._bundle.accounts.read_scopes(self._resource.resource_id))

    async def release(self, scope: ReleaseScope) -> None:
        """Put one back on Microsoft-managed keys; its answer is the next observation of it."""
        resource_id = self._resource.resource_id
        released = await self._bundle.accounts.release_scope(resource_id, scope)
        if released.uses_vault:
            raise UnexpectedAnswer(f"Releasing encryption scope {scope.name} of {resource_id}: it stayed on its key.")
        log_event(
            Event.ACCOUNT_UPDATED,
            customer_id=self._resource.customer_id,
            resource=self._resource.name,
            update=type(scope).__name__,
        )
        self.seen = tuple(released if one.name == scope.name else one for one in self.seen or ())
