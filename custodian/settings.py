"""What a custodian is told when it starts."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from attestation.policy import AppraisalPolicy
from attestation.roots import HardwareRoot

__all__ = ["CustodianSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodianSettings:
    """Settings of one custodian; the entry point builds them.

    Parameters
    ----------
    folder
        Holds the key file and the database. Made with mode 0700 where it is absent.
    passphrase_file
        File whose text, without a newline at its end, opens the key file. Keep it on another disk than ``folder``.
    appraisal
        The appraisal policy; each contract's dataset policies narrow it further.
    roots
        Hardware roots that evidence may chain to.
    nonce_lifetime
        How long a nonce may be used.
    nonces_outstanding, nonces_per_run
        How many nonces, neither used nor expired, are held at once.
    endorsements_per_endorser
        How many measurements one endorser may have endorsed here.
    """

    folder: Path
    passphrase_file: Path
    appraisal: AppraisalPolicy
    roots: tuple[HardwareRoot, ...]
    nonce_lifetime: timedelta = timedelta(minutes=10)
    nonces_outstanding: int = 10_000
    nonces_per_run: int = 8
    endorsements_per_endorser: int = 1000

    @property
    def key_file(self) -> Path:
        """The sealed key file."""
        return self.folder / "custodian.key"

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.folder / "custodian.sqlite3"
