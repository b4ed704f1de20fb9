"""How many parts one institution may send at once: each is held in memory until it is stored."""

from anyio import CapacityLimiter

from protocol.types import Key

__all__ = ["UploadSlots"]


class UploadSlots:
    """Slots for uploads, some for each institution, so that one that is slow or greedy delays nobody but itself.

    Who finds no slot waits, without sending: the body is read once there is one.
    """

    def __init__(self, per_institution: int) -> None:
        self._per_institution = per_institution
        self._limiters: dict[Key, CapacityLimiter] = {}

    def of(self, root: Key) -> CapacityLimiter:
        """Return the limiter of an institution: an asynchronous context manager that holds one slot."""
        if root not in self._limiters:
            self._limiters[root] = CapacityLimiter(self._per_institution)
        return self._limiters[root]
