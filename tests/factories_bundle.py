"""Whole result bundles for tests, made in process: real documents, a real simulated quote, real sealing.

::

    made = factories_bundle.make_bundle()            # three owners, one custodian, every output of the lung study
    made.data                                        # the canonical bytes
    made.trust                                       # pins under which it verifies at made.now
    made.parts, made.study                           # the ResultBundle; the StudyParts with all private keys
    made.again(commits=())                           # other members, the receipt signed anew by the same enclave
    made.again(predicate={"run": "00" * 16})         # other statements, signed anew
    factories_bundle.make_bundle(small=True)         # one owner, one output, one recipient

``claims=``, ``release=``, ``commit=`` replace fields of these documents before they are signed by their rightful signers;
``conditions=`` forges the platform.
"""

import functools
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import factories
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attestation.policy import load_policy
from attestation.simulator.pki import PlatformKeys, create_keys
from attestation.simulator.platform import Conditions, Platform
from attestation.verifier import Expected, appraise
from protocol import hpke
from protocol.canonical import canonical_bytes
from protocol.documents import (
    AttestationResult,
    ContractOutput,
    CountTable,
    CustodianNonce,
    Evidence,
    KeyRelease,
    Receipt,
    Refusal,
    Regression,
    ReleaseCommit,
    ReleasedOutput,
    ResultBundle,
    RuntimeClaims,
    SealedOutput,
    SurvivalCurve,
    TestStatistic,
)
from protocol.documents.outputs import CountCell, SurvivalGroup, SurvivalPoint, Term
from protocol.documents.receipt import ReceiptPredicate, bundle_members, output_subjects
from protocol.dsse import Envelope, public_key, sign
from protocol.padding import pad, size_class
from protocol.types import decode_base64, encode_base64, format_time
from sealroom.trust import HardwareRootPin, InstitutionPin, MeasurementPin, Trust, custodian_pin

POLICY = (Path(__file__).parents[1] / "manifests" / "appraisal.simulated.toml").read_text(encoding="utf-8")
GROUPS = ("sex: male", "sex: female")
GRID = ("90 days", "180 days", "365 days", "540 days", "730 days")
TERMS = ("age (per a)", "sex: female against male", "ph.ecog (per 1)")


def _terms(*rows: tuple[str, str, str]) -> tuple[Term, ...]:
    return tuple(
        Term(label=label, coefficient=coefficient, standard_error=error, p=p)
        for label, (coefficient, error, p) in enumerate(rows)
    )


def _group(label: int, *points: tuple[str, int]) -> SurvivalGroup:
    return SurvivalGroup(
        label=label,
        points=tuple(
            SurvivalPoint(label=len(GROUPS) + place, survival=survival, at_risk=at_risk)
            for place, (survival, at_risk) in enumerate(points)
        ),
    )


# R's answers for the NCCTG lung trial, rounded as the gate rounds; the last two numbers at risk among women are too few.
LUNG: dict[str, tuple[str, tuple[str, ...], Any]] = {
    "cox": (
        "regression",
        TERMS,
        Regression(
            subjects=225,
            events=165,
            terms=_terms(
                ("0.01107", "0.009267", "0.23"), ("-0.5526", "0.1677", "<0.001"), ("0.4637", "0.1136", "<0.001")
            ),
        ),
    ),
    "cox-stratified": (
        "regression",
        TERMS,
        Regression(
            subjects=225,
            events=165,
            terms=_terms(
                ("0.01095", "0.009464", "0.25"), ("-0.5394", "0.1696", "0.0015"), ("0.5466", "0.1216", "<0.001")
            ),
        ),
    ),
    "kaplan-meier": (
        "survival",
        GROUPS + GRID,
        SurvivalCurve(
            groups=(
                _group(0, ("0.85", 117), ("0.64", 87), ("0.34", 33), ("0.19", 15)),
                _group(1, ("0.93", 81), ("0.84", 69), ("0.53", 27), ("0.37", 15)),
            )
        ),
    ),
    "log-rank": ("test", ("log-rank: sex",), TestStatistic(label=0, statistic="10.33", df=1, p="0.0013")),
    "log-rank-stratified": (
        "test",
        ("log-rank: sex, stratified by partner",),
        TestStatistic(label=0, statistic="9.76", df=1, p="0.0018"),
    ),
    "subjects": (
        "counts",
        tuple(f"{group}, {word}" for group in GROUPS for word in ("with the event", "censored")),
        CountTable(
            cells=tuple(CountCell(label=label, count=count) for label, count in enumerate((110, 25, None, None))),
            total=135,
        ),
    ),
}


@functools.cache
def platform_keys() -> PlatformKeys:
    """One simulated platform for the whole test run: keys of other worlds are made by ``create_keys``."""
    return create_keys(factories.NOW - 365 * factories.DAY)


