"""Whatever the order of leases, enclaves, commits, revocations and restarts: the custodian agrees with a small model."""

import tempfile
from pathlib import Path

import custody
import factories
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocol.documents import ReleaseCommit
from protocol.dsse import Unverified
from protocol.errors import SealroomError

MAX_RUNS = 2
RUNS = st.sampled_from([f"{number:032x}" for number in range(MAX_RUNS + 1)])
FENCES = st.integers(1, 3)
DIGESTS = st.sampled_from(["0f" * 32, "f0" * 32])


class Decisions(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.latest = {}  # run -> (fence, enclave, evidence) of its latest release
        self.entered = []  # every enclave that ever got keys
        self.outputs = {}  # run -> committed digest
        self.revoked = False

    @initialize()
    def begin(self):
        self.scene = custody.Scene(
            Path(self.folder.name),
            owners=1,
            contract={"max_runs": MAX_RUNS},
            policy={"max_runs": MAX_RUNS},
            settings={"nonces_per_run": 1000},
        )

    def teardown(self):
        self.scene.custodian.close()
        self.folder.cleanup()

    def attempt(self, wanted, call):
        try:
            answer = call()
        except SealroomError as error:
            assert error.code == wanted, error
            return None
        assert wanted is None, f"allowed where {wanted} was due"
        return answer

    @rule(run=RUNS, fence=FENCES)
    def release(self, run, fence):
        wanted = None
        if self.revoked:
            wanted = "REVOKED"
        elif run not in self.latest and len(self.latest) == MAX_RUNS:
            wanted = "RUNS_SPENT"
        elif run in self.latest and fence < self.latest[run][0]:
            wanted = "FENCED_OUT"
        enclave = custody.Enclave()
        evidence = self.scene.attest(run, enclave=enclave)
        reply = self.attempt(wanted, lambda: self.scene.release(run, fence, evidence))
        if reply:
            assert self.scene.open(reply, enclave) == [self.scene.study.datasets[0].data_key]
            self.latest[run] = (fence, enclave, evidence)
            self.entered.append((run, enclave, evidence))

    @precondition(lambda self: self.entered)
    @rule(data=st.data(), digest=DIGESTS)
    def commit(self, data, digest):
        run, enclave, evidence = data.draw(st.sampled_from(self.entered[-3:]), "enclave")
        fence, newest, _ = self.latest[run]
        fence = data.draw(st.sampled_from([fence, fence, fence + 1]), "fence")
        wanted = None
        if fence != self.latest[run][0] or enclave is not newest:
            wanted = "FENCED_OUT"
        elif self.revoked:
            wanted = "REVOKED"
        elif self.outputs.get(run, digest) != digest:
            wanted = "COMMIT_DIFFERS"
        request = self.scene.commit_request(enclave, evidence, digest)
        answer = self.attempt(wanted, lambda: self.scene.custodian.commit(run, fence, request))
        if answer:
            document = Unverified.parse(answer, ReleaseCommit).verify(self.scene.key).document
            assert (document.run, document.outputs, document.claims) == (run, digest, evidence.claims.digest)
            assert 1 <= document.runs_charged <= MAX_RUNS
            self.outputs[run] = digest

    @precondition(lambda self: len(self.entered) > 2)
    @rule()
    def revoke(self):
        revocation = factories.revoke(self.scene.study.contract, self.scene.study.parties[0])
        self.scene.custodian.revoke(self.scene.study.pack, revocation.envelope)
        self.revoked = True

    @rule()
    def restart(self):
        self.scene.restart()

    @invariant()
    def what_is_recorded_is_what_was_decided(self):
        if hasattr(self, "scene"):
            rows = self.scene.query("SELECT run, fence, claims, outputs FROM runs")
            assert sorted(rows) == sorted(
                (run, fence, evidence.claims.digest, self.outputs.get(run))
                for run, (fence, _, evidence) in self.latest.items()
            )


TestDecisions = Decisions.TestCase
TestDecisions.settings = settings(max_examples=6, stateful_step_count=15, deadline=None)
