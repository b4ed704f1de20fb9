"""Tickets: which enclave a request for a quote comes from. On hardware the processor knows; here a secret says it."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocol.errors import AccessDenied, StorageError
from protocol.types import Digest

__all__ = ["TICKET_LIFE", "TICKET_LIMIT", "Tickets"]

TICKET_LIFE: Final = 3_600.0
"""Seconds; an enclave asks for its quote when it starts."""
TICKET_LIMIT: Final = 4_096


@dataclass(frozen=True, slots=True)
class _Entry:
    measurement: Digest
    expires: float


class Tickets:
    """Issues random tickets, one for each started enclave, bounded in number and life."""

    def __init__(
        self, *, limit: int = TICKET_LIMIT, life: float = TICKET_LIFE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._life = life
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def issue(self, measurement: Digest) -> str:
        """Return a new ticket for an enclave with this measurement; ``TICKETS`` where too many are alive."""
        with self._lock:
            now = self._clock()
            self._entries = {ticket: entry for ticket, entry in self._entries.items() if entry.expires > now}
            if len(self._entries) >= self._limit:
                raise StorageError("TICKETS", f"{self._limit} enclaves were started lately; try again later.")
            ticket = secrets.token_urlsafe(32)
            self._entries[ticket] = _Entry(measurement, now + self._life)
            return ticket

    def measurement(self, ticket: str) -> Digest:
        """Return what was measured when the ticket was issued; ``AccessDenied`` ``TICKET`` where it is not known."""
        with self._lock:
            entry = self._entries.get(ticket)
            if entry is None or entry.expires <= self._clock():
                raise AccessDenied(
                    "TICKET", "The platform knows no enclave with this ticket, or it was started too long ago."
                )
            return entry.measurement
