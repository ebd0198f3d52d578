"""The trial of a key that CrossKey cannot reach: after a resource's update, its key is looked at again.

What Azure Storage did is read from the resource's row, so that nothing of the trial is stored twice; if this work item
is lost, the sweep looks at the key within minutes.
"""

from collections.abc import Awaitable

from shared.bundle import Bundle
from shared.domain.desired import Desired, Protect
from shared.domain.entries import Origin
from shared.domain.findings import Finding
from shared.domain.limited import trial_refusals
from shared.domain.model import Resource, ResourceState
from shared.domain.work import WorkKind
from shared.services.commits import enqueue


async def told_to_key[T](run: Awaitable[T], bundle: Bundle, desired: Desired, before: Resource, *, origin: Origin) -> T:
    """Await a run over a resource; queue a look at its key when Azure Storage's word on the key is another than before.

    Costs nothing for keys that CrossKey can reach.
    """
    outcome = await run
    if isinstance(desired, Protect) and desired.limited:
        stored = await bundle.state.read_resource(before.customer_id, before.name)
        if stored is not None and _word(stored.value) != _word(before):
            await enqueue(bundle, WorkKind.CHECK_KEY, before.customer_id, before.key, origin=origin)
    return outcome


def _word(resource: Resource) -> tuple[bool, tuple[Finding, ...]]:
    return resource.state is ResourceState.PROTECTED, trial_refusals(resource)
