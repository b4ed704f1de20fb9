"""Compounds that often look active whatever is tested: the PAINS filter. Imports RDKit."""

from rdkit import Chem
from rdkit.Chem import FilterCatalog

__all__ = ["Pains"]


class Pains:
    """Says whether a molecule matches at least one of the 480 PAINS patterns, as RDKit has them.

    References
    ----------
    Baell and Holloway (2010), J Med Chem 53:2719.
    """

    def __init__(self) -> None:
        parameters = FilterCatalog.FilterCatalogParams()
        parameters.AddCatalog(FilterCatalog.FilterCatalogParams.FilterCatalogs.PAINS)
        self._catalogue = FilterCatalog.FilterCatalog(parameters)

    def match(self, molecule: Chem.Mol) -> bool:
        """Say whether a molecule matches."""
        return self._catalogue.HasMatch(molecule)
