"""The process that reads a .pgen file: ``python -m sealroom.datasets.genotypes.pgen_reader PATH SAMPLES VARIANTS``.

Packed hard calls of all variants go to standard output, those of one after those of another, ALT the counted allele.
"""

import os
import sys
from pathlib import Path

import numpy as np

from sealroom.datasets.genotypes.packing import pack
from sealroom.datasets.genotypes.reader_process import BROKEN_FILE, limit_memory

__all__ = ["main"]

_CALLS_AT_A_TIME = 2**24
_CODES = np.array([3, 2, 0, 1], dtype=np.uint8)
"""What 0, 1 and 2 copies are packed as, and last what -9, missing, is."""


def main(path: str, samples: int, variants: int) -> None:
    """Write the calls; exit with ``BROKEN_FILE`` and a line where the library does not read the file."""
    limit_memory()
    from pgenlib import PgenReader

    try:
        with PgenReader(os.fsencode(path), raw_sample_ct=samples, variant_ct=variants) as reader:
            step = max(1, min(variants, _CALLS_AT_A_TIME // samples))
            for start in range(0, variants, step):
                calls = np.empty((min(step, variants - start), samples), dtype=np.int8)
                reader.read_range(start, start + len(calls), calls)
                sys.stdout.buffer.write(pack(_CODES[np.where(calls < 0, 3, calls)]).tobytes())
    except (RuntimeError, ValueError, OSError, MemoryError) as error:
        sys.stderr.write(_words(error, path) + "\n")
        sys.exit(BROKEN_FILE)
    sys.stdout.buffer.flush()


def _words(error: BaseException, path: str) -> str:
    """Return what the library says, which it says in bytes, in one line, with the file's name for its path."""
    words = " ".join(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said) for said in error.args)
    return " ".join(words.replace(path, Path(path).name).split()) or type(error).__name__


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
