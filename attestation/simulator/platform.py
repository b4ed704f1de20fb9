"""A software platform that quotes like SGX hardware: byte-exact DCAP quotes and the collateral to judge them with.

It proves nothing about confidentiality. Its root says SIMULATED, and its policy-breaking ``Conditions`` exist so that
tests can forge what a verifier must refuse; the service (``app``) always runs with the good ones.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from attestation.roots import HardwareRoot
from attestation.simulator.pki import CPU_SVN, FMSPC, PCE_ID, PCE_SVN, PlatformKeys, Processor, certify_anew
from protocol.documents import Collateral
from protocol.errors import AttestationError
from protocol.types import format_time

__all__ = ["COLLATERAL_LIFE", "Conditions", "EnclaveShape", "Platform", "QeLevel", "TcbLevel"]

COLLATERAL_LIFE: Final = timedelta(days=30)
REPORT_DATA: Final = 64
_INTEL_QE_VENDOR: Final = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
_SIGNER: Final = hashlib.sha256(b"sealroom simulated enclave signer").digest()
_QE_SIGNER: Final = hashlib.sha256(b"sealroom simulated quoting enclave signer").digest()
_QE_MEASUREMENT: Final = hashlib.sha256(b"sealroom simulated quoting enclave").digest()
_AUTHENTICATION: Final = hashlib.sha256(b"sealroom simulated authentication data").digest()
_EVALUATION: Final = 20


@dataclass(frozen=True, slots=True)
class EnclaveShape:
    """What hardware reports of an enclave beside its measurement; the defaults are a production enclave."""

    flags: int = 0x05
    xfrm: int = 0xE7
    miscselect: int = 0
    isv_prod_id: int = 0
    isv_svn: int = 0
    config_svn: int = 0
    config_id: bytes = bytes(64)
    isv_ext_prod_id: bytes = bytes(16)
    isv_family_id: bytes = bytes(16)


@dataclass(frozen=True, slots=True)
class TcbLevel:
    """One level of the TCB information: what a platform needs to reach it, and what it is worth then."""

    status: str = "UpToDate"
    advisories: tuple[str, ...] = ()
    date: str = "2026-01-01T00:00:00Z"
    cpu_svn: bytes = CPU_SVN
    pce_svn: int = PCE_SVN


@dataclass(frozen=True, slots=True)
class QeLevel:
    """One level of the quoting enclave's identity."""

    isv_svn: int = 8
    status: str = "UpToDate"
    advisories: tuple[str, ...] = ()
    date: str = "2026-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Conditions:
    """The state of the platform and of its collateral; the defaults are a platform in good order.

    ``tcb_status``, ``advisories`` and ``tcb_date`` are the first TCB level's, ``qe_status`` and ``qe_advisories`` the
    first QE level's; older levels follow. ``pce_id`` and ``fmspc`` are those of the TCB information. A ``processor``
    other than the usual one, and certificates that are ``expired``, ``early`` or ``misnamed``, are certified anew with
    the same keys. ``shifts`` move the dates of the items that they name, ``crl_shift`` those of both revocation lists.
    With ``crl_number`` every list has this number, as all of Intel's have number 1.
    """

    enclave: EnclaveShape = field(default_factory=EnclaveShape)
    qe: EnclaveShape = field(default_factory=lambda: EnclaveShape(flags=0x15, isv_prod_id=1, isv_svn=8))
    qe_signer_measurement: bytes = _QE_SIGNER
    qe_vendor_id: bytes = _INTEL_QE_VENDOR
    processor: Processor = field(default_factory=Processor)
    tcb_status: str = "UpToDate"
    tcb_date: str = "2026-01-01T00:00:00Z"
    tcb_evaluation: int = _EVALUATION
    qe_evaluation: int = _EVALUATION
    advisories: tuple[str, ...] = ()
    older_levels: tuple[TcbLevel, ...] = ()
    qe_status: str = "UpToDate"
    qe_advisories: tuple[str, ...] = ()
    older_qe_levels: tuple[QeLevel, ...] = ()
    pce_id: bytes = PCE_ID
    fmspc: bytes = FMSPC
    tcb_signer: str = "tcb_signing"
    qe_signer: str = "tcb_signing"
    crl_numbers: bool = True
    crl_number_shift: int = 0
    crl_number: int | None = None
    crl_shift: timedelta = timedelta(0)
    shifts: Mapping[str, timedelta] = field(default_factory=dict)
    revoked: bool = False
    revoked_by_root: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    early: tuple[str, ...] = ()
    misnamed: tuple[str, ...] = ()


