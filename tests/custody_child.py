"""A custodian in a process of its own, for tests that kill it or race several.

``python custody_child.py FOLDER ROOT_DER CALL [before|after|full]`` reads the JSON arguments of one call on standard
input, waits for a line that says go, makes the call, prints ``ok`` or the code of the refusal. With ``before`` the
process kills itself (SIGKILL) right before the database commits, with ``after`` right after, before it answers;
with ``full`` no file can be written beyond 8 KiB, as on a disk that fills up in the middle of the transaction.
"""

import json
import logging
import os
import resource
import signal
import sys
from pathlib import Path
from typing import NoReturn

import custody
from sqlalchemy import Engine, event

from attestation.policy import AppraisalPolicy
from attestation.roots import HardwareRoot
from custodian import Custodian
from protocol.canonical import canonical_bytes
from protocol.documents import StudyPack
from protocol.documents.exchange import ReleaseRequest
from protocol.dsse import Envelope, load_document
from protocol.errors import SealroomError

_FULL = 8192


class _Death(logging.Handler):
    """The custodian logs each decision once it is on disk, before it answers: die there."""

    def emit(self, record: logging.LogRecord) -> None:
        _die()


def _die(*_: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def main(folder: str, root: str, call: str, die: str = "") -> None:
    roots = (HardwareRoot(Path(root).read_bytes()),)
    arguments = json.loads(sys.stdin.readline())
    policy = AppraisalPolicy.model_validate_json(json.dumps(arguments["policy"])) if "policy" in arguments else None
    settings = custody.make_settings(Path(folder), roots, appraisal=policy or custody.POLICY)
    custodian = Custodian(settings, custody.Clock())
    print("ready", flush=True)
    assert sys.stdin.readline() == "go\n"
    logging.getLogger("custodian").setLevel(logging.INFO)
    if die == "after":
        logging.getLogger("custodian").addHandler(_Death())
    if die == "before":
        event.listen(Engine, "commit", _die)
    if die == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FULL, _FULL))
    try:
        if call == "release":
            request = load_document(ReleaseRequest, canonical_bytes(arguments["request"]), limit=2**24)
            custodian.release(arguments["run"], arguments["fence"], request)
        elif call == "commit":
            envelope = Envelope.from_bytes(canonical_bytes(arguments["envelope"]))
            custodian.commit(arguments["run"], arguments["fence"], envelope)
        elif call == "withdraw":
            custodian.put_withdrawals(Envelope.from_bytes(canonical_bytes(arguments["envelope"])))
        else:
            pack = load_document(StudyPack, canonical_bytes(arguments["pack"]), limit=2**24)
            custodian.revoke(pack, Envelope.from_bytes(canonical_bytes(arguments["envelope"])))
    except SealroomError as error:
        print(error.code, flush=True)
    else:
        print("ok", flush=True)
    custodian.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
