"""The text of each computed cell. Imports RDKit."""

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from rdkit import Chem, DataStructs
from rdkit.Chem import Descriptors, rdFingerprintGenerator, rdMolDescriptors

from protocol.layout.form import DIGEST_SIZE
from sealroom.datasets.molecules.columns import FEATURES
from sealroom.datasets.molecules.structure import Standard

__all__ = ["cell_of"]

_MORGAN = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=FEATURES["ecfp4"].width)


def cell_of(feature: str, standard: Standard) -> str:
    """Compute one feature of a molecule in standard form, as the text of its cell.

    Parameters
    ----------
    feature
        A name of ``columns.FEATURES``.
    standard
        The molecule.

    Returns
    -------
    str
        A digest or bits as hex (bits as in chemfp's FPS format), a number with the feature's decimals, or the InChIKey.

    Notes
    -----
    Numbers are those of RDKit's release, which counts hydrogen bond acceptors differently from older ones: compare
    columns of owners whose dataset manifests name the same release. Decimals beyond the feature's are rounded, half to
    even.

    References
    ----------
    ECFP: Rogers and Hahn (2010), J Chem Inf Model 50:742. Scaffold: Bemis and Murcko (1996), J Med Chem 39:2887; RDKit
    keeps atoms bound to it by a double bond. logP: Wildman and Crippen (1999), J Chem Inf Comput Sci 39:868. TPSA: Ertl
    et al. (2000), J Med Chem 43:3714. InChIKey: Heller et al. (2015), J Cheminf 7:23.
    """
    return _CELLS[feature](standard)


def _scaffold(standard: Standard) -> str:
    """Digest the scaffold. Of a molecule without rings nothing is left: all acyclic compounds are of one scaffold."""
    return _digest(Chem.MolToSmiles(Chem.MurckoDecompose(standard.molecule), isomericSmiles=False))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).digest()[:DIGEST_SIZE].hex()


def _ecfp4(standard: Standard) -> str:
    return DataStructs.BitVectToFPSText(_MORGAN.GetFingerprint(standard.molecule))


def _maccs(standard: Standard) -> str:
    return DataStructs.BitVectToFPSText(rdMolDescriptors.GetMACCSKeysFingerprint(standard.molecule))


def _decimal(name: str, compute: Callable[[Chem.Mol], float]) -> Callable[[Standard], str]:
    scale = FEATURES[name].scale
    return lambda standard: f"{compute(standard.molecule):.{scale}f}"


def _count(compute: Callable[[Chem.Mol], int]) -> Callable[[Standard], str]:
    return lambda standard: str(compute(standard.molecule))


_CELLS: Final[Mapping[str, Callable[[Standard], str]]] = MappingProxyType(
    {
        "compound": lambda standard: standard.inchikey,
        "inchikey": lambda standard: _digest(standard.inchikey),
        "scaffold": _scaffold,
        "ecfp4": _ecfp4,
        "maccs": _maccs,
        "mw": _decimal("mw", Descriptors.MolWt),  # type: ignore[attr-defined]  # RDKit makes it at import
        "logp": _decimal("logp", lambda molecule: rdMolDescriptors.CalcCrippenDescriptors(molecule)[0]),
        "tpsa": _decimal("tpsa", rdMolDescriptors.CalcTPSA),
        "hbd": _count(rdMolDescriptors.CalcNumHBD),
        "hba": _count(rdMolDescriptors.CalcNumHBA),
        "rotatable": _count(rdMolDescriptors.CalcNumRotatableBonds),
        "rings": _count(rdMolDescriptors.CalcNumRings),
        "aromatic-rings": _count(rdMolDescriptors.CalcNumAromaticRings),
        "heavy-atoms": _count(lambda molecule: molecule.GetNumHeavyAtoms()),
        "fsp3": _decimal("fsp3", rdMolDescriptors.CalcFractionCSP3),
    }
)
