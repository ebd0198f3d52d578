"""An operator answers for a key: claimed first, recorded with who and why, and refused where another holds it."""

from datetime import timedelta

import pytest

from shared.domain.entries import Origin, Record
from shared.domain.model import OwnershipState
from shared.domain.work import WorkKind
from shared.errors import BadInput, Conflict, NotFound, StaleWrite
from shared.services.attest import attest_ownership
from shared.services.check_key import check_key
from shared.stores import Claim
from tests.unit.shared.services.crash import How, Killed, interrupted
from tests.unit.shared.services.stage import CONTOSO, ORIGIN, Stage, registered_key, verified_key

REASON = "Confirmed by telephone with their security officer."
OPERATOR = Origin(request_id="request-9", cause="http POST", actor="erin@provider.example")


async def attest(stage: Stage, *, reason: str = REASON, origin: Origin = OPERATOR) -> None:
    await attest_ownership(stage.bundle, CONTOSO, "primary", reason=reason, origin=origin)


async def test_an_attestation_claims_the_key_and_says_who_attested_and_why() -> None:
    stage = await registered_key()
    await attest(stage)
    key = await stage.key()
    assert (key.ownership.state, key.ownership.since) == (OwnershipState.ATTESTED, stage.world.clock.now())
    claim = await stage.world.claims.find("key", stage.cmk.claim)
    assert claim is not None
    assert (claim.customer_id, claim.row) == (CONTOSO, "key:primary")
    assert [item.kind for item in stage.world.queue.items].count(WorkKind.CHECK_KEY) == 2
    await stage.work_off()
    entry = next(one for one in await stage.entries() if one.type == Record.KEY_OWNERSHIP_ATTESTED.value)
    assert (entry.origin.actor, entry.data["reason"]) == ("erin@provider.example", REASON)


async def test_a_key_that_another_registration_holds_is_refused_and_nothing_is_recorded() -> None:
    stage = await registered_key()
    now = stage.world.clock.now()
    theirs = Claim(kind="key", identifier=stage.cmk.claim, customer_id="fabrikam", row="key:main", claimed_at=now)
    await stage.world.claims.claim(theirs)
    writes = stage.world.state.writes
    with pytest.raises(Conflict) as refused:
        await attest(stage)
    assert refused.value.code == "KeyClaimed"
    assert "fabrikam" not in refused.value.message
    assert stage.world.state.writes == writes
    assert (await stage.key()).ownership.state is OwnershipState.UNPROVEN


@pytest.mark.parametrize("first", ["proven", "attested"])
async def test_what_is_proven_or_attested_already_stays_as_it_is(first: str) -> None:
    stage = await (verified_key() if first == "proven" else registered_key())
    if first == "attested":
        await attest(stage)
    before, writes = await stage.key(), stage.world.state.writes
    stage.world.clock.advance(timedelta(hours=1))
    await attest(stage, reason="For another reason altogether.")
    assert await stage.key() == before
    assert stage.world.state.writes == writes


@pytest.mark.parametrize(
    "reason", ["", "too short", " " * 20, "x" * 501, "a line\nand another one", "bell \x07 rings here"]
)
async def test_a_reason_that_is_none_is_refused(reason: str) -> None:
    stage = await registered_key()
    with pytest.raises(BadInput) as refused:
        await attest(stage, reason=reason)
    assert refused.value.target == "reason"
    assert (await stage.key()).ownership.state is OwnershipState.UNPROVEN


async def test_a_key_that_is_not_registered_cannot_be_attested() -> None:
    stage = await registered_key()
    with pytest.raises(NotFound):
        await attest_ownership(stage.bundle, CONTOSO, "secondary", reason=REASON, origin=ORIGIN)
    assert await stage.world.claims.find("key", stage.cmk.claim) is None


async def test_a_lost_race_starts_again_from_reading() -> None:
    stage = await registered_key()
    stage.world.state.break_before("commit", StaleWrite("another writer was first"))
    await attest(stage)
    assert (await stage.key()).ownership.state is OwnershipState.ATTESTED


async def test_the_key_is_claimed_before_its_ownership_is_recorded() -> None:
    stage = await registered_key()
    for at in range(1, 20):
        process, interruption = interrupted(stage.bundle, at, How.KILLED_BEFORE)
        try:
            await attest_ownership(process, CONTOSO, "primary", reason=REASON, origin=ORIGIN)
        except Killed:
            attested = (await stage.key()).ownership.state is OwnershipState.ATTESTED
            claim = await stage.world.claims.find("key", stage.cmk.claim)
            assert claim is not None or not attested, interruption.struck
    assert (await stage.key()).ownership.state is OwnershipState.ATTESTED


async def test_the_tag_is_the_better_proof() -> None:
    stage = await registered_key()
    await attest(stage)
    await stage.tag()
    await check_key(stage.bundle, CONTOSO, "primary", origin=ORIGIN)
    assert (await stage.key()).ownership.state is OwnershipState.PROVEN
