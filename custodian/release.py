"""Releasing data keys to an attested enclave.

In order, and all in one transaction from the second step on:

1. The study's documents: signatures, roles, terms, approvals of every owner (``protocol.governance``).
2. At this moment nothing is expired, no institution is older than one seen before, no revocation is held.
3. This custodian holds the capsule of each dataset that names it.
4. The evidence carries a nonce given for this run and contract, neither used nor expired.
5. The evidence satisfies the appraisal policy, narrowed by every owner's terms, for the contract's measurement: with
   the endorsements and the withdrawal lists that are held at this moment, and the newest revocation
   lists seen beside the evidence's own.
6. A simulated platform is allowed by the contract (and so by every dataset policy: step 1).
7. The lease is not older than the run's latest; a new run is charged if one is left.

The nonce's use, the charge and the signed key releases are on disk before a key leaves. Whoever dies in between has
lost no run: the same run is released again, to whatever enclave attests for it next, without another charge.

A run that was committed is released again too. An enclave or host may die between the commit and the result; the next
enclave has to finish the same run, and ``commit`` takes nothing from it but the same outputs.

Data keys are in this process's memory while they are sealed anew. They are let go at once, which is all that Python
offers: freed memory is not overwritten.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from attestation.reference import ReferenceValues
from attestation.verifier import AppraisalRefused, Expected, appraise
from custodian import nonces
from custodian.attested import keep_lists, reference_values, remember
from custodian.context import Context
from custodian.deposit import open_capsule
from custodian.institutions import require_newest
from custodian.revoke import require_none
from custodian.tables import capsules, releases, runs
from protocol.documents.attested import AttestationResult, CustodianNonce, Evidence, KeyRelease, RuntimeClaims
from protocol.documents.dataset import DatasetManifest
from protocol.documents.exchange import ReleaseReply, ReleaseRequest, SealedRelease
from protocol.dsse import Verified, sign
from protocol.errors import AccessDenied
from protocol.governance import Study, require_current, require_quorum, verify_proposal
from protocol.hpke import release_info, seal
from protocol.types import Digest, Name, Timestamp, decode_base64, encode_base64, format_time

__all__ = ["count_runs", "release"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A dataset of the contract whose capsule this custodian holds."""

    slot: Name
    manifest: Verified[DatasetManifest]
    capsule: bytes


def release(context: Context, run: str, fence: int, request: ReleaseRequest) -> ReleaseReply:
    """Decide on a release and return the data keys, sealed to the enclave, in the order of the contract's datasets.

    Raises
    ------
    DocumentError, AccessDenied, AttestationError
        By the step that failed. No key was released, nothing was charged, the nonce was not used.
    StorageError
        ``DATABASE``: as above.
    """
    study = verify_proposal(request.study)
    require_quorum(study)
    try:
        reply = _release(context, study, run, fence, request.evidence)
    except AppraisalRefused as refused:
        if refused.code == "REVOKED":
            _keep_lists(context, study, request.evidence)
        raise
    _log.info(
        "keys released: contract %s run %s fence %d datasets %d", study.contract.name, run, fence, len(reply.releases)
    )
    return reply


def _keep_lists(context: Context, study: Study, evidence: Evidence) -> None:
    """Keep the lists that revoke a platform: its host may come back with older ones.

    A refusal carries the code of the first claim that fails, so all before it hold: these lists are verified.
    """
    with context.store.transaction() as connection:
        kept = reference_values(context, connection, study.contract.document.measurement).crls
        keep_lists(connection, evidence, kept)


def _release(context: Context, study: Study, run: str, fence: int, evidence: Evidence) -> ReleaseReply:
    with context.store.transaction() as connection:
        at = context.clock()
        require_current(study, at)
        require_newest(connection, study.institutions)
        require_none(connection, study.contract.name)
        held = _held(context, connection, study)
        nonce = nonces.require_outstanding(connection, context.key, evidence.claims, at)
        reference = reference_values(context, connection, study.contract.document.measurement)
        result = _appraise(context, study, run, nonce, evidence, reference, at)
        _charge(connection, study, fence, evidence.claims, at)
        remember(connection, run, evidence, result, reference.crls)
        nonces.use(connection, nonce, at)
        return ReleaseReply(
            releases=tuple(_seal(context, connection, item, fence, evidence.claims, result, at) for item in held)
        )


