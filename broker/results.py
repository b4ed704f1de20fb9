"""What the broker checks of a result bundle before it stores it; recipients verify far more and rely on none of it."""

from broker.storage.runs import Run
from protocol.documents.receipt import Receipt, ResultBundle
from protocol.dsse import Unverified, load_document
from protocol.errors import DocumentError

__all__ = ["require_result_of"]


def require_result_of(data: bytes, run: Run, limit: int) -> None:
    """Raise unless the bytes are the canonical bundle of this run.

    Raises
    ------
    DocumentError
        ``OTHER_RUN`` or ``OTHER_CONTRACT`` where claims, receipt or study are of another; ``SIGNATURE`` where the
        receipt is not signed with the key in the claims; otherwise as ``load_document``.
    """
    bundle = load_document(ResultBundle, data, limit=limit)
    claims = bundle.evidence.claims
    predicate = Unverified.parse(bundle.receipt, Receipt).verify(claims.signing).document.predicate
    for what, found in (("evidence", claims.run), ("receipt", predicate.run)):
        if found != run.run:
            raise DocumentError("OTHER_RUN", f"The bundle's {what} is of run {found[:8]}, wanted run {run.run[:8]}.")
    contracts = (
        ("evidence", claims.contract),
        ("receipt", predicate.contract),
        ("contract", bundle.study.contract.name),
    )
    for what, found in contracts:
        if found != run.contract:
            raise DocumentError(
                "OTHER_CONTRACT", f"The bundle's {what} is of contract {found[:16]}, wanted {run.contract[:16]}."
            )
