"""Making a condition: keys and a time go in, evidence comes out with what else its appraisal needs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from attestation.certificates import key_digest, load_certificate
from attestation.endorsements import Crl, read_endorsements
from attestation.pck import read_pck
from attestation.policy import AppraisalPolicy, load_policy, manifests_folder
from attestation.quote import parse_quote
from attestation.reference import ReferenceValues
from attestation.roots import HardwareRoot
from attestation.simulator.forge.condition import MEASUREMENT, PUBLISHER, Changes, ForgedCondition
from attestation.simulator.pki import PlatformKeys, create_keys
from attestation.simulator.platform import Conditions, Platform
from attestation.verifier import Expected
from protocol.documents import CustodianNonce, Evidence, RuntimeClaims
from protocol.documents.reference import WithdrawalList, Withdrawn
from protocol.dsse import public_key, sign
from protocol.types import Digest, encode_base64, format_time

__all__ = ["EXPECTED", "EvidenceForge", "Forged", "policy_with"]

_NONCE: Final = CustodianNonce(custodian="c0de" * 16, nonce="f00d" * 16)
EXPECTED: Final = Expected(
    measurement=MEASUREMENT, profile="clinical", contract="c0a7" * 16, run="0e57" * 8, nonces=(_NONCE,)
)
"""The contract that forged evidence is for. No such contract exists."""
_ENCRYPTION: Final = encode_base64(bytes(1216))


@dataclass(frozen=True, slots=True)
class Forged:
    """A condition made: evidence, the root to pin, what the contract expects, the reference values at hand."""

    evidence: Evidence
    root: HardwareRoot
    reference: ReferenceValues
    expected: Expected = EXPECTED


class EvidenceForge:
    """Makes conditions of one simulated platform as of one time."""

    def __init__(self, keys: PlatformKeys, at: datetime) -> None:
        self._keys = keys
        self._at = at

    @cached_property
    def _elsewhere(self) -> PlatformKeys:
        return create_keys(self._at - timedelta(days=1))

    def make(self, condition: ForgedCondition) -> Forged:
        """Make a condition."""
        here, elsewhere = Platform(self._keys, condition.platform), Platform(self._elsewhere, condition.platform)
        claims = _claims(condition.claims)
        source = elsewhere if condition.quote_from_elsewhere else here
        quote = source.quote(condition.measurement, claims.report_data)
        collateral = (elsewhere if condition.collateral_from_elsewhere else here).collateral(self._at)
        if condition.swapped:
            claims = _claims({**condition.claims, "signing": "5a5a" * 16})
        return Forged(
            Evidence(claims=claims, quote=encode_base64(quote), collateral=collateral),
            here.root,
            self._reference(condition, quote),
        )

    def _reference(self, condition: ForgedCondition, quote: bytes) -> ReferenceValues:
        chain = parse_quote(quote).chain
        seen = self._seen(condition.platform) if condition.crl_seen else {}
        if condition.withdrawn is None and not condition.list_expired:
            return ReferenceValues(crls=seen)
        platform = read_pck(load_certificate(chain.leaf))
        names = {
            "measurement": condition.measurement,
            "ppid": platform.ppid.hex(),
            "fmspc": platform.fmspc.hex(),
            "advisory": "INTEL-SA-00828",
        }
        issued = self._at - timedelta(days=9)
        signed = sign(
            WithdrawalList(
                publisher=public_key(PUBLISHER),
                number=1,
                issued=format_time(issued),
                next_update=format_time(issued + timedelta(days=8 if condition.list_expired else 30)),
                withdrawn=()
                if condition.withdrawn is None
                else (Withdrawn(reason="forged", **{condition.withdrawn: names[condition.withdrawn]}),),
            ),
            PUBLISHER,
        )
        return ReferenceValues(withdrawals={public_key(PUBLISHER): signed}, crls=seen)

    def _seen(self, platform: Conditions) -> Mapping[Digest, Crl]:
        """Revocation lists with numbers one higher than the evidence's."""
        newer = Platform(self._keys, replace(platform, crl_number_shift=platform.crl_number_shift + 1))
        found, issuers = read_endorsements(newer.collateral(self._at)), self._keys.certificates
        return {
            key_digest(issuers["intermediate"]): found.pck_crl,
            key_digest(issuers["root"]): found.root_ca_crl,
        }


def policy_with(changes: Changes) -> AppraisalPolicy:
    """Return the shipped policy for simulated platforms with keys changed: ``{"platform.smt": "off"}``."""
    shipped = load_policy((manifests_folder() / "appraisal.simulated.toml").read_text("utf-8"))
    content: dict[str, Any] = shipped.model_dump(mode="json")
    for key, value in changes.items():
        *tables, last = key.split(".")
        table = content
        for name in tables:
            table = table[name]
        table[last] = value
    return AppraisalPolicy.model_validate_json(json.dumps(content))


def _claims(changes: Mapping[str, Any]) -> RuntimeClaims:
    given = {
        "profile": EXPECTED.profile,
        "run": EXPECTED.run,
        "contract": EXPECTED.contract,
        "nonces": EXPECTED.nonces,
        "encryption": _ENCRYPTION,
        "signing": "a5a5" * 16,
    }
    return RuntimeClaims.model_validate({**given, **changes})
