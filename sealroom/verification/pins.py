"""Checks 5 and 6: whether the institutions and custodians of a bundle are those that this party pinned."""

import hashlib

from protocol.documents.institution import Institution
from protocol.dsse import Verified
from protocol.errors import DocumentError
from protocol.governance import Study
from protocol.types import Key, decode_base64
from sealroom.trust import InstitutionPin, Trust
from sealroom.verification.checks import Finding

__all__ = ["find_custodians", "find_institutions", "with_own_root"]


def with_own_root(trust: Trust, own: Institution) -> Trust:
    """Return the pins with a party's own institution among them: its own root needs no comparing.

    Raises
    ------
    DocumentError
        ``TRUST`` where the pins give its short name to another root.
    """
    if trust.institution(own.root) is not None:
        return trust
    if any(pin.short == own.short for pin in trust.institutions):
        raise DocumentError("TRUST", f"Your pins give your own name {own.short} to another institution's root.")
    pin = InstitutionPin(short=own.short, root=own.root)
    return trust.model_copy(update={"institutions": (*trust.institutions, pin)})


def find_institutions(study: Study, trust: Trust, finding: Finding) -> None:
    """Look up the root of every institution: owners, proposer and recipients are all among them."""
    known = []
    for root, institution in study.institutions.items():
        pin = trust.institution(root)
        if pin is None:
            finding.unanchored(f"the root {root} is not pinned; it calls itself {_named(institution)}")
        else:
            known.append(f"{pin.short} ({root[:16]})")
    finding.found = f"pinned: {', '.join(known)}" if known else ""


def find_custodians(study: Study, trust: Trust, finding: Finding) -> frozenset[Key]:
    """Look up every custodian; return the signing keys that are pinned.

    Raises
    ------
    DocumentError
        ``CUSTODIAN_KEY`` where a dataset's key was sealed to another encryption key than the custodian's pinned one.
    """
    known = set()
    for manifest in study.manifests:
        keys = manifest.document.custodian
        pin = trust.custodian(keys.signing)
        if pin is None:
            finding.unanchored(f"the custodian {keys.signing} of dataset {manifest.document.short} is not pinned")
        elif hashlib.sha256(decode_base64(keys.encryption)).hexdigest() != pin.encryption:
            raise DocumentError(
                "CUSTODIAN_KEY",
                f"Dataset {manifest.document.short} names another encryption key of custodian {keys.signing[:16]} than "
                "the pinned one. Ask the custodian's operator which is right.",
            )
        else:
            known.add(keys.signing)
    finding.found = f"pinned: {', '.join(sorted(key[:16] for key in known))}" if known else ""
    return frozenset(known)


def _named(institution: Verified[Institution]) -> str:
    return f"{institution.document.short} ({institution.document.name})"
