"""Attested ownership: an operator of the provider answers for it that a key is the customer's.

The tag on the key is the better proof, and replaces the attestation as soon as it is seen. The attestation is for keys
that CrossKey cannot read; the timeline keeps who attested and why.
"""

from dataclasses import replace

from shared.bundle import Bundle
from shared.domain.entries import Origin, Record
from shared.domain.model import Ownership, OwnershipState
from shared.domain.work import WorkKind
from shared.errors import BadInput, Conflict
from shared.services.check_key import claim_key
from shared.services.commits import commit, enqueue, repeat_lost_races
from shared.services.keys import KeyView, get_key
from shared.services.lookups import find_customer, find_key

SHORTEST_REASON, LONGEST_REASON = 10, 500


async def attest_ownership(bundle: Bundle, customer_id: str, name: str, *, reason: str, origin: Origin) -> KeyView:
    """Claim the key, record that its ownership is attested, and queue a look at it.

    What is proven or attested already stays as it is. Raises `BadInput`, `NotFound`, and `Conflict` when another
    registration holds the key or the key is about to go.
    """
    if not SHORTEST_REASON <= len(reason.strip()) <= len(reason) <= LONGEST_REASON or not reason.isprintable():
        raise BadInput(
            f"reason must be {SHORTEST_REASON} to {LONGEST_REASON} printable characters.",
            target="reason",
            code="AttestationReasonMalformed",
        )
    customer = (await find_customer(bundle, customer_id)).value
    if customer.leaving_since is not None:
        raise Conflict("The customer is being offboarded.", target="customerId", code="CustomerLeaving")

    async def attest() -> None:
        stored = await find_key(bundle, customer_id, name)
        key = stored.value
        if key.removing_since is not None:
            raise Conflict("The key's registration is being removed.", target="keyName", code="KeyRemoving")
        if key.ownership.state is not OwnershipState.UNPROVEN:
            return
        if not await claim_key(bundle, key):
            raise Conflict("This key is already in use.", target="keyName", code="KeyClaimed")
        ownership = Ownership(state=OwnershipState.ATTESTED, since=bundle.clock.now())
        data = {"key": key.name, "keyIdentifier": str(key.identifier), "reason": reason}
        attested = replace(key, ownership=ownership)
        await commit(bundle, attested, Record.KEY_OWNERSHIP_ATTESTED, data, previous=stored, origin=origin)
        await enqueue(bundle, WorkKind.CHECK_KEY, customer_id, key.name, origin=origin)

    await repeat_lost_races(attest, customer_id=customer_id, row=f"key:{name}")
    return await get_key(bundle, customer_id, name)
