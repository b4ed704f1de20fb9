"""The clinical profile: trial data and patients' records, a row for each subject."""

from typing import Final

from enclave.analyses.clinical.feasibility import Feasibility
from enclave.analyses.clinical.glm import Glm
from enclave.analyses.clinical.prediction import Prediction
from enclave.analyses.clinical.survival import Survival
from enclave.analyses.clinical.table1 import Table1
from enclave.profiles import Profile

__all__ = ["PROFILE"]

PROFILE: Final = Profile(
    name="clinical",
    listed=(Feasibility(), Glm(), Prediction(), Survival(), Table1()),
    libraries=(
        "multiprocessing.dummy",  # what boosting predicts with asks for it, though it starts no thread
        "pandas",
        "scipy.linalg",
        "scipy.optimize",
        "scipy.special",
        "scipy.stats",
        "sklearn.ensemble",
        "sklearn.linear_model",
        "sklearn.pipeline",
        "sklearn.preprocessing",
        "statsmodels.base.covtype",
        "statsmodels.discrete.discrete_model",
        "statsmodels.duration.hazard_regression",
        "statsmodels.duration.survfunc",
        "statsmodels.genmod.families",
        "statsmodels.genmod.generalized_linear_model",
        "statsmodels.regression.linear_model",
        "statsmodels.stats.proportion",
    ),
    row_limit=5_000_000,
    byte_limit=2**31,
)