@dataclass(frozen=True)
class MadeBundle:
    """A bundle, its pins and every private key behind it."""

    study: factories.StudyParts
    platform: Platform
    signing: Ed25519PrivateKey
    parts: ResultBundle
    trust: Trust
    released: tuple[ReleasedOutput, ...]
    attestation: AttestationResult
    now: datetime

    @property
    def data(self) -> bytes:
        """The canonical bytes."""
        return self.parts.to_bytes()

    @property
    def receipt(self) -> Receipt:
        """The receipt as it stands."""
        return Receipt.model_validate_json(decode_base64(self.parts.receipt.payload))

    def again(
        self, *, predicate: Mapping[str, Any] | None = None, key: Ed25519PrivateKey | None = None, **members: Any
    ) -> "MadeBundle":
        """Replace members of the bundle and sign the receipt anew: what only the enclave itself could do."""
        parts = factories.changed(self.parts, members)
        changes = {
            "members": bundle_members(parts.study, parts.evidence, parts.releases, parts.commits),
            **(predicate or {}),
        }
        receipt = Receipt(
            subject=output_subjects(parts.outputs), predicate=factories.changed(self.receipt.predicate, changes)
        )
        envelope = sign(receipt, key or self.signing).envelope
        return replace(self, parts=factories.changed(parts, {"receipt": envelope}))


def make_study(outputs: Mapping[str, tuple[str, tuple[str, ...], Any]] = LUNG, **given: Any) -> factories.StudyParts:
    """Make a study whose contract names these outputs, each for the analyst of every party."""
    study = factories.make_study(recipe={"outputs": tuple(outputs)} | given.pop("recipe", {}), **given)
    agreed = tuple(
        ContractOutput(
            output=name,
            type=kind,
            labels=labels,
            recipients=tuple(factories.recipient_of(party) for party in study.parties),
        )
        for name, (kind, labels, _) in outputs.items()
    )
    return with_contract(study, outputs=agreed)


def with_contract(study: factories.StudyParts, **changes: Any) -> factories.StudyParts:
    """Change the contract, sign it anew and have the same approvers approve it."""
    contract = factories.resign(study.contract.document, study.parties[0].people["analyst"].contract, **changes)
    parties = {party.key: party for party in study.parties}
    votes = tuple(
        factories.resign(
            vote.document,
            parties[vote.document.institution].people[vote.document.member].approval,
            contract=contract.name,
        )
        for vote in study.approvals
    )
    return replace(study, contract=contract, approvals=votes)


def make_bundle(
    study: factories.StudyParts | None = None,
    *,
    small: bool = False,
    outputs: Mapping[str, tuple[str, tuple[str, ...], Any]] = LUNG,
    keys: PlatformKeys | None = None,
    conditions: Conditions | None = None,
    custodians: Mapping[str, Ed25519PrivateKey] | None = None,
    claims: Mapping[str, Any] | None = None,
    release: Mapping[str, Any] | None = None,
    commit: Mapping[str, Any] | None = None,
    at: datetime = factories.NOW,
) -> MadeBundle:
    """Run a study as custodian and enclave would, without data: ``outputs`` says what comes out."""
    if small:
        outputs = {"log-rank": LUNG["log-rank"]}
    study = study or make_study(outputs, owners=1 if small else 3, at=at)
    platform = Platform(keys or platform_keys(), conditions)
    signers = dict(custodians or {})
    if study.custodian is not None:
        signers[public_key(study.custodian.signing)] = study.custodian.signing
    named = tuple(dict.fromkeys(dataset.manifest.document.custodian.signing for dataset in study.datasets))
    signing, encryption = Ed25519PrivateKey.generate(), hpke.RecipientKey.generate()
    contract = study.contract
    stated = RuntimeClaims(
        profile=contract.document.profile,
        run=secrets.token_hex(16),
        contract=contract.name,
        nonces=tuple(CustodianNonce(custodian=key, nonce=secrets.token_hex(32)) for key in named),
        encryption=encode_base64(encryption.public_bytes()),
        signing=public_key(signing),
    )
    stated = factories.changed(stated, claims or {})
    quote = platform.quote(contract.document.measurement, stated.report_data)
    evidence = Evidence(
        claims=stated, quote=encode_base64(quote), collateral=platform.collateral(at - timedelta(hours=1))
    )
    attestation = _verdict(evidence, platform, contract.document.measurement, at)
    releases = tuple(
        sign(
            factories.changed(
                KeyRelease(
                    custodian=binding_custodian,
                    dataset=binding.dataset,
                    slot=binding.slot,
                    contract=contract.name,
                    run=stated.run,
                    claims=stated.digest,
                    attestation=attestation,
                    time=format_time(at),
                ),
                release or {},
            ),
            signers[binding_custodian],
        ).envelope
        for binding, binding_custodian in zip(
            contract.document.datasets,
            (dataset.manifest.document.custodian.signing for dataset in study.datasets),
            strict=True,
        )
    )
    digest = secrets.token_hex(32)
    commits = tuple(
        sign(
            factories.changed(
                ReleaseCommit(
                    custodian=key,
                    contract=contract.name,
                    run=stated.run,
                    claims=stated.digest,
                    outputs=digest,
                    runs_charged=1,
                    revocations_held=0,
                    time=format_time(at + timedelta(seconds=20)),
                ),
                commit or {},
            ),
            signers[key],
        ).envelope
        for key in named
    )
    released = tuple(ReleasedOutput(output=name, value=value) for name, (_, _, value) in outputs.items())
    sealed = seal_outputs(study, stated.run, released)
    predicate = ReceiptPredicate(
        run=stated.run,
        contract=contract.name,
        recipe=study.recipe.name,
        profile=stated.profile,
        measurement=contract.document.measurement,
        claims=stated.digest,
        simulated=True,
        datasets=tuple(dataset.manifest.name for dataset in study.datasets),
        members=bundle_members(study.pack, evidence, releases, commits),
    )
    receipt = sign(Receipt(subject=output_subjects(sealed), predicate=predicate), signing)
    parts = ResultBundle(
        study=study.pack,
        evidence=evidence,
        releases=releases,
        commits=commits,
        receipt=receipt.envelope,
        outputs=sealed,
    )
    trust, now = make_trust(study, platform), at + timedelta(minutes=5)
    return MadeBundle(study, platform, signing, parts, trust, released, attestation, now)


