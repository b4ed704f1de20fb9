"""What ``clinical.prediction`` says of itself."""

from enclave.analyses.base import Descriptor, OutputSpec
from enclave.analyses.clinical.prediction.models import MODELS
from enclave.analyses.parameters import ParameterSpec

__all__ = ["DESCRIPTOR"]

_BOTH = ("validation", "pooled")

DESCRIPTOR = Descriptor(
    name="clinical.prediction",
    title="Prediction of a binary outcome, validated",
    estimand=(
        "Discrimination and calibration of a model's predicted risks among subjects it was not trained on: those of "
        "other partners (validation), or a third of each partner's own (pooled). Complete cases only."
    ),
    profile="clinical",
    parameters=(
        ParameterSpec("outcome", "column", "What is predicted: a category, or a whole number.", _BOTH),
        ParameterSpec(
            "outcome_level",
            "level",
            "The level's code (or the whole number) that means the event; all else is none.",
            _BOTH,
        ),
        ParameterSpec(
            "covariates",
            "columns",
            "What it is predicted from: numbers as they are, categories against their first level.",
            _BOTH,
        ),
        ParameterSpec(
            "models",
            "choices",
            "Which models are trained. Gradient boosting for validation only, "
            "and of more than three slots one trains it.",
            _BOTH,
            choices=MODELS,
        ),
        ParameterSpec("train", "slots", "Slots whose subjects the models are trained on.", ("validation",)),
        ParameterSpec(
            "validate", "slots", "Slots whose subjects the models are tried on: all the other ones.", ("validation",)
        ),
    ),
    outputs=(
        OutputSpec(
            "validation",
            "metrics",
            "Models trained on some partners' subjects and tried on other partners'.",
            "How well each model tells those with the event from those without at the validating partners, and how far "
            "its predicted risks are right there. If one partner alone validates, only it learns this. The models "
            "themselves are not released.",
        ),
        OutputSpec(
            "pooled",
            "metrics",
            "Models trained on two thirds of all partners' subjects and tried on the rest.",
            "As validation, over a third of all partners' subjects together, drawn at random by partner and outcome.",
        ),
    ),
    references=(
        "DeLong ER et al (1988). Comparing the areas under two or more correlated ROC curves. Biometrics 44:837-845.",
        "Van Calster B et al (2016). A calibration hierarchy for risk models was defined. J Clin Epidemiol 74:167-176.",
        "Wilson EB (1927). Probable inference. J Am Stat Assoc 22:209-212.",
        "Friedman JH (2001). Greedy function approximation: a gradient boosting machine. Ann Stat 29:1189-1232.",
    ),
    outside_answer=(
        "FLamby's published accuracy of pooled training on heart disease in four hospitals; the area under Hanley and "
        "McNeil's curve with Stata's standard error; calibration of R's own predictions."
    ),
)
