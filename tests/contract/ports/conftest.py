"""Every test here runs twice: on the fakes of the unit tests, and on the adapters over Azurite and the local Azure.

So what a port's docstring says is held by both, and a unit test on fakes says something about production.
"""

import uuid

import pytest

from local.azurite import Azurite
from shared.adapters import work_queue
from shared.bundle import Bundle
from tests.contract.local.contoso import Contoso
from tests.contract.ports.azure_stage import AzureStage
from tests.contract.ports.fake_stage import FakeStage
from tests.contract.ports.stage import Stage
from tests.fakes import make_bundle

IMPLEMENTATIONS = ["fake", "adapter"]


@pytest.fixture(params=IMPLEMENTATIONS)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    """The tables' ports."""
    if request.param == "fake":
        return make_bundle()
    made: Bundle = request.getfixturevalue("azure_bundle")
    return made


@pytest.fixture
def azure_stage(
    azure_bundle: Bundle, azurite: Azurite, contoso: Contoso, monkeypatch: pytest.MonkeyPatch
) -> AzureStage:
    """Contoso in the local Azure, and a work queue of its own."""
    queue = f"work-{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(work_queue, "QUEUE", queue)
    return AzureStage(azure_bundle, contoso, azurite.connection_string, queue)


@pytest.fixture(params=IMPLEMENTATIONS)
def stage(request: pytest.FixtureRequest) -> Stage:
    """The other ports, with Contoso's consent and vault, and a hand on what lies behind them."""
    if request.param == "fake":
        return FakeStage()
    made: AzureStage = request.getfixturevalue("azure_stage")
    return made
