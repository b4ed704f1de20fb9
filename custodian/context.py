"""What every decision of a custodian works with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from custodian.keys import CustodianSecrets
from custodian.settings import CustodianSettings
from custodian.store import Store
from protocol.types import Key

__all__ = ["Clock", "Context"]

Clock = Callable[[], datetime]
"""Returns the time now, with a time zone."""


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, keys, database and clock of one custodian."""

    settings: CustodianSettings
    secrets: CustodianSecrets
    store: Store
    clock: Clock

    @property
    def key(self) -> Key:
        """The signing key: how documents name this custodian."""
        return self.secrets.public.signing