def count_runs(connection: Connection, contract: Digest) -> int:
    """Return how many runs of a contract are charged."""
    return connection.execute(select(func.count()).select_from(runs).where(runs.c.contract == contract)).scalar_one()


def _held(context: Context, connection: Connection, study: Study) -> list[Held]:
    held = []
    for binding, manifest in zip(study.contract.document.datasets, study.manifests, strict=True):
        if manifest.document.custodian != context.secrets.public:
            continue
        capsule = connection.execute(select(capsules.c.capsule).where(capsules.c.manifest == manifest.name)).scalar()
        if capsule is None:
            raise AccessDenied(
                "CAPSULE_UNKNOWN", f"{manifest.document.short}: no capsule is here. Its owner has to deposit it."
            )
        held.append(Held(binding.slot, manifest, capsule))
    if not held:
        raise AccessDenied("OTHER_CUSTODIAN", "None of the contract's datasets names this custodian.")
    return held


def _appraise(
    context: Context,
    study: Study,
    run: str,
    nonce: Digest,
    evidence: Evidence,
    reference: ReferenceValues,
    at: datetime,
) -> AttestationResult:
    contract = study.contract.document
    policy = context.settings.appraisal
    for manifest in study.manifests:
        policy = policy.narrowed(manifest.document.policy.tcb_statuses)
    expected = Expected(
        measurement=contract.measurement,
        profile=contract.profile,
        contract=study.contract.name,
        run=run,
        nonces=(CustodianNonce(custodian=context.key, nonce=nonce),),
    )
    roots = context.settings.roots
    result = appraise(evidence, policy=policy, roots=roots, expected=expected, at=at, reference=reference)
    if result.simulated and not contract.simulation:
        raise AccessDenied("SIMULATED", "The platform is simulated and the contract does not allow that.")
    return result


def _charge(connection: Connection, study: Study, fence: int, claims: RuntimeClaims, at: datetime) -> None:
    contract, run = study.contract, claims.run
    latest = {"fence": fence, "claims": claims.digest, "signing": claims.signing, "expires": _first_expiry(study)}
    row = connection.execute(select(runs).where(runs.c.run == run)).one_or_none()
    if row is None:
        charged = count_runs(connection, contract.name)
        if charged >= contract.document.max_runs:
            raise AccessDenied(
                "RUNS_SPENT", f"{charged} of {contract.document.max_runs} runs are charged. Propose a new contract."
            )
        connection.execute(
            insert(runs).values(
                run=run,
                contract=contract.name,
                max_runs=contract.document.max_runs,
                charged=format_time(at),
                **latest,
            )
        )
        return
    if row.contract != contract.name:
        raise AccessDenied("OTHER_CONTRACT", "This run is charged to another contract.")
    if fence < row.fence:
        raise AccessDenied("FENCED_OUT", f"The lease with fence {fence} ended; fence {row.fence} is the run's latest.")
    connection.execute(update(runs).where(runs.c.run == run).values(**latest))


def _first_expiry(study: Study) -> Timestamp:
    """Return the time at which the first of the study's documents expires; RFC 3339 in UTC sorts as text."""
    return min(
        study.contract.document.expires,
        *(institution.document.expires for institution in study.institutions.values()),
        *(manifest.document.policy.expires for manifest in study.manifests),
    )


def _seal(
    context: Context,
    connection: Connection,
    held: Held,
    fence: int,
    claims: RuntimeClaims,
    result: AttestationResult,
    at: datetime,
) -> SealedRelease:
    signed = sign(
        KeyRelease(
            custodian=context.key,
            dataset=held.manifest.name,
            slot=held.slot,
            contract=claims.contract,
            run=claims.run,
            claims=claims.digest,
            attestation=result,
            time=format_time(at),
        ),
        context.secrets.signing,
    )
    connection.execute(
        insert(releases).values(
            name=signed.name,
            run=claims.run,
            dataset=held.manifest.name,
            fence=fence,
            envelope=signed.envelope.to_bytes(),
        )
    )
    sealed = seal(
        open_capsule(context, held.manifest, held.capsule),
        decode_base64(claims.encryption),
        info=release_info(signed.name),
    )
    return SealedRelease(release=signed.envelope, capsule=encode_base64(sealed))
