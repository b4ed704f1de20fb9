"""``clinical.prediction``: models of a binary outcome, trained on some subjects and tried on others."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from enclave.analyses.arrays import Bools, Integers
from enclave.analyses.base import Analysis, Inputs, Plan
from enclave.analyses.clinical.prediction.descriptor import DESCRIPTOR
from enclave.analyses.clinical.prediction.models import TREES, predict_log_odds
from enclave.analyses.clinical.prediction.performance import metric_labels, rate_models
from enclave.analyses.columns import require_column, require_covariates, require_distinct, require_level
from enclave.analyses.design import code_columns
from enclave.analyses.parameters import names, text
from enclave.analyses.pooling import Pooled, pool_subjects
from enclave.analyses.results import Design, RawMetrics, Support
from protocol.documents.dataset import Column, DatasetSchema
from protocol.documents.study import Parameter
from protocol.errors import AnalysisError
from protocol.types import Name

__all__ = ["Prediction", "draw_third"]

_TREES_TOGETHER = 3
"""Of up to so many owners no two are taken to collude."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column plays which part, and which slots train and validate."""

    outcome: Column
    outcome_level: Parameter
    covariates: tuple[Column, ...]
    models: tuple[str, ...]
    train: tuple[Name, ...]
    validate: tuple[Name, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PredictionData:
    """The complete cases of all cohorts: ``slots`` says for each row which slot it is of, ``seed`` is secret.

    ``left_out``: of each slot, the subjects with a missing value.
    """

    pooled: Pooled
    slots: Integers
    left_out: Mapping[Name, Support]
    roles: Roles
    seed: bytes = field(repr=False)

    @property
    def event(self) -> Bools:
        """Who has the outcome."""
        found = self.pooled.frame[self.roles.outcome.name] == self.roles.outcome_level
        return found.to_numpy(dtype=bool)

    def among(self, chosen: Sequence[Name]) -> Bools:
        """Who is of one of the slots."""
        return np.isin(self.slots, [place for place, slot in enumerate(self.left_out) if slot in chosen])

    def missing(self, chosen: Sequence[Name]) -> Support:
        """Count those of the slots who have a missing value."""
        found = [self.left_out[slot] for slot in chosen]
        return Support({key: sum(item.counts[key] for item in found) for key in self.pooled.owner_keys})

    def number(self, purpose: str) -> int:
        """Return 32 bits of the seed, others for each purpose."""
        return int.from_bytes(hashlib.sha256(self.seed + purpose.encode()).digest()[:4], "little")


class Prediction(Analysis[PredictionData]):
    """Logistic regression and gradient boosting, validated at other partners or on a third of all subjects."""

    descriptor = DESCRIPTOR

    def label(
        self, parameters: Mapping[Name, Parameter], outputs: Sequence[Name], datasets: Mapping[Name, DatasetSchema]
    ) -> Mapping[Name, tuple[str, ...]]:
        """Check columns, levels, models and slots; see ``Analysis.label``."""
        roles = _roles(parameters, datasets)
        if "validation" in outputs:
            _require_slots(roles, datasets)
        if TREES in roles.models:
            _require_trees(roles, outputs, datasets)
        return dict.fromkeys(outputs, metric_labels(roles.models))

    def about(
        self, output: Name, parameters: Mapping[Name, Parameter], datasets: Mapping[Name, DatasetSchema]
    ) -> tuple[Name, ...]:
        """Return the slots that validate: if they are one owner's, nobody else may receive the figures."""
        del datasets
        return names(parameters, "validate") if output == "validation" else ()

    def apart(self, output: Name, parameters: Mapping[Name, Parameter]) -> tuple[tuple[Name, ...], ...]:
        """Return who trains and who validates: nobody makes both a model and the rows that it is tried on."""
        return (names(parameters, "train"), names(parameters, "validate")) if output == "validation" else ()

    def pool(self, plan: Plan, inputs: Inputs) -> PredictionData:
        """Join the cohorts' complete cases, each cohort in the order of its subjects' pseudonyms.

        Raises
        ------
        AnalysisError
            ``SUBJECT_TWICE``; ``NO_SUBJECTS`` where no row is complete.
        """
        roles = _roles(plan.parameters, inputs.datasets)
        columns = [roles.outcome.name, *(column.name for column in roles.covariates)]
        # In whatever order an owner sent the rows, sums and draws come out the same.
        cohorts = [replace(cohort, frame=cohort.frame.sort_index()) for cohort in inputs.cohorts]
        pooled = pool_subjects(cohorts, columns)
        slots = np.repeat(np.arange(len(cohorts)), [len(cohort.frame) for cohort in cohorts])
        whole = pooled.frame[columns].notna().all(axis="columns").to_numpy()
        left_out = {cohort.slot: pooled.support((slots == place) & ~whole) for place, cohort in enumerate(cohorts)}
        return PredictionData(pooled.complete(columns), slots[whole], left_out, roles, inputs.seed)

    def estimate(self, output: Name, data: PredictionData) -> RawMetrics:
        """Train and rate all models.

        Raises
        ------
        AnalysisError
            ``NO_SUBJECTS`` where nobody is left to train on or to test; see also ``predict_log_odds``, ``rate_models``.
        """
        left_out = None
        if output == "validation":
            train, test = data.among(data.roles.train), data.among(data.roles.validate)
            left_out = data.missing(data.roles.validate)
        else:
            test = draw_third(2 * data.slots + data.event, data.number("split"))
            train = ~test
        if not (train.any() and test.any()):
            raise AnalysisError("NO_SUBJECTS", "Nobody without a missing value is left to train on, or to test.")
        coded, event = code_columns(data.pooled.frame, data.roles.covariates), data.event
        matrix = coded.matrix
        log_odds = [
            (model, predict_log_odds(model, matrix[train], event[train], matrix[test], data.number(model)))
            for model in data.roles.models
        ]
        rated = rate_models(log_odds, event[test], _part(data.pooled, test).support)
        owners, keys = data.pooled.owners, data.pooled.owner_keys
        scores = np.column_stack([odds for _, odds in log_odds])
        return replace(
            rated,
            trained=data.pooled.support(train),
            left_out=left_out,
            training=Design(owners[train], keys, matrix[train], coded.references[train], event[train]),
            scored=Design(owners[test], keys, scores, np.empty((len(scores), 0), dtype=bool), event[test]),
            trees=TREES in data.roles.models,
        )


def _part(pooled: Pooled, inside: Bools) -> Pooled:
    return Pooled(pooled.frame[inside], pooled.owners[inside], pooled.owner_keys)


def draw_third(strata: Integers, seed: int) -> Bools:
    """Draw a third of each stratum, to the nearest whole number.

    The rule is the same for all data: a stratum's size alone says how many are drawn, and the seed alone which; to the
    nearest, because rounding down would draw less than a third on average, and from strata of two nobody.

    Parameters
    ----------
    strata
        Int, shape (n,): partner and outcome of each subject. So the test set has the outcome as often as all have.
    seed
        Secret, 0 to 2^32 - 1.

    Returns
    -------
    Bools
        Shape (n,): who is drawn. Of n in a stratum it is n / 3, a third more or a third less.

    Examples
    --------
    >>> drawn = draw_third(np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2]), seed=5)
    >>> drawn[:3].sum(), drawn[3:9].sum(), drawn[9:].sum()
    (np.int64(1), np.int64(2), np.int64(1))
    """
    drawn = np.zeros(len(strata), dtype=bool)
    order = np.random.default_rng(seed).permutation(len(strata))
    for stratum in np.unique(strata):
        members = order[strata[order] == stratum]
        drawn[members[: (len(members) + 1) // 3]] = True
    return drawn


def _roles(parameters: Mapping[Name, Parameter], datasets: Mapping[Name, DatasetSchema]) -> Roles:
    outcome, covariates = text(parameters, "outcome"), names(parameters, "covariates")
    require_distinct({"outcome": [outcome], "a covariate": covariates})
    column = require_column(datasets, outcome, ("integer", "category"), "outcome")
    require_level(column, parameters["outcome_level"], "outcome")
    return Roles(
        outcome=column,
        outcome_level=parameters["outcome_level"],
        covariates=require_covariates(datasets, covariates),
        models=names(parameters, "models"),
        train=names(parameters, "train"),
        validate=names(parameters, "validate"),
    )


def _require_slots(roles: Roles, datasets: Mapping[Name, DatasetSchema]) -> None:
    """Each slot trains or validates: no dataset is asked for that the output does not use."""
    both = sorted({*roles.train} & {*roles.validate})
    if both:
        raise AnalysisError("SLOTS", f"Slot {both[0]} cannot both train and validate.")
    named = {*roles.train, *roles.validate}
    for slot in sorted(named - set(datasets)):
        raise AnalysisError("SLOTS", f"There is no slot {slot}. The recipe's slots: {', '.join(datasets)}.")
    for slot in sorted(set(datasets) - named):
        raise AnalysisError("SLOTS", f"Slot {slot} neither trains nor validates. Name it, or take it out.")


def _require_trees(roles: Roles, outputs: Sequence[Name], datasets: Mapping[Name, DatasetSchema]) -> None:
    """Refuse trees where who trains them with others may have a hand in the test set; the gate judges the owners."""
    if "pooled" in outputs:
        raise AnalysisError(
            "TREES",
            f"Found {TREES} for pooled, where everybody trains and is tested: a leaf could be an owner's own rows and "
            "one subject of another. Take logistic regression, or ask for validation alone.",
        )
    if len(datasets) > _TREES_TOGETHER and len(roles.train) > 1:
        raise AnalysisError(
            "TREES",
            f"Found {len(roles.train)} slots that train {TREES}, of {len(datasets)}: with more than {_TREES_TOGETHER} "
            "one who trains may collude with one who validates. Let one slot train, take fewer slots, or take logistic "
            "regression.",
        )
