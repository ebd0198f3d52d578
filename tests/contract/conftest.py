"""The app's own bundle, built from the local Azure's settings, with nothing replaced but the place it runs in."""

import os
import uuid
from collections.abc import AsyncIterator

import pytest

from local.azurite import Azurite
from shared.adapters.transport import SharedTransport
from shared.bootstrap import build_bundle
from shared.bundle import Bundle
from tests.contract.local.contoso import Contoso, join
from tests.running_world import RunningWorld


@pytest.fixture
async def azure_bundle(azurite: Azurite, inside_local_azure: RunningWorld) -> AsyncIterator[Bundle]:
    """Every adapter on the local Azure."""
    del inside_local_azure
    transport = SharedTransport()
    yield build_bundle({**os.environ, "AzureWebJobsStorage": azurite.connection_string}, transport)
    await transport.shut_down()


@pytest.fixture
def customer_id() -> str:
    """A customer that no other test knows; the tables outlive a test."""
    return f"contoso-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def contoso(inside_local_azure: RunningWorld) -> Contoso:
    """Contoso's tenant and purge-protected vault, where the application may use keys."""
    customer = join(inside_local_azure)
    customer.allow_crosskey()
    return customer
