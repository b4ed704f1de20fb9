"""Streaming genotypes: the .bed files of all cohorts, side by side, a block of variants at a time.

Which part of which file is asked for when follows from the signed sizes alone. Whatever is in the parts, and whatever
an analysis does, the host sees the same requests: what an analysis leaves unread is fetched all the same (``finish``).
Memory holds one part and one block of each cohort, however many variants there are.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from enclave.ingest import GenotypeBlock
from enclave.parts import HostFaultError, PartSource
from protocol.container.opening import PART_PLAIN

__all__ = ["BED_HEAD", "BLOCK_BYTES", "BLOCK_VARIANTS", "GenotypeStream"]

BED_HEAD = b"\x6c\x1b\x01"
"""PLINK 1 binary genotypes, variant after variant."""
BLOCK_BYTES = 2**20
"""Packed bytes of one block, of all cohorts together; a variant of very many samples may have more."""
BLOCK_VARIANTS = 1024


class GenotypeStream:
    """The genotypes of a study's cohorts.

    Parameters
    ----------
    sources
        One file for each cohort, in the order of the slots; none where the profile has no genotypes.
    samples
        Rows of each cohort.
    variants
        How many all of them have: the manifests say so.
    """

    def __init__(self, sources: Sequence[PartSource], samples: Sequence[int], variants: int) -> None:
        self._readers = [_Reader(source) for source in sources]
        self._samples = tuple(samples)
        self._variants = variants if sources else 0
        self._whole = True
        self._ended = False
        self._fault: HostFaultError | None = None
        self._blocks = self._stream()

    def blocks(self) -> Iterator[GenotypeBlock]:
        """Return the one pass over all variants. Bytes that are no .bed file come as they are: see ``finish``."""
        return self._blocks

    def finish(self) -> bool:
        """Fetch whatever was not read. False where an owner's file is not what its manifest says.

        Raises
        ------
        HostFaultError
            The host failed to give a signed part, now or while an analysis read.
        RuntimeError
            The stream was broken off from within, so that nobody knows what an analysis saw.
        """
        for _ in self._blocks:
            pass
        if self._fault:
            raise self._fault
        if not self._ended:
            raise RuntimeError("The stream of genotypes ended before the last variant.")
        return self._whole

    def _stream(self) -> Iterator[GenotypeBlock]:
        widths = [-(-count // 4) for count in self._samples]
        size = max(1, min(BLOCK_VARIANTS, BLOCK_BYTES // max(1, sum(widths))))
        try:
            for reader in self._readers:
                self._whole &= reader.read(len(BED_HEAD)).tobytes() == BED_HEAD
            for start in range(0, self._variants, size):
                count = min(size, self._variants - start)
                calls = [
                    reader.read(count * width).reshape(count, width)
                    for reader, width in zip(self._readers, widths, strict=True)
                ]
                for block, samples in zip(calls, self._samples, strict=True):
                    self._whole &= not (samples % 4 and (block[:, -1] >> (samples % 4 * 2)).any())
                yield GenotypeBlock(start, tuple(calls))
            self._whole &= all(reader.whole for reader in self._readers)
            self._ended = True
        except HostFaultError as fault:
            self._fault = fault


class _Reader:
    """Reads one file from its start, however its parts lie."""

    def __init__(self, source: PartSource) -> None:
        self._source = source
        self._part = bytearray(min(PART_PLAIN, source.file.plain_size))
        self._index = self._start = self._end = 0
        self.whole = True

    def read(self, size: int) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
        """Return the next bytes; never called for more than the file has."""
        out = np.empty(size, dtype=np.uint8)
        filled = 0
        while filled < size:
            if self._start == self._end:
                self._next_part()
            taken = min(size - filled, self._end - self._start)
            out[filled : filled + taken] = np.frombuffer(self._part, np.uint8, taken, self._start)
            filled += taken
            self._start += taken
        return out

    def _next_part(self) -> None:
        self._start, self._end = 0, self._source.opener.plain_size(self._index)
        self.whole &= self._source.open_into(self._index, memoryview(self._part)[: self._end])
        self._index += 1
