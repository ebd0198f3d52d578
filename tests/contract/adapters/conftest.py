"""What only the adapters do; what every implementation of a port does is in `tests/contract/ports`."""

import pytest

from shared.bundle import Bundle


@pytest.fixture
def bundle(azure_bundle: Bundle) -> Bundle:
    """Every adapter on the local Azure."""
    return azure_bundle
