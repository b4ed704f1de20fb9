"""Rows with molecules: what the file says, and what is computed from the molecule, as cells in the schema's order."""

from collections.abc import Iterator

from protocol.errors import DocumentError
from sealroom.datasets.cells import Wrong
from sealroom.datasets.findings import Finding, Findings
from sealroom.datasets.molecules.columns import STRUCTURE, Plan
from sealroom.datasets.molecules.reader_process import ENDINGS, Described, MoleculeReader
from sealroom.datasets.rows import Block, RowSource

__all__ = ["MAX_ENDINGS", "MoleculeSource", "chemistry_software"]

MAX_ENDINGS = 20
"""Molecules that end RDKit, by time, memory or a crash, after which the rest of a file is not read."""


class MoleculeSource:
    """Takes blocks whose last cell is a molecule, and yields blocks of the schema's columns.

    A row whose molecule cannot be read is noted and left out. One molecule is looked at at a time, in another process.
    """

    def __init__(self, inner: RowSource, plan: Plan, name: str, findings: Findings, *, alerts: bool) -> None:
        self._inner = inner
        self._plan = plan
        self._name = name
        self._findings = findings
        self._alerts = alerts
        chemistry_software()
        self._matches = 0
        self._endings = 0
        self._unread = 0
        self._mixtures = 0

    @property
    def rows(self) -> int:
        """Rows read."""
        return self._inner.rows

    @property
    def skipped(self) -> int:
        """Rows left out."""
        return self._inner.skipped + self._unread

    @property
    def characters(self) -> int:
        """Characters read."""
        return self._inner.characters

    def blocks(self) -> Iterator[Block]:
        """Yield the rows whose molecule can be read."""
        with MoleculeReader(self._plan.sought[-1], self._plan.features, alerts=self._alerts) as reader:
            for block in self._inner.blocks():
                done = self._describe(block, reader)
                if self._endings >= MAX_ENDINGS:
                    return
                if done.cells:
                    yield done

    def notes(self) -> list[str]:
        """Say how many molecules were cut, and how many match the PAINS filter."""
        notes = self._inner.notes()
        if self._mixtures:
            notes.append(f"{self._mixtures} rows hold several molecules; the largest organic one of each was taken.")
        if self._matches:
            notes.append(
                f"{self._matches} of {self.rows} compounds match the PAINS filter: they look active in many "
                "assays by interfering with them. They are kept."
            )
        return notes

    def _describe(self, block: Block, reader: MoleculeReader) -> Block:
        done = Block([], [], [])
        for row, line, cells in zip(block.rows, block.lines, block.cells, strict=True):
            found = reader.describe(cells[-1])
            if isinstance(found, Wrong):
                self._unread += 1
                self._note(found, row, line, cells[-1])
                self._endings += found.code in ENDINGS
                if self._endings >= MAX_ENDINGS:
                    break
                continue
            self._mixtures += found.was_mixture
            self._matches += found.alert
            done.rows.append(row)
            done.lines.append(line)
            done.cells.append(self._cells(cells, found))
        return done

    def _cells(self, cells: list[str], found: Described) -> list[str]:
        return [cells[column] if isinstance(column, int) else found.cells[column] for column in self._plan.columns]

    def _note(self, wrong: Wrong, row: int, line: int, text: str) -> None:
        heading = self._plan.sought[-1]
        shown = None if heading == STRUCTURE else text
        self._findings.add(
            Finding(wrong.code, self._name, wrong.found, wrong.wanted, heading, row=row, line=line, value=shown)
        )


def chemistry_software() -> str:
    """Name the software that computes columns, for the dataset manifest.

    Raises
    ------
    DocumentError
        ``CHEMISTRY_ABSENT`` where RDKit is not installed.
    """
    try:
        from sealroom.datasets.molecules.structure import software
    except ImportError as error:
        raise DocumentError(
            "CHEMISTRY_ABSENT", "Molecules are read with RDKit, which is not installed: pip install sealroom[chemistry]"
        ) from error
    return software()
