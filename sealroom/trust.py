"""Pins: what this institution decided to trust, in one TOML file that it keeps outside every bundle.

Nothing here is ever taken from a broker's reply. What is not pinned is unanchored, and fails. ::

    version = 1
    [[institutions]]            # identity: the root fingerprint, compared with the institution by voice or on paper
    short = "hospital-b"
    root = "<64 hex digits>"
    [[hardware_roots]]          # whose quotes count; a simulated platform says so
    digest = "<SHA-256 of the certificate's DER bytes>"
    simulated = true
    certificate = "-----BEGIN CERTIFICATE----- ..."
    [[measurements]]            # exact enclave code, one entry for each endorsed build
    profile = "clinical"
    measurement = "<64 hex digits>"
    [[custodians]]              # who may hold data keys
    signing = "<64 hex digits>"
    encryption = "<SHA-256 of the X-Wing public key>"
    [appraisal_policy]          # how evidence is judged; a string here is the path of a TOML file that says it
    [[endorsements]]            # who rebuilt which enclave: signed envelopes; those count that the policy names
    [[withdrawals]]             # the newest list at hand of each publisher: signed envelopes; numbers may not go back
"""

import base64
import hashlib
import json
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from protocol.dsse import Envelope
from protocol.errors import AttestationError, DocumentError, StorageError
from protocol.flat_toml import load_flat_toml
from protocol.types import Digest, Document, Key, Name
from sealroom.files import read_bounded

if TYPE_CHECKING:  # attestation is loaded only when it is asked for: light commands stay light
    from attestation.policy import AppraisalPolicy
    from attestation.reference import ReferenceValues
    from attestation.roots import HardwareRoot

__all__ = [
    "CustodianPin",
    "HardwareRootPin",
    "InstitutionPin",
    "MeasurementPin",
    "Trust",
    "custodian_pin",
    "load_trust",
    "save_trust",
    "with_institution",
]

MAX_TRUST = 2**23
"""Bytes: five withdrawal lists of the greatest length, and all other pins."""


class InstitutionPin(Document):
    """An institution whose root fingerprint was compared."""

    short: Name
    root: Key


class HardwareRootPin(Document):
    """A hardware vendor's root certificate. ``digest`` is the SHA-256 of its DER bytes."""

    digest: Digest
    simulated: bool
    certificate: Annotated[str, Field(max_length=32_768)]

    @model_validator(mode="after")
    def _digest_agrees(self) -> Self:
        if hashlib.sha256(self.der).hexdigest() != self.digest:
            raise ValueError("the digest of a hardware root is not that of its certificate")
        return self

    @property
    def der(self) -> bytes:
        """The certificate's DER bytes."""
        return ssl.PEM_cert_to_DER_cert(self.certificate)

    @classmethod
    def from_der(cls, der: bytes, *, simulated: bool) -> Self:
        """Pin a certificate."""
        body = base64.encodebytes(der).decode("ascii")
        pem = f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"
        return cls(digest=hashlib.sha256(der).hexdigest(), simulated=simulated, certificate=pem)


class MeasurementPin(Document):
    """The exact measurement (MRENCLAVE) of one build of one profile."""

    profile: Name
    measurement: Digest


class CustodianPin(Document):
    """A custodian: its Ed25519 key and the SHA-256 of its X-Wing public key."""

    signing: Key
    encryption: Digest

    @property
    def fingerprint(self) -> str:
        """What people compare: the SHA-256 of the signing key's 32 bytes and the 32 bytes of ``encryption``."""
        return hashlib.sha256(bytes.fromhex(self.signing) + bytes.fromhex(self.encryption)).hexdigest()


