"""What every claim store does: one owner an identifier, renewed by the owner and swept away only when unrenewed."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from shared.bundle import Bundle
from shared.stores import Claim
from tests.contract.adapters.rows import NOW, key, resource

HOUR = timedelta(hours=1)


def claim(customer_id: str, *, owner: str | None = None, row: str = "key:primary") -> Claim:
    identifier = f"{customer_id}.vault.azure.net|cmk"
    return Claim(kind="key", identifier=identifier, customer_id=owner or customer_id, row=row, claimed_at=NOW)


async def test_what_nobody_claimed_is_none(bundle: Bundle, customer_id: str) -> None:
    assert await bundle.claims.find("key", claim(customer_id).identifier) is None


async def test_the_first_claimant_owns_the_identifier(bundle: Bundle, customer_id: str) -> None:
    mine = await bundle.claims.claim(claim(customer_id))
    assert replace(mine, etag="") == claim(customer_id)
    assert mine.etag
    theirs = await bundle.claims.claim(replace(claim(customer_id, owner="fabrikam"), claimed_at=NOW + HOUR))
    assert theirs == mine
    assert await bundle.claims.find("key", mine.identifier) == mine


async def test_another_row_of_the_same_customer_is_another_owner(bundle: Bundle, customer_id: str) -> None:
    mine = await bundle.claims.claim(claim(customer_id))
    assert await bundle.claims.claim(claim(customer_id, row="key:second")) == mine


async def test_of_many_claimants_at_once_all_learn_of_one_owner(bundle: Bundle, customer_id: str) -> None:
    owners = [f"{customer_id}-{number}" for number in range(8)]
    answers = await asyncio.gather(*(bundle.claims.claim(claim(customer_id, owner=owner)) for owner in owners))
    assert len(set(answers)) == 1
    assert answers[0].customer_id in owners
    assert await bundle.claims.find("key", answers[0].identifier) == answers[0]


async def test_the_same_owner_again_renews_its_claim(bundle: Bundle, customer_id: str) -> None:
    first = await bundle.claims.claim(claim(customer_id))
    again = await bundle.claims.claim(replace(claim(customer_id), claimed_at=NOW + HOUR))
    assert again.claimed_at == NOW + HOUR
    assert again.etag != first.etag
    assert await bundle.claims.find("key", first.identifier) == again


async def test_only_the_owner_releases_a_claim(bundle: Bundle, customer_id: str) -> None:
    mine = await bundle.claims.claim(claim(customer_id))
    await bundle.claims.release("key", mine.identifier, customer_id="fabrikam", row=mine.row)
    await bundle.claims.release("key", mine.identifier, customer_id=customer_id, row="key:other")
    await bundle.claims.release("resource", mine.identifier, customer_id=customer_id, row=mine.row)
    assert await bundle.claims.find("key", mine.identifier) == mine
    await bundle.claims.release("key", mine.identifier, customer_id=customer_id, row=mine.row)
    await bundle.claims.release("key", mine.identifier, customer_id=customer_id, row=mine.row)
    assert await bundle.claims.find("key", mine.identifier) is None


async def test_what_was_released_can_be_claimed_by_another(bundle: Bundle, customer_id: str) -> None:
    mine = await bundle.claims.claim(claim(customer_id))
    await bundle.claims.release("key", mine.identifier, customer_id=customer_id, row=mine.row)
    theirs = await bundle.claims.claim(claim(customer_id, owner="fabrikam"))
    assert theirs.customer_id == "fabrikam"


async def test_a_claim_that_was_renewed_is_not_swept_away(bundle: Bundle, customer_id: str) -> None:
    seen = await bundle.claims.claim(claim(customer_id))
    renewed = await bundle.claims.claim(claim(customer_id))
    await bundle.claims.remove_unchanged(seen)
    assert await bundle.claims.find("key", seen.identifier) == renewed
    await bundle.claims.remove_unchanged(renewed)
    assert await bundle.claims.find("key", seen.identifier) is None


async def test_a_claim_of_the_next_owner_is_not_swept_away_for_the_last_ones(bundle: Bundle, customer_id: str) -> None:
    seen = await bundle.claims.claim(claim(customer_id))
    await bundle.claims.remove_unchanged(seen)
    await bundle.claims.remove_unchanged(seen)
    theirs = await bundle.claims.claim(claim(customer_id, owner="fabrikam"))
    await bundle.claims.remove_unchanged(seen)
    assert await bundle.claims.find("key", seen.identifier) == theirs


async def test_a_claim_from_a_list_can_be_swept_away(bundle: Bundle, customer_id: str) -> None:
    mine = await bundle.claims.claim(claim(customer_id))
    (listed,) = [one async for one in bundle.claims.read_all("key") if one.customer_id == customer_id]
    assert listed == mine
    await bundle.claims.remove_unchanged(listed)
    assert await bundle.claims.find("key", mine.identifier) is None


async def test_every_claim_of_a_kind_is_listed_and_no_other(bundle: Bundle, customer_id: str) -> None:
    mine = await bundle.claims.claim(claim(customer_id))
    other = await bundle.claims.claim(replace(claim(customer_id, row="resource:data"), kind="resource"))
    keys = [one async for one in bundle.claims.read_all("key")]
    resources = [one async for one in bundle.claims.read_all("resource")]
    assert mine in keys
    assert other in resources
    assert {one.kind for one in keys} == {"key"}
    assert {one.kind for one in resources} == {"resource"}


async def test_claims_of_real_identifiers_can_be_kept(bundle: Bundle, customer_id: str) -> None:
    for kind, identifier in (
        ("key", key(customer_id).identifier.claim),
        ("resource", resource(customer_id, "data").resource_id.claim),
    ):
        made = await bundle.claims.claim(replace(claim(customer_id), kind=kind, identifier=identifier))
        assert await bundle.claims.find(kind, identifier) == made
        await bundle.claims.release(kind, identifier, customer_id=made.customer_id, row=made.row)
