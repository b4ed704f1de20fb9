"""From the text of a molecule to its standard form, within limits of size. Imports RDKit.

These limits bound no time: RDKit's Normalizer takes it by the cube, or more, of the groups that it rewrites, 20 seconds
for a chain of 120 sulfoxides and minutes for 200. Time and memory are bounded by ``reader_process``.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from rdkit import Chem, rdBase
from rdkit.Chem import rdinchi
from rdkit.Chem.MolStandardize import rdMolStandardize

from sealroom.datasets.cells import Wrong
from sealroom.datasets.molecules.sdf import MAX_RECORD

__all__ = ["MAX_ATOMS", "MAX_RINGS", "MAX_SMILES", "Standard", "Standardiser", "software"]

MAX_SMILES: Final = 10_000
"""Characters of a SMILES."""
MAX_ATOMS: Final = 1_000
"""Atoms written out, hydrogens among them. Some steps take time by its square."""
MAX_RINGS: Final = 100
"""Rings, as bonds less atoms plus fragments. Substructure search goes up steeply with fused rings; C60 has 31."""
_SMILES = re.compile(r"[A-Za-z0-9@+\-\[\]()=#$:%/\\.*~<>]+", re.ASCII)
_BONDS = frozenset(
    {
        Chem.BondType.SINGLE,
        Chem.BondType.DOUBLE,
        Chem.BondType.TRIPLE,
        Chem.BondType.QUADRUPLE,
        Chem.BondType.AROMATIC,
        Chem.BondType.DATIVE,
    }
)
_ATOM_MAP = "molAtomMapNumber"
_CONTINUED = "-\nM  V30 "
_COUNTS = re.compile(r"^M  V30\s++COUNTS\s++\+?0*+(\d*+)\s++\+?0*+(\d*+)", re.MULTILINE | re.IGNORECASE | re.ASCII)
"""Possessive throughout, so that it never goes back: zeros may be as many as they like."""
_MAX_DIGITS = 4
_MASS = re.compile(r"[0-9]{1,3}", re.ASCII)
_GROUPS = frozenset({"SUP", "MUL", "DAT"})
"""S-groups that leave a molecule what it is, all its atoms written out; others are of polymers, mixtures or choices."""
_OPEN_BONDS = ("_MolFileBondEndPts", "_MolFileBondAttach")
_OPEN_ATOM = "molAttchpt"
_LINK_NODES = "_molLinkNodes"
_PERIODIC_TABLE = Chem.GetPeriodicTable()
_UNREADABLE = Wrong("MOLECULE_SYNTAX", "a structure that RDKit does not read", "one with sound valences and rings")
_UNCERTAIN = Wrong("MOLECULE_QUERY", "an atom or bond of no certain kind: a residue or a query", "one molecule")
_OPEN = Wrong(
    "MOLECULE_QUERY", "a polymer, a repeated part, or a bond without a certain end", "one molecule, written out"
)
_NO_ISOTOPE = Wrong("MOLECULE_ISOTOPE", "a mass number that the element does not have", "an isotope that there is")


@dataclass(frozen=True, slots=True)
class Standard:
    """A molecule in standard form: as RDKit has it, its canonical SMILES, its InChIKey, and what it was part of."""

    molecule: Chem.Mol
    smiles: str
    inchikey: str
    was_mixture: bool


def software() -> str:
    """Name the software and what it does, for the dataset manifest."""
    return (
        f"RDKit {rdBase.rdkitVersion}: MolStandardize's MetalDisconnector, Normalizer, largest organic fragment, "
        "Uncharger, Reionizer; tautomers as written; Murcko scaffold without stereochemistry, the empty one of all "
        "acyclic compounds; Morgan fingerprint of radius 2 without chirality"
    )


class Standardiser:
    """Reads and standardises molecules.

    The standard form has hydrogens implicit, covalent bonds to metals cut, functional groups in RDKit's usual spelling
    (so a sulfoxide has charges), the largest fragment only, organic before inorganic, charges neutralised where
    hydrogens allow it, and what stays ionised is the strongest acid. These are steps of RDKit's ``Cleanup`` and
    ``ChargeParent``, but the fragment is chosen before protons are moved, which in ``Cleanup`` go over to counter-ions,
    and acids are sorted last, so that the standard form is its own. Tautomers stay as they are written: the canonical
    one takes several times the time of all the rest. A carbon that was bound to a metal may keep an open valence.
    The molecule is then written as canonical SMILES and read again, so that nothing of its spelling is left.
    """

    def __init__(self) -> None:
        self._hydrogens = Chem.RemoveHsParameters()
        self._hydrogens.removeDefiningBondStereo = True  # type: ignore[assignment]  # the stub knows no setter's type
        self._metals = rdMolStandardize.MetalDisconnector()
        self._normalizer = rdMolStandardize.Normalizer()
        self._fragments = rdMolStandardize.LargestFragmentChooser(preferOrganic=True)
        self._reionizer = rdMolStandardize.Reionizer()
        self._uncharger = rdMolStandardize.Uncharger()

    def smiles(self, text: str) -> Standard | Wrong:
        """Read a SMILES: one word of printable ASCII, without extensions."""
        text = text.strip()
        if not text:
            return Wrong("VALUE_MISSING", "no molecule", "a SMILES")
        if len(text) > MAX_SMILES:
            return Wrong("MOLECULE_SIZE", f"{len(text)} characters", f"a SMILES of at most {MAX_SMILES}")
        if not _SMILES.fullmatch(text):
            return Wrong("MOLECULE_SYNTAX", "characters that no SMILES has", "a SMILES, with nothing behind it")
        return self._read(lambda: Chem.MolFromSmiles(text, sanitize=False), lambda: Chem.MolFromSmiles(text))

    def connection_table(self, text: str) -> Standard | Wrong:
        """Read a connection table, V2000 or V3000, from its title line to ``M  END``."""
        if len(text) > MAX_RECORD:
            return Wrong("MOLECULE_SIZE", f"{len(text)} characters", f"a connection table of at most {MAX_RECORD}")
        if "\x00" in text:
            return Wrong("MOLECULE_SYNTAX", "a NUL character", "a connection table of text")
        # The counts of V3000 are as large as their writer likes, and RDKit makes room for them. V2000's have 3 digits.
        joined = text.replace(_CONTINUED, "")
        if any(len(number) > _MAX_DIGITS for found in _COUNTS.findall(joined) for number in found):
            return Wrong("MOLECULE_SIZE", "a count of ten thousand or more", f"a molecule of at most {MAX_ATOMS} atoms")
        if not all(map(_MASS.fullmatch, _masses(joined))):  # RDKit leaves these out without a word
            return _NO_ISOTOPE
        return self._read(
            lambda: Chem.MolFromMolBlock(text, sanitize=False, removeHs=False), lambda: Chem.MolFromMolBlock(text)
        )

    def _read(self, raw: Callable[[], Chem.Mol | None], whole: Callable[[], Chem.Mol | None]) -> Standard | Wrong:
        """Read a molecule without any check, which takes no time, then look at its size, then read it in earnest."""
        with rdBase.BlockLogs():
            try:
                return _refusal(raw()) or self._standard(whole())
            except (ValueError, RuntimeError):  # what RDKit's sanitisation and its checks of conditions raise
                return _UNREADABLE

    def _standard(self, molecule: Chem.Mol | None) -> Standard | Wrong:
        if molecule is None:
            return _UNREADABLE
        for atom in molecule.GetAtoms():
            atom.ClearProp(_ATOM_MAP)
        bare = self._metals.Disconnect(Chem.RemoveHs(molecule, self._hydrogens))
        kept = self._fragments.choose(self._normalizer.normalize(bare))
        smiles = Chem.MolToSmiles(self._reionizer.reionize(self._uncharger.uncharge(kept)))
        standard = Chem.MolFromSmiles(smiles)
        if standard is None:
            return _UNREADABLE
        inchikey = rdinchi.MolToInchiKey(standard)
        if not inchikey:
            return Wrong("MOLECULE_IDENTITY", "a structure without an InChIKey", "one that InChI can name")
        return Standard(standard, smiles, inchikey, was_mixture=len(Chem.GetMolFrags(molecule)) > 1)


def _refusal(raw: Chem.Mol | None) -> Wrong | None:
    """Say why a molecule that was read without any check goes no further."""
    if raw is None:
        return _UNREADABLE
    if raw.GetNumAtoms() == 0:
        return Wrong("MOLECULE_SYNTAX", "no atoms", "a molecule")
    return _beyond(raw) or _ambiguous(raw)


def _beyond(raw: Chem.Mol) -> Wrong | None:
    atoms = raw.GetNumAtoms()
    if atoms > MAX_ATOMS:
        return Wrong("MOLECULE_SIZE", f"{atoms} atoms", f"a molecule of at most {MAX_ATOMS}, hydrogens included")
    if raw.GetNumBonds() - atoms + len(Chem.GetMolFrags(raw)) > MAX_RINGS:
        return Wrong("MOLECULE_SIZE", f"more than {MAX_RINGS} rings", "a molecule of fewer")
    return None


def _ambiguous(raw: Chem.Mol) -> Wrong | None:
    queries = any(atom.GetAtomicNum() == 0 or atom.HasQuery() for atom in raw.GetAtoms())
    if queries or any(bond.HasQuery() or bond.GetBondType() not in _BONDS for bond in raw.GetBonds()):
        return _UNCERTAIN
    if _is_open(raw):
        return _OPEN
    isotopes = ((atom.GetAtomicNum(), atom.GetIsotope()) for atom in raw.GetAtoms() if atom.GetIsotope())
    if not all(_PERIODIC_TABLE.GetMassForIsotope(number, mass) for number, mass in isotopes):
        return _NO_ISOTOPE
    return None


def _is_open(raw: Chem.Mol) -> bool:
    """Say whether a connection table stands for many molecules, though its atoms and bonds look like those of one."""
    return bool(
        raw.HasProp(_LINK_NODES)
        or any(group.GetProp("TYPE") not in _GROUPS for group in Chem.GetMolSubstanceGroups(raw))
        or any(atom.HasProp(_OPEN_ATOM) for atom in raw.GetAtoms())
        or any(bond.HasProp(name) for bond in raw.GetBonds() for name in _OPEN_BONDS)
    )


def _masses(table: str) -> Iterator[str]:
    """Yield the mass numbers that a connection table states, as text."""
    for line in table.split("\n"):
        if line.startswith("M  ISO"):  # a number of atoms, then atom and mass number, four characters each
            values = (line[place : place + 4].strip() for place in range(13, len(line), 8))
            yield from filter(None, values)  # a blank is the natural mixture
        elif line.startswith("M  V30 "):
            words = (word.upper() for word in line.split())
            yield from (word.removeprefix("MASS=") for word in words if word.startswith("MASS="))
