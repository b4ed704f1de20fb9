"""The appraisal policy: what a relying party accepts, written in TOML, with no defaults.

Every key must be there and no other may be, so nothing is accepted or left out silently. A check that is not wanted
is written down as ``"any"`` and shows as skipped in every verdict. A policy can never accept a debug enclave, or a
signer in place of an exact measurement: there are no keys for that.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from protocol.documents.dataset import TcbStatus
from protocol.documents.reference import Advisory, Fmspc, Ppid
from protocol.errors import AttestationError, DocumentError
from protocol.flat_toml import load_flat_toml
from protocol.types import Digest, Document, Key, Name, Timestamp

__all__ = [
    "ATTRIBUTE_BITS",
    "AppraisalPolicy",
    "CollateralAge",
    "EnclavePolicy",
    "Endorser",
    "Masked",
    "OrAny",
    "PlatformPolicy",
    "ReferencePolicy",
    "load_policy",
    "manifests_folder",
]

ATTRIBUTE_BITS = {"INIT": 1 << 0, "DEBUG": 1 << 1, "MODE64": 1 << 2, "PROVISION_KEY": 1 << 4, "EINITTOKEN_KEY": 1 << 5}
"""The bits of ATTRIBUTES that every policy must look at."""
_WANTED_BITS = ATTRIBUTE_BITS["INIT"] | ATTRIBUTE_BITS["MODE64"]
_MAX_POLICY = 65_536
_Bits = Annotated[str, Field(pattern=r"^0x[0-9a-f]{1,16}$")]
_Svn = Annotated[int, Field(ge=0, le=0xFFFF)]
_Days = Annotated[int, Field(ge=1, le=3650)]
_Evaluation = Annotated[int, Field(ge=0, le=0xFFFF)]
_Many = Field(max_length=1000)
_Number = Annotated[int, Field(ge=0, lt=2**32)]
_Flag = Literal["any", "off"]
_WORD: Final = "<any>"
_VALUE: Final = "<value>"


def _kind(value: Any) -> str:  # noqa: ANN401 - whatever TOML holds
    return _WORD if value == "any" else _VALUE


T = TypeVar("T")
OrAny = Annotated[
    Annotated[Literal["any"], Tag(_WORD)] | Annotated[T, Tag(_VALUE)],
    Discriminator(_kind),
]
"""A value, or the word ``any`` that leaves its check out. Errors name one of the two, not both."""


class Masked(Document):
    """Bits that are looked at, and their values: hexadecimal numbers such as ``0x05``, highest digit first.

    A mask of ``0x0`` looks at nothing, and shows as skipped.
    """

    mask: _Bits
    value: _Bits

    @model_validator(mode="after")
    def _value_within_mask(self) -> Self:
        if self.wanted & ~self.looked_at:
            raise ValueError("value has bits that the mask leaves out")
        return self

    @property
    def looked_at(self) -> int:
        """The mask as a number."""
        return int(self.mask, 16)

    @property
    def wanted(self) -> int:
        """The value as a number."""
        return int(self.value, 16)

    def holds(self, found: int) -> bool:
        """Whether ``found`` has the wanted value under the mask."""
        return found & self.looked_at == self.wanted


class EnclavePolicy(Document):
    """What the enclave's report must say beside the measurement, which the contract names."""

    attributes: Masked
    xfrm: Masked
    miscselect: Masked
    isv_prod_id: _Svn
    minimum_isv_svn: _Svn
    config_svn: _Svn
    config_id: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
    isv_ext_prod_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    isv_family_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]

    @model_validator(mode="after")
    def _production_enclaves_only(self) -> Self:
        for name, bit in ATTRIBUTE_BITS.items():
            if not self.attributes.looked_at & bit or self.attributes.wanted & bit != _WANTED_BITS & bit:
                raise ValueError(f"attributes must ask for {name} {'set' if _WANTED_BITS & bit else 'clear'}")
        return self


class PlatformPolicy(Document):
    """What the platform must be. ``advisories`` lists those accepted; Intel lists some even for UpToDate.

    ``fmspcs`` and ``ppids`` are lists of accepted families of processors and of single platforms: who extracted the key
    of any accepted platform signs what they like, so naming the host's own platforms is the strongest check of all.
    ``minimum_tcb_date`` is the date of the TCB level that the platform reached, as Intel gives it. A list may be empty,
    and then accepts nothing; a least number of 0 leaves nothing to fall below, and shows as skipped.
    """

    hardware_roots: OrAny[Annotated[tuple[Digest, ...], _Many]]
    tcb_statuses: Annotated[tuple[TcbStatus, ...], Field(max_length=6)]
    minimum_tcb_date: OrAny[Timestamp]
    advisories: OrAny[Annotated[tuple[Advisory, ...], _Many]]
    fmspcs: OrAny[Annotated[tuple[Fmspc, ...], _Many]]
    ppids: OrAny[Annotated[tuple[Ppid, ...], _Many]]
    qe_vendor_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    minimum_tcb_evaluation: _Evaluation
    minimum_qe_evaluation: _Evaluation
    minimum_pck_crl_number: OrAny[_Number]
    minimum_root_crl_number: OrAny[_Number]
    smt: _Flag
    dynamic_platform: _Flag
    cached_keys: _Flag


