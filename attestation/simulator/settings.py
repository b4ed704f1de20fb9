"""Settings of the simulated platform, built at the entry point."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import TransportError

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the platform keeps its keys, whose files it measures, where it listens.

    Parameters
    ----------
    state
        Folder for the platform's keys, made on first start; back it up, or pins have to be renewed.
    files
        Root of the tree that holds ``enclave/``, ``protocol/`` and ``manifests/``.
    enclaves
        Folder of builds, ``PROFILE/enclave.manifest`` each, which are then measured instead of ``files``.
    host, port
        A numeric loopback address; port 0 takes a free one, which the line on standard output names.

    Raises ``TransportError`` with code ``LOOPBACK_ONLY`` for any other address.
    """

    state: Path
    files: Path
    enclaves: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0

    def __post_init__(self) -> None:
        try:
            loopback = ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise TransportError(
                "LOOPBACK_ONLY", f"The simulated platform listens on a numeric loopback address, not {self.host!r}."
            )
