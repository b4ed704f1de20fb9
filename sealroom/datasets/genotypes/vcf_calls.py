"""The genotypes of one VCF record, from text to the codes of a .bed file."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sealroom.datasets.genotypes.lines import refuse
from sealroom.datasets.genotypes.samples import Samples

__all__ = ["CallReader"]

_ALLELES: Final = (b"0", b"1", b".")
_MARKS: Final = (b"/", b"|")
_MISSING: Final = 1
_HALF: Final = 4
"""Half a call, until it was counted."""
_PAIRS: Final = np.array([[3, 2, _HALF], [2, 0, _HALF], [_HALF, _HALF, _MISSING]], dtype=np.uint8)
"""What two alleles, by their places in ``_ALLELES``, are packed as."""
_CODES: Final[dict[bytes, int]] = {b".": _MISSING} | {
    first + mark + second: int(_PAIRS[one, two])
    for one, first in enumerate(_ALLELES)
    for two, second in enumerate(_ALLELES)
    for mark in _MARKS
}
_UNKNOWN: Final = 128
_PLACES: Final = np.full(256, _UNKNOWN, dtype=np.uint8)
"""The place in ``_ALLELES`` of a byte."""
_PLACES[[ord(allele) for allele in _ALLELES]] = range(len(_ALLELES))
_PLAIN: Final = 4
"""Bytes of ``0/1`` and the tab behind it."""
_PLOIDY: Final = 2


class CallReader:
    """Reads record after record of one file and counts its half calls."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._form = b""
        self.half_calls = 0

    def codes(self, line: int, form: bytes, calls: bytes) -> NDArray[np.uint8]:
        """Return a code for each sample, uint8 of shape (samples,).

        Parameters
        ----------
        line
            The record's line, for errors.
        form
            The column FORMAT.
        calls
            The columns of the samples, with their tabs.

        Raises
        ------
        CheckError
            ``VCF_FORMAT`` unless GT stands first and nothing twice; ``VCF_GT`` with something that is no call of two
            alleles; ``VCF_PLOIDY``; ``VCF_FIELDS`` with more fields than FORMAT has.
        """
        if form != self._form:
            self._require_format(line, form)
        codes = self._plain(calls) if form == b"GT" and len(calls) + 1 == _PLAIN * len(self._samples) else None
        if codes is None:
            cells = calls.split(b"\t")
            self._require_fields(line, cells, form.count(b":"))
            texts = [cell.partition(b":")[0] for cell in cells]
            found = [_CODES.get(text, _UNKNOWN) for text in texts]
            if _UNKNOWN in found:
                place = found.index(_UNKNOWN)
                self._refuse(line, place, texts[place])
            codes = np.array(found, dtype=np.uint8)
        half = codes == _HALF
        self.half_calls += int(half.sum())
        codes[half] = _MISSING
        return codes

    def _plain(self, calls: bytes) -> NDArray[np.uint8] | None:
        """Read calls such as ``0/1`` and ``1|1`` all at once; None where any is not such a one."""
        cells = np.frombuffer(calls + b"\t", dtype=np.uint8).reshape(-1, _PLAIN)
        first, second = _PLACES[cells[:, 0]], _PLACES[cells[:, 2]]
        marks = np.isin(cells[:, 1], [ord(mark) for mark in _MARKS])
        if ((first | second) >= _UNKNOWN).any() or not marks.all() or (cells[:, 3] != ord("\t")).any():
            return None
        codes: NDArray[np.uint8] = _PAIRS[first, second]
        return codes

    def _require_format(self, line: int, form: bytes) -> None:
        keys = form.split(b":")
        if keys[0] != b"GT" or len(set(keys)) != len(keys):
            wanted = "GT first, then others, each once"
            refuse("VCF_FORMAT", self._samples.file, "another FORMAT", wanted, line=line, column="FORMAT")
        self._form = form

    def _require_fields(self, line: int, cells: list[bytes], most: int) -> None:
        colons = [cell.count(b":") for cell in cells]
        if (found := max(colons)) > most:
            place, wanted = colons.index(found), f"at most {most + 1}, as FORMAT"
            refuse(
                "VCF_FIELDS",
                self._samples.file,
                f"{found + 1} fields",
                wanted,
                line=line,
                column=_column(place),
                value=self._samples.names[place],
            )

    def _refuse(self, line: int, place: int, text: bytes) -> None:
        shown = f"{self._samples.names[place]}: {text.decode('ascii', 'replace')}"
        ploidy = len(text.replace(b"|", b"/").split(b"/"))
        if ploidy != _PLOIDY:
            wanted = "two on an autosome; leave such variants out"
            refuse(
                "VCF_PLOIDY",
                self._samples.file,
                f"a call of {ploidy} allele{'s' if ploidy > 1 else ''}",
                wanted,
                line=line,
                column=_column(place),
                value=shown,
            )
        refuse(
            "VCF_GT",
            self._samples.file,
            "no call",
            "two of 0, 1 and . with / or |",
            line=line,
            column=_column(place),
            value=shown,
        )


def _column(place: int) -> str:
    """Say which sample: by its number from 1, for a name is the owner's to see only."""
    return f"sample {place + 1}"
