"""Checks 2, 14 and 15: what the enclave signed, and what it sealed for whom."""

from protocol.documents.attested import RuntimeClaims
from protocol.documents.receipt import (
    Receipt,
    ReceiptPredicate,
    ResultBundle,
    SealedOutput,
    bundle_members,
    output_subjects,
)
from protocol.dsse import Unverified, Verified
from protocol.errors import DocumentError
from protocol.governance import Study
from protocol.hpke import OVERHEAD
from protocol.padding import size_class
from sealroom.verification.checks import Finding

__all__ = ["require_outputs", "require_statement", "verify_receipt"]


def verify_receipt(bundle: ResultBundle, finding: Finding) -> Verified[Receipt]:
    """Verify the receipt under the key in the claims; whether an enclave holds that key is the evidence's business.

    Raises
    ------
    DocumentError
        ``SIGNATURE``; ``MEMBERS`` or ``SUBJECTS`` where the receipt does not list exactly what is in the bundle.
    """
    receipt = Unverified.parse(bundle.receipt, Receipt).verify(bundle.evidence.claims.signing)
    stated = receipt.document
    if stated.predicate.members != bundle_members(bundle.study, bundle.evidence, bundle.releases, bundle.commits):
        raise DocumentError("MEMBERS", "The receipt does not list exactly the documents of this bundle in this order.")
    if stated.subject != output_subjects(bundle.outputs):
        raise DocumentError("SUBJECTS", "The receipt is not about exactly the sealed outputs of this bundle.")
    finding.found = f"lists exactly these {len(stated.predicate.members)} documents and {len(stated.subject)} outputs"
    return receipt


def require_statement(stated: ReceiptPredicate, claims: RuntimeClaims, study: Study, finding: Finding) -> None:
    """Require that the receipt states what the verified documents say.

    Raises
    ------
    DocumentError
        ``STATEMENT`` with the field that differs.
    """
    contract = study.contract.document
    for field, found, wanted in (
        ("run", stated.run, claims.run),
        ("contract", stated.contract, study.contract.name),
        ("recipe", stated.recipe, study.recipe.name),
        ("profile", stated.profile, contract.profile),
        ("measurement", stated.measurement, contract.measurement),
        ("claims", stated.claims, claims.digest),
        ("datasets", stated.datasets, tuple(manifest.name for manifest in study.manifests)),
    ):
        if found != wanted:
            raise DocumentError("STATEMENT", f"The receipt states another {field} than the documents of this bundle.")
    finding.found = f"run {stated.run} of contract {stated.contract} on {len(stated.datasets)} dataset(s)"


def require_outputs(outputs: tuple[SealedOutput, ...], study: Study, finding: Finding) -> None:
    """Require one sealed output for each recipient of each output, in order, of the size that type and labels give.

    Raises
    ------
    DocumentError
        ``OUTPUTS`` for other outputs or recipients, ``OUTPUT_SIZE`` for another size.
    """
    agreed = study.contract.document.outputs
    wanted = [(item.output, recipient.key) for item in agreed for recipient in item.recipients]
    if [(item.output, item.recipient) for item in outputs] != wanted:
        raise DocumentError("OUTPUTS", "The sealed outputs are not exactly those of the contract, for its recipients.")
    sizes = {item.output: size_class(item.type, len(item.labels)) for item in agreed}
    for item in outputs:
        padded = len(item.sealed) // 4 * 3 - item.sealed.count("=", -2) - OVERHEAD
        if padded != sizes[item.output]:
            raise DocumentError(
                "OUTPUT_SIZE", f"The sealed output {item.output} has {padded} bytes, wanted {sizes[item.output]}."
            )
    recipients = {recipient for _, recipient in wanted}
    finding.found = f"{len(agreed)} output(s) sealed to {len(recipients)} recipient(s)"
