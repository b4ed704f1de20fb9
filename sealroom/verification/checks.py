"""What a verification found: numbered checks, and the error that carries them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from protocol.errors import SealroomError

__all__ = ["Check", "Checklist", "Finding", "Status", "Verification", "VerificationFailed"]

Status = Literal["holds", "unanchored", "fails"]
UNANCHORED_EXIT = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One check and what it found. ``code`` is empty where it holds, ``UNANCHORED`` where a pin is missing."""

    number: int
    title: str
    found: str
    status: Status
    code: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """All checks of one bundle, in order; every one holds."""

    checks: tuple[Check, ...]


class VerificationFailed(SealroomError):  # noqa: N818 - the word of the field
    """A bundle did not verify. ``checks`` holds what was checked, up to the first check that fails.

    The exit code is that of the check that fails, or 3 (code ``UNANCHORED``) where all hold but something that they
    rest on is not pinned.
    """

    family = "verification"
    http_status = 422

    def __init__(self, code: str, detail: str, *, exit_code: int, checks: tuple[Check, ...]) -> None:
        super().__init__(code, detail)
        self.checks = checks
        self.exit_code = exit_code  # type: ignore[misc] # this error takes the exit code of what it reports


@dataclass(slots=True)
class Finding:
    """What the running check found so far; ``missing`` lists what should have been pinned."""

    found: str = ""
    missing: list[str] = field(default_factory=list)

    def unanchored(self, what: str) -> None:
        """Note that something is not pinned; the other checks still run."""
        self.missing.append(what)


class Checklist:
    """Runs checks in order: the first that fails ends the verification, missing pins end it after the last."""

    def __init__(self) -> None:
        self._checks: list[Check] = []

    @contextmanager
    def check(self, title: str) -> Iterator[Finding]:
        """Run one check; a ``SealroomError`` inside it becomes a ``VerificationFailed``."""
        number, finding = len(self._checks) + 1, Finding()
        try:
            yield finding
        except SealroomError as error:
            self._checks.append(Check(number, title, error.detail, "fails", error.code))
            raise VerificationFailed(
                error.code, error.detail, exit_code=error.exit_code, checks=tuple(self._checks)
            ) from error
        if finding.missing:
            found = "; ".join(part for part in (*finding.missing, finding.found) if part)
            self._checks.append(Check(number, title, found, "unanchored", "UNANCHORED"))
        else:
            self._checks.append(Check(number, title, finding.found, "holds"))

    def finish(self) -> Verification:
        """Return the verification, or raise ``VerificationFailed`` with code ``UNANCHORED``."""
        missing = [check for check in self._checks if check.status == "unanchored"]
        if missing:
            titles = ", ".join(check.title.lower() for check in missing)
            raise VerificationFailed(
                "UNANCHORED",
                f"Not pinned: {titles}. The documents agree with each other, but nothing that you trust vouches for "
                "them. Compare fingerprints with the institutions and pin what is right.",
                exit_code=UNANCHORED_EXIT,
                checks=tuple(self._checks),
            )
        return Verification(tuple(self._checks))
