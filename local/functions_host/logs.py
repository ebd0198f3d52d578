"""One JSON line per log record on standard output: level, logger, message, invocation id, and the record's extras.

Installed before the app is imported, as Azure's worker process does, so that the app's own loggers inherit it.
Lines that the app prints itself pass through as they are.
"""

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from typing import override

from local.functions_host.worker import current_invocation_id

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "invocation_id", "taskName"}
_STORAGE_CHATTER = "azure.core.pipeline.policies.http_logging_policy"


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "invocationId": getattr(record, "invocation_id", None) or current_invocation_id(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(level: int) -> None:
    """Send everything of at least `level` to standard output. Call it on the host's own thread."""
    host_thread = threading.get_ident()

    def is_wanted(record: logging.LogRecord) -> bool:
        # The host polls queues through the same SDK as the app; only the app's requests are worth lines.
        return not (
            record.name == _STORAGE_CHATTER and record.thread == host_thread and record.levelno < logging.WARNING
        )

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    handler.addFilter(is_wanted)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
