"""The clinical profile: trial data and patients' records, a row for each subject."""

from typing import Final

from enclave.analyses.clinical.survival import Survival
from enclave.profiles import Profile

__all__ = ["PROFILE"]

PROFILE: Final = Profile(
    name="clinical",
    listed=(Survival(),),
    libraries=(
        "pandas",
        "scipy.special",
        "sklearn.preprocessing",
        "statsmodels.duration.hazard_regression",
        "statsmodels.duration.survfunc",
    ),
    row_limit=5_000_000,
    byte_limit=2**31,
)
