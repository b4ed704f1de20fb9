"""Offline verification of a result bundle against pins: ``verify_bundle`` returns the verified thing or raises."""

from sealroom.verification.bundle import VerifiedBundle, verify_bundle
from sealroom.verification.checks import Check, Verification, VerificationFailed
from sealroom.verification.pins import with_own_root

__all__ = ["Check", "Verification", "VerificationFailed", "VerifiedBundle", "verify_bundle", "with_own_root"]
