"""How an appraisal is told: one line for each claim, and an error that carries them all."""

from dataclasses import dataclass
from typing import Final, Literal

from protocol.documents import AttestationResult, ClaimVerdict
from protocol.errors import AttestationError

__all__ = ["LEFT_OUT", "AppraisalRefused", "Check", "check", "skipped"]

LEFT_OUT: Final = "left out by the policy"
"""Why most claims that are skipped are."""
_LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class Check:
    """One claim with the code that its failure raises."""

    code: str
    claim: str
    found: str
    wanted: str
    holds: Literal["yes", "no", "skipped"]

    def verdict(self) -> ClaimVerdict:
        """Return the line for the attestation result."""
        return ClaimVerdict(claim=self.claim, found=_plain(self.found), wanted=_plain(self.wanted), holds=self.holds)


class AppraisalRefused(AttestationError):  # noqa: N818 - an attestation error, named for what happened
    """Evidence that was not accepted.

    ``code`` is the code of the first claim that fails, in the order that ``attestation.verifier`` documents. ``result``
    lists every claim; it is None where the quote could not even be parsed.
    """

    def __init__(self, code: str, detail: str, result: AttestationResult | None) -> None:
        super().__init__(code, detail)
        self.result = result


def check(code: str, claim: str, *, found: str, wanted: str, holds: bool) -> Check:
    """Make the line of a claim that was looked at."""
    return Check(code, claim, found, wanted, "yes" if holds else "no")


def skipped(claim: str, *, found: str, why: str) -> Check:
    """Make the line of a claim that was left out on purpose."""
    return Check("SKIPPED", claim, found, why, "skipped")


def _plain(text: str) -> str:
    """Keep what evidence says of itself to short, printable ASCII."""
    shown = "".join(character if " " <= character <= "~" else "?" for character in text)
    return shown[:_LONGEST] or "nothing"
