"""One session: from a claimed run to a delivered bundle.

::

    launched -> study verified -> attested -> keys opened -> all data decrypted -> read, computed and gated
             -> committed -> sealed and receipted -> delivered

Nothing moves a session but the step before it. Until data is decrypted, the reason for stopping may be told to the
host, which can see it anyway. Afterwards the host learns one thing, delivered or not: analysis errors and refusals
travel sealed, as outputs. Every part is fetched before any table is read, and the commit is asked for after a time that
is a multiple of ``QUANTUM``, so that neither the requests nor their times say whether a table is as its schema says.
"""

import time
from dataclasses import dataclass

from attestation.attesters import Attester
from enclave.analyses.base import Plan
from enclave.compute import compute, load_libraries, plan_study, refuse_all
from enclave.custody import Custody, EnclaveKeys, attest, custodians_of, receive_keys, verify_commit
from enclave.profile import BYTE_LIMIT, PROFILE, ROW_LIMIT
from enclave.receipt import make_bundle, outputs_digest, require_recipients, secret_seed
from enclave.relay import Relay
from protocol.container import PartOpener
from protocol.documents.attested import CommitRequest, ReleaseCommit
from protocol.documents.dataset import DatasetManifest, SealedFile
from protocol.documents.exchange import Assignment
from protocol.documents.outputs import ReleasedOutput
from protocol.documents.receipt import StudyPack
from protocol.dsse import Unverified, Verified, sign
from protocol.errors import AccessDenied, DocumentError, SealroomError
from protocol.governance import Study, require_quorum, verify_proposal
from protocol.layout import Table, TableReader
from protocol.types import Digest

__all__ = ["QUANTUM", "run_session"]

QUANTUM = 1.0
"""Seconds. From the last opened key to the first commit request a session lasts a whole number of these."""
BEFORE_DECRYPTION = frozenset({"PART_SIZE", "PART_DIGEST"})
"""What the container finds wrong by the signed digests alone, without any key."""


class HostFaultError(Exception):
    """The host or a custodian refused or gave other bytes than the signed ones: it can see so itself."""

    def __init__(self, error: SealroomError) -> None:
        super().__init__(error.code)
        self.error = error


@dataclass(frozen=True, slots=True)
class Opened:
    """A session whose keys are open."""

    pack: StudyPack
    study: Study
    plan: Plan
    custody: Custody
    keys: EnclaveKeys


def run_session(relay: Relay, attester: Attester) -> bool:
    """Run one session; True if a bundle was delivered or the host was told why there is none."""
    try:
        opened = _open(relay, attester)
    except SealroomError as error:
        relay.fail(error)
        return True
    started = time.monotonic()
    try:
        outputs = _compute(relay, opened)
        _pad_time(started)  # what follows takes the same for all outputs: their sizes are fixed by the contract
        relay.deliver(_commit(relay, opened, outputs))
    except HostFaultError as fault:
        relay.fail(fault.error)
    except Exception:  # noqa: BLE001 - whatever happened may have been shaped by data: the host learns nothing of it
        _pad_time(started)
        return False
    return True


def _open(relay: Relay, attester: Attester) -> Opened:
    assignment = relay.assignment()
    pack = relay.study()
    study = verify_proposal(pack)
    require_quorum(study)
    _require_assignment(assignment, study)
    _require_sizes(study)
    require_recipients(study)
    plan = plan_study(study)
    load_libraries()
    keys = EnclaveKeys()
    evidence = attest(relay, attester, assignment, study, keys)
    return Opened(pack, study, plan, receive_keys(relay, pack, study, evidence, keys), keys)


def _require_assignment(assignment: Assignment, study: Study) -> None:
    if assignment.contract != study.contract.name:
        raise DocumentError("OTHER_CONTRACT", "The host gave the documents of another contract than it assigned.")
    if study.contract.document.profile != PROFILE:
        raise AccessDenied(
            "PROFILE", f"The contract asks for profile {study.contract.document.profile}, not {PROFILE}."
        )


def _require_sizes(study: Study) -> None:
    rows = sum(manifest.document.rows for manifest in study.manifests)
    size = sum(file.plain_size for manifest in study.manifests for file in manifest.document.files)
    if rows > ROW_LIMIT or size > BYTE_LIMIT:
        raise AccessDenied(
            "ROW_LIMIT",
            f"The datasets have {rows} rows and {size} bytes together; profile {PROFILE} reads {ROW_LIMIT} rows and "
            f"{BYTE_LIMIT} bytes. Seal fewer columns or fewer subjects.",
        )


def _compute(relay: Relay, opened: Opened) -> tuple[ReleasedOutput, ...]:
    plains = [_fetch(relay, manifest, opened.custody) for manifest in opened.study.manifests]
    try:
        tables = [
            _read_table(manifest.document, plain)
            for manifest, plain in zip(opened.study.manifests, plains, strict=True)
        ]
    except DocumentError:
        # A table that breaks its own signed schema: the recipients learn the class, sealed; the host nothing.
        return refuse_all(opened.study, "SCHEMA")
    return compute(opened.study, opened.plan, tables)


def _fetch(relay: Relay, manifest: Verified[DatasetManifest], custody: Custody) -> bytearray | None:
    """Fetch and decrypt every part of a dataset; None where its owner sealed something that does not decrypt."""
    (file,) = manifest.document.files
    opener = PartOpener(custody.data_keys[manifest.name], file)
    plain, start, whole = bytearray(file.plain_size), 0, True
    for index in range(len(file.parts)):
        end = start + opener.plain_size(index)
        whole &= _open_part(relay, manifest.name, opener, file, index, memoryview(plain)[start:end])
        start = end
    return plain if whole else None


def _open_part(
    relay: Relay, dataset: Digest, opener: PartOpener, file: SealedFile, index: int, out: memoryview
) -> bool:
    try:
        sealed = relay.part(dataset, file.name, index, file.part_size(index))
    except SealroomError as error:
        raise HostFaultError(error) from None
    try:
        opener.open_part_into(index, sealed, out)
    except DocumentError as error:
        if error.code in BEFORE_DECRYPTION:
            raise HostFaultError(error) from None
        return False
    return True


def _read_table(manifest: DatasetManifest, plain: bytearray | None) -> Table:
    if plain is None:
        raise DocumentError("SEGMENT", "The owner sealed segments that do not decrypt.")
    table = TableReader.read(plain, manifest.table, row_limit=manifest.rows)
    if table.rows != manifest.rows:
        raise DocumentError("ROWS", "The table holds fewer rows than its manifest says.")
    return table


def _commit(relay: Relay, opened: Opened, outputs: tuple[ReleasedOutput, ...]) -> bytes:
    study, claims = opened.study, opened.custody.evidence.claims
    digest = outputs_digest(outputs, secret_seed(opened.custody.data_keys, study), claims.run)
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
