"""What ``clinical.survival`` says of itself."""

from enclave.analyses.base import Descriptor, OutputSpec
from enclave.analyses.parameters import ParameterSpec

__all__ = ["DESCRIPTOR", "MAX_DAYS", "MOST_GROUPS"]

MAX_DAYS = 40_000
"""About 110 years: no longer follow-up is believed."""
MOST_GROUPS = 50
_GROUPED = ("kaplan-meier", "log-rank", "log-rank-stratified", "subjects")
_ALL = ("cox", "cox-stratified", *_GROUPED)

DESCRIPTOR = Descriptor(
    name="clinical.survival",
    title="Time to an event",
    estimand=(
        "Log hazard ratios of covariates, and survival over time by group, among the partners' subjects taken "
        "together, under right censoring that is independent of the event given the covariates or the group."
    ),
    profile="clinical",
    parameters=(
        ParameterSpec("time", "column", "Follow-up from 0, in days: until the event or until censoring.", _ALL),
        ParameterSpec("event", "column", "What ended the follow-up: a category, or a whole number.", _ALL),
        ParameterSpec(
            "event_level",
            "level",
            "The level's code (or the whole number) that means the event; all else is censored.",
            _ALL,
        ),
        ParameterSpec(
            "covariates",
            "columns",
            "Covariates of the Cox model: numbers as they are, categories against their first level.",
            ("cox", "cox-stratified"),
        ),
        ParameterSpec("group", "column", "The category whose levels are compared.", _GROUPED),
        ParameterSpec("grid", "whole numbers", "Days at which survival is told, growing.", ("kaplan-meier",)),
    ),
    outputs=(
        OutputSpec(
            "cox",
            "regression",
            "Cox regression over all partners' subjects (Efron ties).",
            "How each covariate goes with the hazard over all partners together, and how many subjects and events the "
            "model rests on. With two partners only, each learns what the other one adds.",
        ),
        OutputSpec(
            "cox-stratified",
            "regression",
            "Cox regression with a baseline hazard for each partner.",
            "As cox, with differences in the partners' overall survival taken out. These differences are not told.",
        ),
        OutputSpec(
            "kaplan-meier",
            "survival",
            "Kaplan-Meier survival by group.",
            "The share of each group that is free of the event at the days of the grid, and about how many were still "
            "followed then. No exact times, no median.",
        ),
        OutputSpec(
            "log-rank",
            "test",
            "Log-rank test of the groups.",
            "Whether survival differs between the groups: a statistic and its p value.",
        ),
        OutputSpec(
            "log-rank-stratified",
            "test",
            "Log-rank test of the groups, stratified by partner.",
            "As log-rank, comparing subjects only with others of the same partner.",
        ),
        OutputSpec(
            "subjects",
            "counts",
            "Subjects by group and event.",
            "About how many subjects of each group had the event or were censored, rounded.",
        ),
    ),
    references=(
        "Cox DR (1972). Regression models and life-tables. J R Stat Soc B 34:187-220.",
        "Efron B (1977). The efficiency of Cox's likelihood function for censored data. J Am Stat Assoc 72:557-565.",
        "Kaplan EL, Meier P (1958). Nonparametric estimation from incomplete observations. J Am Stat Assoc 53:457-481.",
        "Mantel N (1966). Evaluation of survival data. Cancer Chemother Rep 50:163-170.",
    ),
    outside_answer="R 4.2.2, package survival 3.5-3: coxph, survfit, survdiff on the NCCTG lung trial.",
)
