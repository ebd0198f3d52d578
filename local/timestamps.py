"""Times as Azure's control plane writes them."""

from datetime import UTC, datetime


def azure_timestamp(moment: datetime) -> str:
    """An instant in UTC with seven fraction digits."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def azure_timestamp_of(seconds: float) -> str:
    """The same for Unix seconds."""
    return azure_timestamp(datetime.fromtimestamp(seconds, UTC))