class Endorser(Document):
    """An institution whose rebuilding of the enclave counts, and the Ed25519 key with which it says so."""

    institution: Name
    key: Key


class ReferencePolicy(Document):
    """Which code is accepted, beside that the contract names one exact measurement, and whose withdrawals count.

    So many as ``endorsements_wanted`` of the ``endorsers`` must have rebuilt the measurement; none shows as skipped.
    Of each of the ``withdrawal_publishers`` a list must be at hand and in date; no publisher shows as skipped.
    """

    measurements: OrAny[Annotated[tuple[Digest, ...], _Many]]
    endorsements_wanted: Annotated[int, Field(ge=0, le=100)]
    endorsers: Annotated[tuple[Endorser, ...], Field(max_length=100)]
    withdrawal_publishers: Annotated[tuple[Key, ...], Field(max_length=20)]

    @model_validator(mode="after")
    def _nobody_twice(self) -> Self:
        for keys in (
            [endorser.institution for endorser in self.endorsers],
            [endorser.key for endorser in self.endorsers],
            list(self.withdrawal_publishers),
        ):
            if len(set(keys)) != len(keys):
                raise ValueError("an endorser or publisher stands there twice")
        if self.endorsements_wanted > len(self.endorsers):
            raise ValueError(f"endorsements_wanted is {self.endorsements_wanted}, of {len(self.endorsers)} endorsers")
        return self


class CollateralAge(Document):
    """How old each item of collateral may be, in days since it was issued; Intel issues its root CRL once a year."""

    tcb_info: _Days
    qe_identity: _Days
    pck_crl: _Days
    root_ca_crl: _Days


class AppraisalPolicy(Document):
    """A whole policy. ``simulation`` says whether a simulated root may stand in for hardware."""

    version: Literal[1]
    simulation: bool
    reference_values: ReferencePolicy
    platform: PlatformPolicy
    enclave: EnclavePolicy
    collateral_age_days: CollateralAge

    def narrowed(self, tcb_statuses: Iterable[str]) -> "AppraisalPolicy":
        """Return this policy with only those TCB statuses that ``tcb_statuses`` accepts too."""
        accepted = set(tcb_statuses)
        kept = tuple(status for status in self.platform.tcb_statuses if status in accepted)
        return self.model_copy(update={"platform": self.platform.model_copy(update={"tcb_statuses": kept})})


def load_policy(text: str) -> AppraisalPolicy:
    """Read a policy from TOML.

    Raises
    ------
    AttestationError
        ``POLICY`` with the first key that is missing, unknown or wrong.
    """
    if len(text) > _MAX_POLICY:
        raise AttestationError("POLICY", f"The appraisal policy is longer than {_MAX_POLICY} characters.")
    try:
        # Through JSON, so that TOML's arrays become tuples while everything else stays strict.
        return AppraisalPolicy.model_validate_json(json.dumps(load_flat_toml(text, where="Not an appraisal policy")))
    except DocumentError as error:
        raise AttestationError("POLICY", error.detail) from error
    except ValidationError as error:
        raise AttestationError("POLICY", f"Not an appraisal policy: {_first(error)}.") from error
    except (ValueError, TypeError) as error:
        raise AttestationError(
            "POLICY", "The appraisal policy is not TOML of text, whole numbers and lists."
        ) from error


def _first(error: ValidationError) -> str:
    """Say the first key that is wrong, and how."""
    first = error.errors(include_input=False, include_url=False)[0]
    steps = [str(step) for step in first["loc"]]
    where = ".".join(step for step in steps if step not in {_WORD, _VALUE}) or "the whole"
    otherwise = ' (or "any")' if _VALUE in steps else ""
    return f"{where}: {first['msg'].removeprefix('Value error, ')}{otherwise}"


def manifests_folder() -> Path:
    """Return the folder ``manifests``: beside this package, in a checkout as in an installed distribution."""
    return Path(__file__).resolve().parents[1] / "manifests"
