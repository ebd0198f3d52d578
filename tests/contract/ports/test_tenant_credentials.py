"""What every source of tokens does: refusals are told from outages, and a fresh look from the cache."""

import pytest

from shared.errors import CredentialRefused, NameUnresolved, Throttled, Unavailable
from tests.contract.ports.stage import Stage

MISSING = {700016, 7000229}
DISABLED = 7000112
STRANGER = "99999999-0000-4000-8000-000000000001"


async def test_a_tenant_that_consented_gives_a_token(stage: Stage) -> None:
    await stage.bundle.credentials.obtain(**stage.who)
    await stage.bundle.credentials.obtain(**stage.who, fresh=True)


async def test_missing_consent_is_refused_with_its_number(stage: Stage) -> None:
    stage.withdraw_consent()
    with pytest.raises(CredentialRefused) as refused:
        await stage.bundle.credentials.obtain(**stage.who)
    assert refused.value.aadsts in MISSING


async def test_a_disabled_application_is_told_from_missing_consent(stage: Stage) -> None:
    stage.disable_application()
    with pytest.raises(CredentialRefused) as refused:
        await stage.bundle.credentials.obtain(**stage.who)
    assert refused.value.aadsts == DISABLED


async def test_lost_consent_hides_behind_the_cache_until_a_fresh_look(stage: Stage) -> None:
    await stage.bundle.credentials.obtain(**stage.who)
    stage.withdraw_consent()
    await stage.bundle.credentials.obtain(**stage.who)
    with pytest.raises(CredentialRefused):
        await stage.bundle.credentials.obtain(**stage.who, fresh=True)
    # What the fresh look showed is known from then on, to the vault's port too.
    with pytest.raises(CredentialRefused):
        await stage.bundle.credentials.obtain(**stage.who)
    with pytest.raises(CredentialRefused):
        await stage.bundle.vault.read_key(stage.key, **stage.who)


async def test_consent_that_is_given_again_is_seen_at_once(stage: Stage) -> None:
    stage.disable_application()
    with pytest.raises(CredentialRefused):
        await stage.bundle.credentials.obtain(**stage.who)
    stage.give_consent()
    await stage.bundle.credentials.obtain(**stage.who)


async def test_an_outage_is_not_lost_consent_and_leaves_the_token_that_is_there(stage: Stage) -> None:
    await stage.bundle.credentials.obtain(**stage.who)
    stage.silence("obtain")
    with pytest.raises(Unavailable) as unavailable:
        await stage.bundle.credentials.obtain(**stage.who, fresh=True)
    # A name that does not resolve, or throttling, would be taken for the vault's.
    assert not isinstance(unavailable.value, Throttled | NameUnresolved)
    stage.withdraw_consent()
    await stage.bundle.credentials.obtain(**stage.who)


async def test_an_application_that_left_the_pool_is_could_not_tell(stage: Stage) -> None:
    with pytest.raises(Unavailable):
        await stage.bundle.credentials.obtain(tenant_id=stage.tenant_id, application=STRANGER)
    with pytest.raises(Unavailable):
        await stage.bundle.credentials.obtain_assertion(application=STRANGER)


async def test_our_own_half_of_the_chain_needs_nothing_of_the_customer(stage: Stage) -> None:
    stage.withdraw_consent()
    await stage.bundle.credentials.obtain_assertion(application=stage.application)