class Platform:
    """One platform: its root, its quotes, its collateral."""

    def __init__(self, keys: PlatformKeys, conditions: Conditions | None = None) -> None:
        self._conditions = found = conditions or Conditions()
        self._keys = certify_anew(
            keys,
            processor=None if found.processor == Processor() else found.processor,
            expired=found.expired,
            early=found.early,
            misnamed=found.misnamed,
        )

    @property
    def root(self) -> HardwareRoot:
        """The simulated root that everything here ends in."""
        return HardwareRoot(self._keys.certificates["root"].public_bytes(serialization.Encoding.DER))

    @property
    def leaf(self) -> bytes:
        """The PCK certificate in DER: which platform a quote is from."""
        return self._keys.certificates["pck"].public_bytes(serialization.Encoding.DER)

    def quote(self, measurement: str, report_data: bytes) -> bytes:
        """Quote for the enclave with this measurement; ``report_data`` has exactly 64 bytes."""
        if len(report_data) != REPORT_DATA:
            raise AttestationError(
                "REPORT_DATA", f"Found {len(report_data)} bytes of report data, wanted {REPORT_DATA}."
            )
        point = (
            self._keys.keys["attestation"]
            .public_key()
            .public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)[1:]
        )
        conditions = self._conditions
        header = struct.pack(
            "<HHIHH16s20s",
            *(3, 2, 0, conditions.qe.isv_svn, conditions.processor.pce_svn),
            *(conditions.qe_vendor_id, b"SIMULATED SEALROOM"),
        )
        cpu_svn = conditions.processor.cpu_svn
        report = _report(cpu_svn, bytes.fromhex(measurement), _SIGNER, conditions.enclave, report_data)
        bound = hashlib.sha256(point + _AUTHENTICATION).digest() + bytes(32)
        qe_report = _report(cpu_svn, _QE_MEASUREMENT, conditions.qe_signer_measurement, conditions.qe, bound)
        chain = self._chain("pck", "intermediate", "root").encode() + b"\x00"
        signature_data = b"".join(
            (
                _signature(self._keys.keys["attestation"], header + report),
                point,
                qe_report,
                _signature(self._keys.keys["pck"], qe_report),
                struct.pack("<H", len(_AUTHENTICATION)),
                _AUTHENTICATION,
                struct.pack("<HI", 5, len(chain)),
                chain,
            )
        )
        return header + report + struct.pack("<I", len(signature_data)) + signature_data

    def collateral(self, at: datetime) -> Collateral:
        """Issue collateral that is valid for 30 days from ``at``."""
        conditions = self._conditions
        tcb_info = self._tcb_info(at + self._shift("tcb_info"))
        qe_identity = self._qe_identity(at + self._shift("qe_identity"))
        return Collateral(
            pck_crl_issuer_chain=self._chain("intermediate", "root"),
            root_ca_crl=self._crl("root", at + conditions.crl_shift + self._shift("root_ca_crl")).hex(),
            pck_crl=self._crl("intermediate", at + conditions.crl_shift + self._shift("pck_crl")).hex(),
            tcb_info_issuer_chain=self._chain(conditions.tcb_signer, "root"),
            tcb_info=tcb_info,
            tcb_info_signature=_signature(self._keys.keys[conditions.tcb_signer], tcb_info.encode()).hex(),
            qe_identity_issuer_chain=self._chain(conditions.qe_signer, "root"),
            qe_identity=qe_identity,
            qe_identity_signature=_signature(self._keys.keys[conditions.qe_signer], qe_identity.encode()).hex(),
        )

    def _chain(self, *names: str) -> str:
        # A PCK leaf that signs collateral (a condition that a verifier must refuse) needs its own issuer in the chain.
        if names[0] == "pck" and "intermediate" not in names:
            names = ("pck", "intermediate", "root")
        return "".join(
            self._keys.certificates[name].public_bytes(serialization.Encoding.PEM).decode() for name in names
        )

    def _shift(self, item: str) -> timedelta:
        return self._conditions.shifts.get(item, timedelta(0))

    def _crl(self, issuer: str, issued: datetime) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._keys.certificates[issuer].subject)
            .last_update(issued)
            .next_update(issued + COLLATERAL_LIFE)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._keys.keys[issuer].public_key()),
                critical=False,
            )
        )
        if self._conditions.crl_numbers:
            # Seconds since 1970: the number grows with each list and fits 32 bits until 2106.
            number = int(issued.timestamp()) + self._conditions.crl_number_shift
            if self._conditions.crl_number is not None:
                number = self._conditions.crl_number
            builder = builder.add_extension(x509.CRLNumber(number), critical=False)
        leaf = ("pck",) if self._conditions.revoked else ()
        for name in leaf if issuer == "intermediate" else self._conditions.revoked_by_root:
            serial = self._keys.certificates[name].serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(issued).build()
            builder = builder.add_revoked_certificate(entry)
        signed = builder.sign(self._keys.keys[issuer], hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.DER)

    def _tcb_info(self, at: datetime) -> str:
        conditions = self._conditions
        first = TcbLevel(conditions.tcb_status, conditions.advisories, conditions.tcb_date)
        return _json(
            {
                "id": "SGX",
                "version": 3,
                "issueDate": format_time(at),
                "nextUpdate": format_time(at + COLLATERAL_LIFE),
                "fmspc": conditions.fmspc.hex().upper(),
                "pceId": conditions.pce_id.hex().upper(),
                "tcbType": 0,
                "tcbEvaluationDataNumber": conditions.tcb_evaluation,
                "tcbLevels": [
                    _level(
                        {"sgxtcbcomponents": [{"svn": svn} for svn in level.cpu_svn], "pcesvn": level.pce_svn}, level
                    )
                    for level in (first, *conditions.older_levels)
                ],
            }
        )

    def _qe_identity(self, at: datetime) -> str:
        conditions = self._conditions
        first = QeLevel(status=conditions.qe_status, advisories=conditions.qe_advisories)
        return _json(
            {
                "id": "QE",
                "version": 2,
                "issueDate": format_time(at),
                "nextUpdate": format_time(at + COLLATERAL_LIFE),
                "tcbEvaluationDataNumber": conditions.qe_evaluation,
                "miscselect": "00000000",
                "miscselectMask": "FFFFFFFF",
                "attributes": "11000000000000000000000000000000",
                "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
                "mrsigner": _QE_SIGNER.hex().upper(),
                "isvprodid": 1,
                "tcbLevels": [
                    _level({"isvsvn": level.isv_svn}, level) for level in (first, *conditions.older_qe_levels)
                ],
            }
        )


def _level(tcb: dict[str, Any], level: TcbLevel | QeLevel) -> dict[str, Any]:
    made = {"tcb": tcb, "tcbDate": level.date, "tcbStatus": level.status}
    return {**made, "advisoryIDs": list(level.advisories)} if level.advisories else made


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _report(cpu_svn: bytes, measurement: bytes, signer: bytes, shape: EnclaveShape, report_data: bytes) -> bytes:
    return struct.pack(
        "<16sI12x16sQQ32s32x32s32x64sHHH42x16s64s",
        cpu_svn,
        shape.miscselect,
        shape.isv_ext_prod_id,
        shape.flags,
        shape.xfrm,
        measurement,
        signer,
        shape.config_id,
        shape.isv_prod_id,
        shape.isv_svn,
        shape.config_svn,
        shape.isv_family_id,
        report_data,
    )


def _signature(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """Sign as r || s, 32 bytes each, big-endian: what quotes and collateral carry instead of DER."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
