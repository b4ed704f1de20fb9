"""Entry points of the enclave program.

``python -I -m enclave PROFILE`` reads one launch line on standard input and runs one session. The exit status says
whether the session ended in an orderly way; before anything is read, its standard output and error are pointed nowhere.
``--describe`` and ``--plan`` are for the partner's side: they read no data and no keys.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attestation.attesters import Attester
    from protocol.documents.exchange import Launch

__all__ = ["main"]

PROFILES = ("clinical", "discovery", "genomics")
"""As ``enclave.profiles`` has them, which imports NumPy: threads are limited before."""

MAX_PLAN = 4 * 2**20
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""Sums in one order give the same bits on every machine; idle threads of the BLAS would also spin for half the time."""


def main(arguments: list[str]) -> int:
    """Run what the arguments name and return the exit status."""
    match arguments:
        case [name] if name in PROFILES:
            return _session(name)
        case ["--describe"]:
            from enclave.offline import describe

            sys.stdout.buffer.write(describe())
            return 0
        case ["--plan"]:
            from enclave.offline import plan

            answer, status = plan(sys.stdin.buffer.read(MAX_PLAN + 1))
            sys.stdout.buffer.write(answer)
            return status
        case _:
            sys.stderr.write(f"Usage: python -I -m enclave {' | '.join(PROFILES)} | --describe | --plan\n")
            return 2


def _session(profile: str) -> int:
    _silence()
    os.environ.update(_ONE_THREAD)  # before NumPy is imported, and whatever the host has set
    from enclave.profiles import load_profile
    from enclave.relay import MAX_LAUNCH, Relay, read_launch
    from enclave.session import run_session

    try:
        launch = read_launch(sys.stdin.buffer.readline(MAX_LAUNCH + 1))
        relay = Relay.connect(launch)
        return 0 if run_session(relay, _attester(launch), load_profile(profile)) else 1
    except Exception:  # noqa: BLE001 - a traceback would go to the host
        return 1


def _attester(launch: "Launch") -> "Attester":
    """Return the hardware's attester, or the simulated one where the launch line names its platform.

    Production enclaves hold no simulated attester. It is imported by name, so that it is not among what they import.
    """
    if launch.platform is None:
        from attestation.attesters.gramine import GramineAttester

        return GramineAttester()
    simulated = importlib.import_module("attestation.attesters.simulated")
    attester: Attester = simulated.SimulatedAttester(launch.platform, launch.ticket)
    return attester


def _silence() -> None:
    """Point standard output and error nowhere: whatever a library, a warning or a signal would print may hold data."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):  # by number: a host may have started this process with closed streams
        os.dup2(nowhere, descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
