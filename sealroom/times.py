"""Now, and some days from now: the only place of the partner's side that reads the clock for documents."""

from datetime import UTC, datetime, timedelta

from protocol.types import Timestamp, format_time

__all__ = ["in_days", "now"]


def now() -> Timestamp:
    """Return the time as documents write it."""
    return format_time(datetime.now(UTC))


def in_days(days: int) -> Timestamp:
    """Return the time some days ahead."""
    return format_time(datetime.now(UTC) + timedelta(days=days))