class Trust(Document):
    """All pins of one institution. ``appraisal_policy`` is TOML text for ``attestation.policy.load_policy``."""

    version: Literal[1] = 1
    institutions: Annotated[tuple[InstitutionPin, ...], Field(max_length=500)] = ()
    hardware_roots: Annotated[tuple[HardwareRootPin, ...], Field(max_length=20)] = ()
    measurements: Annotated[tuple[MeasurementPin, ...], Field(max_length=500)] = ()
    custodians: Annotated[tuple[CustodianPin, ...], Field(max_length=500)] = ()
    appraisal_policy: str | None = None
    endorsements: Annotated[tuple[Envelope, ...], Field(max_length=1000)] = ()
    withdrawals: Annotated[tuple[Envelope, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        for what, keys in (
            ("institution root", [pin.root for pin in self.institutions]),
            ("institution short name", [pin.short for pin in self.institutions]),
            ("hardware root", [pin.digest for pin in self.hardware_roots]),
            ("measurement", [(pin.profile, pin.measurement) for pin in self.measurements]),
            ("custodian", [pin.signing for pin in self.custodians]),
            ("endorsement", [envelope.name for envelope in self.endorsements]),
            ("publisher's withdrawal list", [envelope.signatures[0].keyid for envelope in self.withdrawals]),
        ):
            if len(set(keys)) != len(keys):
                raise ValueError(f"one {what} stands there twice")
        return self

    def institution(self, root: str) -> InstitutionPin | None:
        """Return the pin of an institution, or None where it is not anchored."""
        return next((pin for pin in self.institutions if pin.root == root), None)

    def custodian(self, signing: str) -> CustodianPin | None:
        """Return the pin of a custodian, or None where it is not anchored."""
        return next((pin for pin in self.custodians if pin.signing == signing), None)

    def measured(self, profile: str) -> tuple[str, ...]:
        """Return the pinned measurements of a profile, the newest pin last."""
        return tuple(pin.measurement for pin in self.measurements if pin.profile == profile)

    def policy(self) -> "AppraisalPolicy | None":
        """Return the appraisal policy, or None where none is pinned."""
        from attestation.policy import load_policy

        return None if self.appraisal_policy is None else load_policy(self.appraisal_policy)

    def reference_values(self, policy: "AppraisalPolicy") -> "ReferenceValues":
        """Return endorsements and withdrawal lists, verified under the keys of the policy; others do not count.

        Raises
        ------
        DocumentError
            Where one of them is damaged.
        """
        from attestation.reference import ReferenceValues, verify_endorsement, verify_withdrawals

        named = policy.reference_values
        endorsers = {endorser.key for endorser in named.endorsers}
        endorsements = []
        for envelope in self.endorsements:
            if envelope.signatures[0].keyid in endorsers:
                with suppress(AttestationError):  # by this key, but for an institution that the policy names no more
                    endorsements.append(verify_endorsement(envelope, named))
        withdrawals = {
            envelope.signatures[0].keyid: verify_withdrawals(envelope, named.withdrawal_publishers)
            for envelope in self.withdrawals
            if envelope.signatures[0].keyid in named.withdrawal_publishers
        }
        return ReferenceValues(endorsements=tuple(endorsements), withdrawals=withdrawals)

    def roots(self) -> "tuple[HardwareRoot, ...]":
        """Return the pinned hardware roots for ``attestation.verifier.appraise``.

        Raises
        ------
        DocumentError
            ``TRUST`` where a pin says of a root's being simulated what its certificate does not say.
        """
        from attestation.roots import HardwareRoot

        roots = tuple(HardwareRoot(pin.der) for pin in self.hardware_roots)
        for root, pin in zip(roots, self.hardware_roots, strict=True):
            if root.simulated != pin.simulated:
                raise DocumentError("TRUST", f"Hardware root {pin.digest[:16]}: simulated is not {pin.simulated}.")
        return roots


def load_trust(path: Path) -> Trust:
    """Read pins.

    Raises
    ------
    StorageError
        ``FILE_MISSING`` where there is no file: absent pins are not empty pins.
    DocumentError
        ``TRUST`` with the first entry that is wrong.
    """
    if not path.is_file():
        raise StorageError(
            "FILE_MISSING", f"There is no file of pins {path}; `sealroom trust add-...` makes it, pin by pin."
        )
    data = path.read_bytes()
    if len(data) > MAX_TRUST:
        raise DocumentError("TRUST", f"{path} holds more than {MAX_TRUST} bytes.")
    try:
        return _typed(load_flat_toml(data.decode("utf-8"), where=f"{path} is not the TOML of pins"), path.parent)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the whole"
        raise DocumentError("TRUST", f"{path}: {where}: {first['msg']}.") from error
    except (DocumentError, StorageError) as error:
        raise DocumentError("TRUST", error.detail) from error
    except (ValueError, TypeError) as error:  # UTF-8 errors are ValueErrors
        raise DocumentError("TRUST", f"{path} is not the TOML of pins: {error}.") from error


def save_trust(trust: Trust, path: Path) -> None:
    """Write pins in one step, so that an interruption leaves the old file or the new one."""
    import tomli_w

    from sealroom.files import write_private

    content: dict[str, Any] = trust.model_dump(mode="json", exclude={"appraisal_policy"})
    if trust.appraisal_policy is not None:
        content["appraisal_policy"] = load_flat_toml(trust.appraisal_policy, where="the appraisal policy")
    data = tomli_w.dumps(content, multiline_strings=True).encode("utf-8")
    if len(data) > MAX_TRUST:
        raise DocumentError(
            "TRUST", f"The pins take {len(data)} bytes, at most {MAX_TRUST}. Remove endorsements of old builds."
        )
    write_private(path, data)


def with_institution(trust: Trust, pin: InstitutionPin) -> Trust:
    """Return the pins with one more institution; the same pin again changes nothing.

    Raises
    ------
    DocumentError
        ``TRUST`` where the short name or the root is pinned otherwise.
    """
    if pin in trust.institutions:
        return trust
    for known in trust.institutions:
        if known.short == pin.short or known.root == pin.root:
            raise DocumentError(
                "TRUST",
                f"{pin.short} ({pin.root[:16]}) contradicts the pin {known.short} ({known.root[:16]}). If it has a "
                "new root key, compare it, then `sealroom trust remove` the old one.",
            )
    return trust.model_copy(update={"institutions": (*trust.institutions, pin)})


def custodian_pin(signing: str, encryption_key: bytes) -> CustodianPin:
    """Pin a custodian by its keys."""
    return CustodianPin(signing=signing, encryption=hashlib.sha256(encryption_key).hexdigest())


def _typed(content: dict[str, Any], folder: Path) -> Trust:
    policy = content.pop("appraisal_policy", None)
    match policy:
        case None:
            pass
        case str():
            content["appraisal_policy"] = read_bounded(folder / policy, MAX_TRUST).decode("utf-8")
        case dict():
            import tomli_w

            content["appraisal_policy"] = tomli_w.dumps(policy)
        case _:
            raise ValueError("appraisal_policy is a table or the path of a TOML file")
    return Trust.model_validate_json(json.dumps(content))
