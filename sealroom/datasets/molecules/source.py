"""Rows with molecules: what the file says, and what is computed from the molecule, as cells in the schema's order."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from protocol.errors import DocumentError
from sealroom.datasets.cells import Wrong
from sealroom.datasets.findings import Finding, Findings
from sealroom.datasets.molecules.columns import STRUCTURE, Plan
from sealroom.datasets.rows import Block, RowSource

if TYPE_CHECKING:  # RDKit is optional
    from sealroom.datasets.molecules.alerts import Pains
    from sealroom.datasets.molecules.structure import Standard, Standardiser

__all__ = ["MoleculeSource", "chemistry_software"]


class MoleculeSource:
    """Takes blocks whose last cell is a molecule, and yields blocks of the schema's columns.

    A row whose molecule cannot be read is noted and left out. One molecule is looked at at a time.
    """

    def __init__(self, inner: RowSource, plan: Plan, name: str, findings: Findings, *, alerts: bool) -> None:
        self._inner = inner
        self._plan = plan
        self._name = name
        self._findings = findings
        self._standardiser = _standardiser()
        self._pains = _pains() if alerts else None
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
        for block in self._inner.blocks():
            done = Block([], [], [])
            for row, line, cells in zip(block.rows, block.lines, block.cells, strict=True):
                found = self._read(cells[-1])
                if isinstance(found, Wrong):
                    self._unread += 1
                    self._note(found, row, line, cells[-1])
                    continue
                self._mixtures += found.was_mixture
                if self._pains is not None:
                    self._pains.see(found.molecule)
                done.rows.append(row)
                done.lines.append(line)
                done.cells.append(self._cells(cells, found))
            if done.cells:
                yield done

    def notes(self) -> list[str]:
        """Say how many molecules were cut, and how many match the PAINS filter."""
        notes = self._inner.notes()
        if self._mixtures:
            notes.append(f"{self._mixtures} rows hold several molecules; the largest organic one of each was taken.")
        if self._pains is not None and self._pains.matches:
            notes.append(
                f"{self._pains.matches} of {self.rows} compounds match the PAINS filter: they look active in many "
                "assays by interfering with them. They are kept."
            )
        return notes

    def _read(self, text: str) -> "Standard | Wrong":
        if self._plan.sought[-1] == STRUCTURE:
            return self._standardiser.connection_table(text)
        return self._standardiser.smiles(text)

    def _cells(self, cells: list[str], found: "Standard") -> list[str]:
        from sealroom.datasets.molecules.descriptors import cell_of

        computed = {feature: cell_of(feature, found) for feature in self._plan.features}
        return [cells[column] if isinstance(column, int) else computed[column] for column in self._plan.columns]

    def _note(self, wrong: Wrong, row: int, line: int, text: str) -> None:
        heading = self._plan.sought[-1]
        shown = None if heading == STRUCTURE else text
        self._findings.add(
            Finding(wrong.code, self._name, wrong.found, wrong.wanted, heading, row=row, line=line, value=shown)
        )


def chemistry_software() -> str:
    """Name the software that computes columns, for the dataset manifest; raises like ``MoleculeSource``."""
    _standardiser()
    from sealroom.datasets.molecules.structure import software

    return software()


def _standardiser() -> "Standardiser":
    """Return what reads molecules; ``DocumentError`` with code ``CHEMISTRY_ABSENT`` where RDKit is not installed."""
    try:
        from sealroom.datasets.molecules.structure import Standardiser
    except ImportError as error:
        raise DocumentError(
            "CHEMISTRY_ABSENT", "Molecules are read with RDKit, which is not installed: pip install sealroom[chemistry]"
        ) from error
    return Standardiser()


def _pains() -> "Pains":
    from sealroom.datasets.molecules.alerts import Pains

    return Pains()
