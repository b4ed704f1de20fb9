"""The studies that are measured, one for each enclave profile: recipes, simulated inputs, sizes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from _simulated import write_cohort, write_compounds, write_patients

from sealroom.demo.cohorts import GENOMICS
from sealroom.demo.lung import SURVIVAL
from sealroom.demo.solubility import DISCOVERY
from sealroom.demo.study import DemoStudy, data_of

__all__ = ["STUDIES", "Size", "Study"]

GLM = """\
title = "Death by age, sex and performance score"
analysis = "clinical.glm"
slots = ["a", "b", "c"]
outputs = ["logistic", "logistic-by-site"]

[parameters]
outcome = "status"
outcome_level = "1"
covariates = ["age", "sex", "ph.ecog"]
"""


class Size(NamedTuple):
    """Subjects, or compounds, of all three partners together, and variants where there are any."""

    subjects: int
    variants: int = 0

    def __str__(self) -> str:
        return f"{self.subjects} x {self.variants}" if self.variants else str(self.subjects)

    @property
    def stem(self) -> str:
        """What names of files and datasets end with."""
        return str(self).replace(" ", "")


@dataclass(frozen=True, slots=True)
class Study:
    """A study.

    ``demo``: the demo's study whose profile and schema it has. ``recipes``: TOML by name. ``write``: writes one
    partner's inputs, given path without suffix, subjects, variants and the partner's number. ``start_up``: a size that
    takes hardly more than start-up; each of ``sizes`` is measured beyond that.
    """

    demo: DemoStudy
    recipes: Mapping[str, str]
    write: Callable[[Path, int, int, int], None]
    start_up: Size
    sizes: tuple[Size, ...]
    packages: tuple[str, ...]
    unit: str = "subjects"
    genotypes: bool = False

    @property
    def name(self) -> str:
        """Its profile's."""
        return self.demo.profile

    @property
    def schema(self) -> str:
        """The demo's schema, of a file that holds every column under its own name."""
        return re.sub(r"(?m)^(header|molecules|left_out) = .*\n", "", _shipped(self.demo, "schema"))


def _shipped(demo: DemoStudy, name: str) -> str:
    return data_of(demo.name).joinpath(f"{name}.toml").read_text("utf-8")


_ALL = (
    Study(
        demo=SURVIVAL,
        recipes={"survival": _shipped(SURVIVAL, "recipe"), "glm": GLM},
        write=write_patients,
        start_up=Size(300),
        sizes=(Size(20_000), Size(200_000)),
        packages=("numpy", "pandas", "scipy", "statsmodels"),
    ),
    Study(
        demo=DISCOVERY,
        recipes={"qsar": _shipped(DISCOVERY, "qsar")},
        write=write_compounds,
        start_up=Size(900),
        sizes=(Size(1_800), Size(3_000)),
        packages=("numpy", "pandas", "scikit-learn"),
        unit="compounds",
    ),
    Study(
        demo=GENOMICS,
        recipes={"linear": _shipped(GENOMICS, "recipe")},
        write=write_cohort,
        start_up=Size(600, 256),
        sizes=(Size(3_000, 200_000), Size(12_000, 50_000)),
        packages=("numpy", "pandas", "scipy"),
        unit="subjects x variants",
        genotypes=True,
    ),
)
STUDIES: Mapping[str, Study] = {study.name: study for study in _ALL}
