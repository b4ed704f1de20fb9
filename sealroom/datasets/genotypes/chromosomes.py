"""Which chromosomes are taken, and how each is written in the catalogue.

A linear model's dosages are of diploid calls, so only autosomes are sealed; 0, a chromosome that is not known, is kept.
"""

import re
from collections import Counter

__all__ = ["HUMAN_AUTOSOMES", "Chromosomes"]

HUMAN_AUTOSOMES = 22
_NUMBER = re.compile(r"(?:chr)?(\d{1,4})", re.ASCII | re.IGNORECASE)
_OTHER = re.compile(r"(?:chr)?(?:X|Y|XY|M|MT|PAR1|PAR2)", re.ASCII | re.IGNORECASE)
_OTHERS = 4
"""PLINK numbers X, Y, XY and MT after the last autosome."""


class Chromosomes:
    """Names chromosomes as PLINK writes them and counts the variants that are left out.

    Parameters
    ----------
    autosomes
        How many the species has: 22 in man. So many numbers are autosomes, the next four X, Y, XY and MT.
    """

    def __init__(self, autosomes: int = HUMAN_AUTOSOMES) -> None:
        self._autosomes = autosomes
        self.dropped: Counter[str] = Counter()

    def name(self, text: str) -> str | None:
        """Return the name in the catalogue, or None for a variant that is left out.

        Examples
        --------
        >>> chromosomes = Chromosomes()
        >>> [chromosomes.name(text) for text in ("chr7", "07", "scaffold_12", "0", "23", "chrX")]
        ['7', '7', 'scaffold_12', '0', None, None]
        """
        number = _NUMBER.fullmatch(text)
        if number is not None:
            value = int(number[1])
            if not self._autosomes < value <= self._autosomes + _OTHERS:
                return str(value)
        elif not _OTHER.fullmatch(text):
            return text
        self.dropped[text] += 1
        return None
