"""One session: from a claimed run to a delivered bundle.

::

    launched -> study verified -> attested -> keys opened -> all data decrypted -> read, computed and gated
             -> committed -> sealed and receipted -> delivered

Nothing moves a session but the step before it. Until data is decrypted, the reason for stopping may be told to the
host, which can see it anyway. Afterwards the host learns one thing, delivered or not: analysis errors and refusals
travel sealed, as outputs. Every part of every table is fetched before any is read, genotypes after them in an order
that follows from their sizes, so that the requests do not say whether a table is as its schema says. The commit is
asked for after a time that is a multiple of ``QUANTUM``. Between requests for genotypes the analysis works: their times
follow its speed (THREAT_MODEL.md, T-BRK-8).
"""

import time
from dataclasses import dataclass

from attestation.attesters import Attester
from enclave.analyses.base import Plan
from enclave.compute import compute, plan_study, refuse_all
from enclave.custody import Custody, EnclaveKeys, attest, custodians_of, receive_keys, verify_commit
from enclave.genotypes import GenotypeStream
from enclave.parts import HostFaultError, PartSource, fetch_whole
from enclave.profiles import Profile
from enclave.receipt import make_bundle, outputs_digest, require_recipients, secret_seed
from enclave.relay import Relay
from protocol.documents.attested import CommitRequest, ReleaseCommit
from protocol.documents.dataset import GENOTYPES, TABLE, DatasetManifest
from protocol.documents.exchange import Assignment
from protocol.documents.outputs import ReleasedOutput
from protocol.documents.receipt import StudyPack
from protocol.dsse import Unverified, sign
from protocol.errors import AccessDenied, DocumentError, SealroomError
from protocol.governance import Study, require_quorum, verify_proposal
from protocol.layout import Table, TableReader

__all__ = ["QUANTUM", "run_session"]

QUANTUM = 1.0
"""Seconds. From the last opened key to the first commit request a session lasts a whole number of these."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session whose keys are open."""

    pack: StudyPack
    profile: Profile
    study: Study
    plan: Plan
    custody: Custody
    keys: EnclaveKeys

    @property
    def seed(self) -> bytes:
        """The run's secret function of data, recipe and parameters."""
        return secret_seed(self.custody.data_keys, self.study)


def run_session(relay: Relay, attester: Attester, profile: Profile) -> bool:
    """Run one session; True if a bundle was delivered or the host was told why there is none."""
    try:
        opened = _open(relay, attester, profile)
    except SealroomError as error:
        relay.fail(error)
        return True
    started = time.monotonic()
    try:
        outputs = _compute(relay, opened)
        _pad_time(started)  # what follows takes the same for all outputs: their sizes are fixed by the contract
        relay.deliver(_commit(relay, opened, outputs))
    except HostFaultError as fault:
        _pad_time(started)  # genotypes are fetched while an analysis runs: how long it took up to here is secret too
        relay.fail(fault.error)
    except Exception:  # noqa: BLE001 - whatever happened may have been shaped by data: the host learns nothing of it
        _pad_time(started)
        return False
    return True


def _open(relay: Relay, attester: Attester, profile: Profile) -> Opened:
    assignment = relay.assignment()
    pack = relay.study()
    study = verify_proposal(pack)
    require_quorum(study)
    _require_assignment(assignment, study, profile)
    profile.require_readable((item.document.rows, item.document.files[0].plain_size) for item in study.manifests)
    require_recipients(study)
    plan = plan_study(study, profile)
    profile.load_libraries()
    keys = EnclaveKeys()
    evidence = attest(relay, attester, assignment, study, keys)
    return Opened(pack, profile, study, plan, receive_keys(relay, pack, study, evidence, keys), keys)


def _require_assignment(assignment: Assignment, study: Study, profile: Profile) -> None:
    if assignment.contract != study.contract.name:
        raise DocumentError("OTHER_CONTRACT", "The host gave the documents of another contract than it assigned.")
    if study.contract.document.profile != profile.name:
        raise AccessDenied(
            "PROFILE", f"The contract asks for profile {study.contract.document.profile}, not {profile.name}."
        )


def _compute(relay: Relay, opened: Opened) -> tuple[ReleasedOutput, ...]:
    manifests, keys = opened.study.manifests, opened.custody.data_keys
    plains = [fetch_whole(PartSource.of(relay, manifest, TABLE, keys[manifest.name])) for manifest in manifests]
    stream = _stream(relay, opened)
    try:
        tables = [_read_table(manifest.document, plain) for manifest, plain in zip(manifests, plains, strict=True)]
    except DocumentError:
        # A table that breaks its own signed schema: the recipients learn the class, sealed; the host nothing.
        stream.finish()
        return refuse_all(opened.study, "SCHEMA")
    outputs = compute(opened.study, opened.plan, opened.profile, tables, stream.blocks(), opened.seed)
    return outputs if stream.finish() else refuse_all(opened.study, "SCHEMA")


def _stream(relay: Relay, opened: Opened) -> GenotypeStream:
    """Return the genotypes of all cohorts: each has them, on one catalogue, or none has (``plan_study``)."""
    with_them = [manifest for manifest in opened.study.manifests if manifest.document.genotypes]
    sources = [PartSource.of(relay, item, GENOTYPES, opened.custody.data_keys[item.name]) for item in with_them]
    variants = {item.document.genotypes.variants for item in with_them if item.document.genotypes}
    return GenotypeStream(sources, [item.document.rows for item in with_them], max(variants, default=0))


def _read_table(manifest: DatasetManifest, plain: bytearray | None) -> Table:
    if plain is None:
        raise DocumentError("SEGMENT", "The owner sealed segments that do not decrypt.")
    table = TableReader.read(plain, manifest.table, row_limit=manifest.rows)
    if table.rows != manifest.rows:
        raise DocumentError("ROWS", "The table holds fewer rows than its manifest says.")
    return table


def _commit(relay: Relay, opened: Opened, outputs: tuple[ReleasedOutput, ...]) -> bytes:
    study, claims = opened.study, opened.custody.evidence.claims
    digest = outputs_digest(outputs, opened.seed, claims.run)
    request = sign(
        CommitRequest(contract=study.contract.name, run=claims.run, claims=claims.digest, outputs=digest),
        opened.keys.signing,
    )
    commits = []
    for custodian in custodians_of(study):
        try:
            answer = Unverified.parse(relay.commit(custodian, request.envelope), ReleaseCommit)
            commits.append(verify_commit(answer, custodian, study, opened.custody.evidence, digest))
        except SealroomError as error:
            raise HostFaultError(error) from None
    bundle = make_bundle(opened.pack, study, opened.custody, tuple(commits), outputs, opened.keys.signing)
    return bundle.to_bytes()


def _pad_time(started: float) -> None:
    """Sleep until the session's secret part has lasted a whole number of quanta."""
    time.sleep(QUANTUM - (time.monotonic() - started) % QUANTUM)
