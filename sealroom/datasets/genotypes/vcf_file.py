"""The lines of a VCF file, plain, gzip or bgzip, each checked for its form before its fields are looked at.

Read here and not by htslib, which takes a record with a call too many and a bgzip file cut between two blocks
(docs/decisions/0014).
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NoReturn, cast

from protocol.documents.dataset import MAX_VARIANTS
from sealroom.datasets.genotypes.lines import bounded_line, refuse, require_file
from sealroom.datasets.genotypes.samples import Samples, checked_samples, require_sample_count

__all__ = ["FIXED", "VcfFile"]

FIXED: Final = 9
"""Columns before the samples."""
_COLUMNS: Final = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
_FIRST: Final = b"##fileformat=VCFv4."
_GZIP: Final = b"\x1f\x8b"
_BGZIP_EXTRA: Final = b"BC"
_BGZIP_END: Final = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_MAX_META: Final = 2**20
_MAX_META_LINES, _MAX_META_BYTES = 10**6, 2**26
"""The lines before the heading: an assembly may have some hundred thousand contigs."""
_MAX_HEADING: Final = 2**26
_RECORD_BYTES, _CALL_BYTES = 2**22, 128
"""A record may have 4 MiB for its fixed columns and 128 bytes for each call."""


class VcfFile:
    """One VCF file: ``samples`` from its heading, then ``records``; ``position`` is how far the file was read.

    Raises
    ------
    StorageError
        ``FILE_MISSING``.
    CheckError
        ``VCF_HEADER``, ``VCF_META``, ``VCF_CUT``, ``LINE_TOO_LONG``, and those of ``checked_samples``; from ``records``
        also ``VCF_COLUMNS`` and ``VARIANTS_COUNT``.

    Notes
    -----
    A few bytes of gzip can stand for gigabytes, so every count and length has a bound and is held against it before
    memory is taken for it.
    """

    def __init__(self, path: Path) -> None:
        self._path = require_file(path)
        self.name = path.name
        self.position = 0
        with path.open("rb") as stream:
            head = stream.read(14)
            self._packed = head[:2] == _GZIP
            if self._packed and head[12:14] == _BGZIP_EXTRA:
                stream.seek(max(0, path.stat().st_size - len(_BGZIP_END)))
                if stream.read() != _BGZIP_END:
                    self._refuse_cut(None)
        with self._open() as stream:
            self._heading, self.samples = self._read_heading(stream)

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and bytes of each record's line, without its newline, with a call for each sample."""
        tabs = FIXED + len(self.samples) - 1
        limit = _RECORD_BYTES + _CALL_BYTES * len(self.samples)
        with self._open() as stream:
            for number, line in self._lines(stream, limit):
                self.position = self._raw.tell()
                if number <= self._heading:
                    continue
                if number - self._heading > MAX_VARIANTS:
                    refuse("VARIANTS_COUNT", self.name, f"more than {MAX_VARIANTS} records", "fewer", line=number)
                if (found := line.count(b"\t")) != tabs:
                    wanted = f"{tabs + 1}, as the heading"
                    refuse("VCF_COLUMNS", self.name, f"{found + 1} columns", wanted, line=number)
                yield number, line

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        with self._path.open("rb") as raw:
            self._raw = raw
            if not self._packed:
                yield raw
                return
            with gzip.GzipFile(fileobj=raw) as stream:
                yield cast("BinaryIO", stream)

    def _lines(self, stream: BinaryIO, limit: int) -> Iterator[tuple[int, bytes]]:
        number = 0
        while True:
            try:
                line = bounded_line(stream, self.name, number + 1, limit)
            except (EOFError, gzip.BadGzipFile, zlib.error):
                self._refuse_cut(number + 1)
            if not line:
                return
            number += 1
            if not line.endswith(b"\n"):
                self._refuse_cut(number)
            yield number, line[:-1].removesuffix(b"\r")

    def _read_heading(self, stream: BinaryIO) -> tuple[int, Samples]:
        number, size, line = 0, 0, b""
        for number, line in self._lines(stream, _MAX_HEADING):
            if number == 1 and not line.startswith(_FIRST):
                wanted = "##fileformat=VCFv4.x; bcftools view -Oz writes VCF from BCF"
                refuse("VCF_HEADER", self.name, "another first line", wanted, line=1)
            if not line.startswith(b"##") or len(line) > _MAX_META:
                break
            size += len(line)
            if number > _MAX_META_LINES or size > _MAX_META_BYTES:
                wanted = f"at most {_MAX_META_LINES} and {_MAX_META_BYTES} bytes; bcftools annotate -x drops others"
                refuse(
                    "VCF_META", self.name, f"{number} lines and {size} bytes before the heading", wanted, line=number
                )
        if not line.startswith(_COLUMNS + b"\t"):
            wanted = _COLUMNS.decode().replace("\t", " ") + " and the samples, between tabs"
            refuse("VCF_HEADER", self.name, "no heading with samples", wanted, line=number or None)
        require_sample_count(self.name, line.count(b"\t") - _COLUMNS.count(b"\t"), number)
        try:
            names = line[len(_COLUMNS) + 1 :].decode("utf-8").split("\t")
        except UnicodeDecodeError:
            refuse("TEXT_ENCODING", self.name, "bytes that are no UTF-8", "UTF-8", line=number)
        return number, checked_samples(self.name, ((number, name) for name in names))

    def _refuse_cut(self, line: int | None) -> NoReturn:
        refuse(
            "VCF_CUT",
            self.name,
            "a file that was cut or damaged",
            "a whole one, to its last newline (and bgzip's end block); copy it again",
            line=line,
        )
