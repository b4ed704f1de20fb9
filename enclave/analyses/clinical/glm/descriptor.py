"""What ``clinical.glm`` says of itself."""

from enclave.analyses.base import Descriptor, OutputSpec
from enclave.analyses.parameters import ParameterSpec

__all__ = ["DESCRIPTOR"]

_LOGISTIC = ("logistic", "logistic-by-site")
_ALL = ("linear", "linear-by-site", *_LOGISTIC)

DESCRIPTOR = Descriptor(
    name="clinical.glm",
    title="Linear and logistic regression",
    estimand=(
        "Difference of the outcome's mean, or log odds ratio of an outcome, for each covariate with the others held "
        "fixed, among the partners' subjects taken together; by site: within partners, at one value for all of them."
    ),
    profile="clinical",
    parameters=(
        ParameterSpec(
            "outcome",
            "column",
            "The outcome: a number for linear regression, a category or a whole number for logistic regression.",
            _ALL,
        ),
        ParameterSpec(
            "outcome_level",
            "level",
            "The level's code (or the whole number) whose odds are modelled, against all else.",
            _LOGISTIC,
        ),
        ParameterSpec(
            "covariates", "columns", "Covariates: numbers as they are, categories against their first level.", _ALL
        ),
    ),
    outputs=(
        OutputSpec(
            "linear",
            "regression",
            "Linear regression over all partners' subjects.",
            "How each covariate goes with the mean of the outcome over all partners together, and about how many "
            "subjects the model rests on. With two partners only, each learns what the other one adds.",
        ),
        OutputSpec(
            "linear-by-site",
            "regression",
            "Linear regression with an intercept for each partner.",
            "As linear, with the partners' overall differences in the outcome taken out. These are not told.",
        ),
        OutputSpec(
            "logistic",
            "regression",
            "Logistic regression over all partners' subjects.",
            "How each covariate goes with the odds of the outcome over all partners together, and about how many "
            "subjects the model rests on and how many of them have the outcome. Nothing where the covariates determine "
            "the outcome of some of them, or nearly do.",
        ),
        OutputSpec(
            "logistic-by-site",
            "regression",
            "Logistic regression with an intercept for each partner.",
            "As logistic, with the partners' overall differences in the odds taken out. These are not told.",
        ),
    ),
    references=(
        "McCullagh P, Nelder JA (1989). Generalized Linear Models, 2nd ed. Chapman and Hall.",
        "Firth D (1993). Bias reduction of maximum likelihood estimates. Biometrika 80:27-38.",
        "Heinze G, Schemper M (2002). A solution to the problem of separation in logistic regression. Stat Med 21:2409",
    ),
    outside_answer="R 4.2.2: glm on the UCI heart disease data and on NHANES; PLINK v2.00a3.5 for Firth's likelihood.",
)