def seal_outputs(
    study: factories.StudyParts,
    run: str,
    released: tuple[ReleasedOutput, ...],
    plain: Mapping[str, bytes] | None = None,
) -> tuple[SealedOutput, ...]:
    """Seal every output to each of its recipients; ``plain`` puts other padded bytes in place of some outputs."""
    keys = {recipient_key(party): party.people["analyst"].recipient for party in study.parties}
    return tuple(
        SealedOutput(
            output=output.output,
            recipient=recipient.key,
            sealed=encode_base64(
                hpke.seal(
                    (plain or {}).get(output.output) or padded(output, agreed),
                    keys[recipient.key].public_bytes(),
                    info=hpke.output_info(study.contract.name, run, output.output, recipient.key),
                )
            ),
        )
        for output, agreed in zip(released, study.contract.document.outputs, strict=True)
        for recipient in agreed.recipients
    )


def padded(output: ReleasedOutput, agreed: ContractOutput) -> bytes:
    """Pad an output as the enclave does."""
    return pad(canonical_bytes(output.model_dump(mode="json")), size_class(agreed.type, len(agreed.labels)))


def recipient_key(party: factories.Party) -> str:
    """Return the digest that names a party's analyst as recipient."""
    return hashlib.sha256(party.people["analyst"].recipient.public_bytes()).hexdigest()


def make_trust(study: factories.StudyParts, platform: Platform) -> Trust:
    """Pin everything that a study and its platform rest on."""
    custodians = {
        dataset.manifest.document.custodian.signing: dataset.manifest.document.custodian for dataset in study.datasets
    }
    return Trust(
        institutions=tuple(
            InstitutionPin(short=party.institution.document.short, root=party.key) for party in study.parties
        ),
        hardware_roots=(HardwareRootPin.from_der(platform.root.certificate_der, simulated=True),),
        measurements=(
            MeasurementPin(profile=study.contract.document.profile, measurement=study.contract.document.measurement),
        ),
        custodians=tuple(custodian_pin(keys.signing, decode_base64(keys.encryption)) for keys in custodians.values()),
        appraisal_policy=POLICY,
    )


def envelope_of(document: Any, key: Ed25519PrivateKey) -> Envelope:
    """Sign whatever with whatever key."""
    return sign(document, key).envelope


def refused(outputs: Mapping[str, tuple[str, tuple[str, ...], Any]], *names: str) -> dict[str, Any]:
    """Return outputs of which some were refused by the gate."""
    return {
        name: (kind, labels, Refusal(refusal="POLICY") if name in names else value)
        for name, (kind, labels, value) in outputs.items()
    }


def _verdict(evidence: Evidence, platform: Platform, measurement: str, at: datetime) -> AttestationResult:
    claims = evidence.claims
    expected = Expected(
        measurement=measurement, profile=claims.profile, contract=claims.contract, run=claims.run, nonces=claims.nonces
    )
    try:
        return appraise(evidence, policy=load_policy(POLICY), roots=(platform.root,), expected=expected, at=at)
    except Exception as error:
        result = getattr(error, "result", None)
        if result is None:
            raise
        return result
