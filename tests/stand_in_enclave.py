"""A program that speaks an enclave's part and computes nothing: for tests of broker and host.

It attests, has keys released, reads and opens every sealed part, has made-up outputs (all refused) countersigned and
delivers a bundle, with the enclave's own modules. ``play`` does this over any relay; as a program it reads a launch line:
``python -I stand_in_enclave.py MODE``. Where that names no platform, ``attestation`` in the folder that it runs in
stands for ``/dev/attestation``.

==============  =====================================================================
``whole``       does everything
``refuse``      says before any key why it stops
``talk``        says after the key release why it stops, in words that hold a secret
``die-once``    dies after the key release under the first fence, and later does everything
``die``         dies at once
``print``       prints a secret on both streams, then does everything
``hang``        sleeps until it is killed
``wait``        makes ``keys-open`` in the host's folder and waits for ``go-on`` there before it reads parts
==============  =====================================================================
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from attestation.attesters import Attester
from attestation.attesters.gramine import GramineAttester
from attestation.attesters.simulated import SimulatedAttester
from enclave.custody import EnclaveKeys, attest, custodians_of, receive_keys, verify_commit
from enclave.receipt import make_bundle, outputs_digest, secret_seed
from enclave.relay import Relay, read_launch
from protocol.container import PartOpener
from protocol.documents.attested import CommitRequest, ReleaseCommit
from protocol.documents.outputs import Refusal, ReleasedOutput
from protocol.dsse import Unverified, sign
from protocol.errors import AccessDenied, SealroomError
from protocol.governance import require_quorum, verify_proposal

SECRET = "subject LUNG-0042 aged 74"


def play(relay: Relay, attester: Attester, after_keys: Callable[[int], None] = lambda _fence: None) -> bytes:
    """Do everything up to the bundle, and return it."""
    assignment, pack = relay.assignment(), relay.study()
    study = verify_proposal(pack)
    require_quorum(study)
    keys = EnclaveKeys()
    evidence = attest(relay, attester, assignment, study, keys)
    custody = receive_keys(relay, pack, study, evidence, keys)
    after_keys(assignment.fence)
    for manifest in study.manifests:
        (file,) = manifest.document.files
        opener = PartOpener(custody.data_keys[manifest.name], file)
        for index in range(len(file.parts)):
            assert opener.open_part(index, relay.part(manifest.name, file.name, index, file.part_size(index)))
    names = (output.output for output in study.contract.document.outputs)
    outputs = tuple(ReleasedOutput(output=name, value=Refusal(refusal="SCHEMA")) for name in names)
    digest = outputs_digest(outputs, secret_seed(custody.data_keys, study), assignment.run)
    claims = evidence.claims
    request = sign(
        CommitRequest(contract=study.contract.name, run=claims.run, claims=claims.digest, outputs=digest), keys.signing
    )
    commits = tuple(
        verify_commit(
            Unverified.parse(relay.commit(key, request.envelope), ReleaseCommit), key, study, evidence, digest
        )
        for key in custodians_of(study)
    )
    return make_bundle(pack, study, custody, commits, outputs, keys.signing).to_bytes()


def main(mode: str) -> int:
    launch = read_launch(sys.stdin.buffer.readline(4097))
    relay = Relay.connect(launch)
    attester: Attester = GramineAttester(Path("attestation"))
    if launch.platform is not None:
        attester = SimulatedAttester(launch.platform, launch.ticket)
    match mode:
        case "refuse":
            relay.fail(AccessDenied("NOT_APPROVED", "An owner did not approve."))
            return 0
        case "die":
            return 1
        case "hang":
            time.sleep(600)
        case "print":
            print(SECRET * 1000)
            print(SECRET * 1000, file=sys.stderr)
    try:
        relay.deliver(play(relay, attester, lambda fence: _after_keys(mode, fence, relay)))
    except SealroomError as error:
        relay.fail(error)
    return 0


def _after_keys(mode: str, fence: int, relay: Relay) -> None:
    if mode == "die-once" and fence == 1:
        os._exit(9)
    if mode == "wait":
        folder = Path.cwd().parents[1]
        (folder / "keys-open").touch()
        while not (folder / "go-on").exists():
            time.sleep(0.05)
    if mode == "talk":
        try:
            relay.fail(AccessDenied("TALKATIVE", SECRET))
        finally:
            os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
