"""Making an account, with the process dying or losing an answer at every single port call: one account in the end."""

import pytest

from shared.bundle import Bundle
from shared.domain.model import ResourceState
from tests.fakes import IDENTITY
from tests.unit.shared.services.crash import How, Interruption
from tests.unit.shared.services.stage import Stage, verified_key
from tests.unit.shared.services.test_new_accounts import create
from tests.unit.shared.services.test_reconcile_crashes import at_every_call


async def ask(stage: Stage, process: Bundle) -> None:
    await create(stage, process)


async def assert_made(stage: Stage, interruption: Interruption) -> None:
    if "queue.enqueue" in (interruption.struck or ""):
        # A successor that cannot be queued is the host's to deliver again; here the sweep found the account.
        stage.raised.clear()
    account, resource = await stage.account(), await stage.resource()
    assert resource.state is ResourceState.PROTECTED, interruption.struck
    assert account.current_key == stage.version
    assert (account.user_assigned, resource.identity_added) == ((IDENTITY,), IDENTITY)
    assert len(stage.world.accounts.creations) == 1, interruption.struck
    assert not stage.world.accounts.updates
    assert resource.creation is None
    assert (await stage.operation(resource.operation_id)).succeeded, interruption.struck
    assert stage.announced().count("ResourceProtected") == 1, interruption.struck


@pytest.mark.parametrize("shows_early", [True, False])
@pytest.mark.parametrize("how", How)
async def test_making_an_account_ends_the_same_whichever_call_goes_wrong(how: How, shows_early: bool) -> None:
    async def make() -> Stage:
        stage = await verified_key()
        stage.world.accounts.shows_early = shows_early
        return stage

    await at_every_call(make, ask, assert_made, how)
