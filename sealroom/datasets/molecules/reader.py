"""The process that describes molecules: ``python -m ...molecules.reader KIND ALERTS SECONDS FEATURE...``.

Each line of standard input is a molecule's text, each line of standard output an answer, both JSON; the first line of
output says that it is ready. A molecule that takes longer than its time ends the process by ``SIGPROF``.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

from sealroom.datasets.cells import Wrong
from sealroom.datasets.genotypes.reader_process import limit_memory
from sealroom.datasets.molecules.columns import STRUCTURE
from sealroom.datasets.molecules.reader_process import MEMORY, OUT_OF_MEMORY, Described

__all__ = ["describer", "main"]


def describer(kind: str, features: Sequence[str], *, alerts: bool) -> Callable[[str], Described | Wrong]:
    """Return what describes a molecule, here in this process and without bounds of time; see ``MoleculeReader``."""
    from sealroom.datasets.molecules.alerts import Pains
    from sealroom.datasets.molecules.descriptors import cell_of
    from sealroom.datasets.molecules.structure import Standardiser

    standardiser = Standardiser()
    read = standardiser.connection_table if kind == STRUCTURE else standardiser.smiles
    pains = Pains() if alerts else None

    def describe(text: str) -> Described | Wrong:
        found = read(text)
        if isinstance(found, Wrong):
            return found
        cells = {feature: cell_of(feature, found) for feature in features}
        return Described(cells, found.was_mixture, pains is not None and pains.match(found.molecule))

    return describe


def main(kind: str, alerts: str, seconds: str, *features: str) -> None:
    """Answer until there is no more to read."""
    limit_memory(MEMORY)
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # whatever a library prints is no answer
        describe = describer(kind, features, alerts=alerts == "1")
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        answers.write(b"\n")
        answers.flush()
        for line in sys.stdin.buffer:
            signal.setitimer(signal.ITIMER_PROF, float(seconds))
            try:
                answer = json.dumps(asdict(describe(json.loads(line))))
            except MemoryError:
                sys.exit(OUT_OF_MEMORY)
            signal.setitimer(signal.ITIMER_PROF, 0)
            answers.write(answer.encode("ascii") + b"\n")
            answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
