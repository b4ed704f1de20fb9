"""The host's log: one JSON object a line on standard error. Nothing that an enclave printed or sent comes here."""

import json
import sys
from datetime import UTC, datetime

__all__ = ["log"]


def log(event: str, **fields: str | int | None) -> None:
    """Write one event."""
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "logger": "broker.host", "event": event}
    sys.stderr.write(json.dumps(line | fields) + "\n")
    sys.stderr.flush()
