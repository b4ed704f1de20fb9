"""Structured logs: one JSON object a line on standard error, without secrets, addresses' parameters or bodies."""

import json
import logging
import sys
from datetime import UTC, datetime

__all__ = ["configure_logs"]


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **fields,
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__  # its message and traceback may quote what somebody sent
        return json.dumps(line, ensure_ascii=True)


def configure_logs() -> None:
    """Send all logs, and warnings, to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    for noisy in ("alembic", "uvicorn.error", "uvicorn.asgi", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
