"""Open the outputs of a verified bundle with a recipient's own key, on the recipient's own machine."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from protocol.canonical import canonical_bytes
from protocol.catalogue import Variant
from protocol.documents.outputs import Hits, Output, ReleasedOutput
from protocol.dsse import load_document
from protocol.errors import AccessDenied, DocumentError
from protocol.hpke import RecipientKey, output_info, public_digest
from protocol.padding import MAX_PADDED, size_class, unpad
from protocol.types import decode_base64
from sealroom.verification import VerifiedBundle

__all__ = ["open_outputs", "outputs_to_bytes"]


def open_outputs(verified: VerifiedBundle, recipient_key: RecipientKey) -> dict[str, ReleasedOutput]:
    """Open every output that the contract gives to this recipient; in the contract's order, by name.

    Raises
    ------
    AccessDenied
        ``NOT_RECIPIENT`` where the contract gives nothing to this key.
    DocumentError
        ``CAPSULE``, ``PADDING``; ``OUTPUT_SWAPPED`` where what was sealed is another output, ``OUTPUT_TYPE`` where it
        is of another type than agreed, ``OUTPUT_LABEL`` where it names a label that the contract does not have,
        ``OUTPUT_VARIANT`` where it names a variant beyond the catalogue.
    """
    digest = public_digest(recipient_key.public_bytes())
    mine = {item.output: item for item in verified.bundle.outputs if item.recipient == digest}
    if not mine:
        raise AccessDenied(
            "NOT_RECIPIENT",
            f"The contract names no output for the recipient key {digest[:16]}. Use the key of a recipient.",
        )
    contract = verified.study.contract
    variants = max((m.document.genotypes.variants for m in verified.study.manifests if m.document.genotypes), default=0)
    opened = {}
    for agreed in contract.document.outputs:
        if agreed.output not in mine:
            continue
        info = output_info(contract.name, verified.run, agreed.output, digest)
        padded = recipient_key.open(decode_base64(mine[agreed.output].sealed), info=info)
        plain = unpad(padded, size_class(agreed.type, len(agreed.labels)))
        released = load_document(ReleasedOutput, plain, limit=MAX_PADDED)
        if released.output != agreed.output:
            raise DocumentError("OUTPUT_SWAPPED", f"What was sealed as {agreed.output} calls itself {released.output}.")
        if released.value.type not in {agreed.type, "refused"}:
            raise DocumentError("OUTPUT_TYPE", f"{agreed.output} is of type {released.value.type}, not {agreed.type}.")
        _require_labels(released, len(agreed.labels))
        if isinstance(released.value, Hits) and any(hit.variant >= variants for hit in released.value.entries):
            raise DocumentError("OUTPUT_VARIANT", f"{agreed.output} names a variant beyond the {variants} there are.")
        opened[agreed.output] = released
    return opened


def outputs_to_bytes(
    verified: VerifiedBundle, opened: Mapping[str, ReleasedOutput], variants: Mapping[int, Variant] | None = None
) -> bytes:
    """Write opened outputs as canonical JSON: where they come from, and each value with the labels that it indexes.

    ``variants`` of the catalogue, by place, stand beside the hits that name them.
    """
    agreed = {item.output: item for item in verified.study.contract.document.outputs}
    return canonical_bytes(
        {
            "version": 1,
            "bundle": verified.digest,
            "contract": verified.study.contract.name,
            "run": verified.run,
            "simulated": verified.simulated,
            "outputs": [
                {
                    "output": name,
                    "labels": list(agreed[name].labels),
                    "value": released.value.model_dump(mode="json"),
                    **_variants(released.value, variants or {}),
                }
                for name, released in opened.items()
            ],
        }
    )


def _variants(value: Output, variants: Mapping[int, Variant]) -> dict[str, Any]:
    if not (variants and isinstance(value, Hits)):
        return {}
    return {"variants": [{"variant": hit.variant} | asdict(variants[hit.variant]) for hit in value.entries]}


def _require_labels(released: ReleasedOutput, known: int) -> None:
    """Require that every label that an output names is in the contract's dictionary of ``known`` labels."""
    match released.value.type:
        case "counts":
            labels = [cell.label for cell in released.value.cells]
        case "regression":
            labels = [term.label for term in released.value.terms]
        case "test":
            labels = [released.value.label]
        case "survival":
            labels = [group.label for group in released.value.groups]
            labels += [point.label for group in released.value.groups for point in group.points]
        case "means":
            labels = [cell.label for cell in released.value.cells]
        case "metrics":
            labels = [entry.label for entry in released.value.entries]
        case "hits":
            labels = [released.value.label]
        case "refused":
            labels = []
    if any(label >= known for label in labels):
        raise DocumentError("OUTPUT_LABEL", f"{released.output} names a label that the contract does not have.")
