"""Every error that Sealroom raises on purpose.

::

    SealroomError
     +-- DocumentError         a document, signature, container or layout is not what it must be
     +-- AttestationError      evidence does not satisfy the appraisal policy
     +-- AccessDenied          approvals, roles, revocations, run counts, tokens
     +-- AnalysisError         an analysis cannot be computed from what it was given
     +-- DisclosureRefused     the output gate says no
     +-- StorageError          what should be stored is missing, altered or full
     +-- TransportError        another process did not answer as agreed

Each error has a stable ``code``, from which the RFC 9457 problem type, the HTTP status and the exit code follow.
Messages say what was found, what was wanted and what to do. They never hold key material or cell values.
"""

from typing import ClassVar

__all__ = [
    "AccessDenied",
    "AnalysisError",
    "AttestationError",
    "DisclosureRefused",
    "DocumentError",
    "SealroomError",
    "StorageError",
    "TransportError",
]

PROBLEM_BASE = "https://sealroom.dev/problems/"


class SealroomError(Exception):
    """The root of the tree.

    Parameters
    ----------
    code
        Stable, upper case, for programs: ``PART_DIGEST``.
    detail
        One sentence or two for people: what was found, what was wanted, what to do.
    """

    family: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def problem(self) -> dict[str, str | int]:
        """Return the RFC 9457 problem object for this error."""
        return {
            "type": PROBLEM_BASE + self.code.lower().replace("_", "-"),
            "title": self.family,
            "status": self.http_status,
            "code": self.code,
            "detail": self.detail,
        }


class DocumentError(SealroomError):
    """A document, signature, container or layout is not what it must be."""

    family = "document"
    http_status = 422
    exit_code = 4


class AttestationError(SealroomError):
    """Evidence does not satisfy the appraisal policy."""

    family = "attestation"
    http_status = 403
    exit_code = 5


class AccessDenied(SealroomError):  # noqa: N818 - the word of the field
    """Approvals, roles, revocations, run counts or tokens do not allow this."""

    family = "access"
    http_status = 403
    exit_code = 6


class AnalysisError(SealroomError):
    """An analysis cannot be computed from what it was given."""

    family = "analysis"
    http_status = 422
    exit_code = 7


class DisclosureRefused(SealroomError):  # noqa: N818 - the word of the field
    """The output gate says no."""

    family = "disclosure"
    http_status = 403
    exit_code = 8


class StorageError(SealroomError):
    """What should be stored is missing, altered, in conflict or too large."""

    family = "storage"
    http_status = 409
    exit_code = 9


class TransportError(SealroomError):
    """Another process did not answer, or not as agreed."""

    family = "transport"
    http_status = 502
    exit_code = 10


FAMILIES: dict[str, type[SealroomError]] = {
    kind.family: kind
    for kind in (
        DocumentError,
        AttestationError,
        AccessDenied,
        AnalysisError,
        DisclosureRefused,
        StorageError,
        TransportError,
    )
}


def from_problem(problem: object) -> SealroomError:
    """Rebuild the error that another process answered with; unknown shapes become a TransportError."""
    if isinstance(problem, dict):
        code, detail = problem.get("code"), problem.get("detail")
        kind = FAMILIES.get(str(problem.get("title")))
        if kind and isinstance(code, str) and isinstance(detail, str):
            return kind(code[:64], detail[:2000])
    return TransportError("ANSWER_SHAPE", "The other side answered with something that is not a Sealroom problem.")
