"""The enclave's program with a fault in it, for tests that nothing gets out: ``python -I crashing_enclave.py CRASH``.

Each fault holds the decrypted tables in its text.

============  ==========================================================================================
``analysis``  the analysis raises
``bundle``    sealing the outputs raises, after the commit
``exit``      the analysis raises what no ``except Exception`` catches
``thread``    a thread of the analysis raises
``native``    the analysis prints, warns, and writes to the file descriptors as a C library would
============  ==========================================================================================
"""

import os
import sys
import threading
import warnings

import enclave.profiles
import enclave.session
from enclave.__main__ import main
from enclave.analyses.clinical.survival import Survival

CANARY = "canary-of-the-crashing-enclave"


class Faulty(Survival):
    """Survival with a fault."""

    def __init__(self, crash):
        self.crash = crash

    def run(self, plan, inputs):
        text = CANARY + "".join(cohort.frame.to_csv() for cohort in inputs.cohorts)
        match self.crash:
            case "analysis":
                raise ValueError(text)
            case "exit":
                raise KeyboardInterrupt(text)
            case "thread":
                thread = threading.Thread(target=lambda: int(text))
                thread.start()
                thread.join()
            case "native":
                warnings.warn(text, stacklevel=1)
                print(text)
                print(text, file=sys.stderr)
                print(text, file=sys.__stderr__)
                os.write(1, text.encode())
                os.write(2, text.encode())
        return super().run(plan, inputs)


def _fail(pack, study, custody, commits, outputs, signing):
    raise ValueError(CANARY + repr(outputs))


if __name__ == "__main__":
    fault = sys.argv[1]
    enclave.profiles.Profile.find_analysis = lambda profile, name: Faulty(fault)
    if fault == "bundle":
        enclave.session.make_bundle = _fail
    sys.exit(main(["clinical"]))
