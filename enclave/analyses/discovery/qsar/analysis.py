"""``discovery.qsar``: models of an activity, trained on one partner's compounds and on all partners'."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from enclave.analyses.arrays import Bools, Floats
from enclave.analyses.base import Analysis, Inputs, Plan
from enclave.analyses.columns import require_column, require_distinct
from enclave.analyses.discovery.qsar.accuracy import Accuracy, measure_accuracy
from enclave.analyses.discovery.qsar.compounds import Compounds, Roles, join_compounds
from enclave.analyses.discovery.qsar.descriptor import DESCRIPTOR
from enclave.analyses.discovery.qsar.models import Sample, predict_activity
from enclave.analyses.discovery.qsar.split import Split, split_by_scaffold
from enclave.analyses.parameters import names, text
from enclave.analyses.results import Numbers, RawMetric, RawMetrics, RawResult
from protocol.documents.dataset import Column, DatasetSchema
from protocol.documents.study import Parameter
from protocol.errors import AnalysisError
from protocol.types import Name

__all__ = ["FEWEST_TESTED", "FEWEST_TRAINING", "Qsar"]

FEWEST_TRAINING = 50
"""Training compounds of a model, and of the pooled one without any one owner's. More than any preset's k, so that no
owner, by what it knows of its own, learns what fewer of the others' do to a model."""
FEWEST_TESTED = 5
_POOLED = (("", (1.0,)),)
_UPLIFT = ((" on own data", (1.0, 0.0)), (" on pooled data", (0.0, 1.0)), (", pooled minus own", (-1.0, 1.0)))
"""Words of a label behind the model, and how its figure is made of the predictions: from own data, from pooled data."""
_MEASURES = ("RMSE", "R2")
_FEWEST_SLOTS = 2


@dataclass(frozen=True, slots=True, eq=False)
class QsarData:
    """All compounds, who is tested, and by model what the pooled one says of them (of all compounds tested)."""

    compounds: Compounds
    split: Split
    pooled: Mapping[str, Floats]
    seed: bytes = field(repr=False)

    def sample(self, rows: Bools) -> Sample:
        """Return some compounds as a sample."""
        found = self.compounds
        return Sample(found.bits[rows], found.descriptors[rows], found.activity[rows])


class Qsar(Analysis[QsarData]):
    """Error of pooled models, and to each partner its own-versus-pooled uplift."""

    descriptor = DESCRIPTOR

    def label(
        self, parameters: Mapping[Name, Parameter], outputs: Sequence[Name], datasets: Mapping[Name, DatasetSchema]
    ) -> Mapping[Name, tuple[str, ...]]:
        """Check the columns and name the figures; see ``Analysis.label``."""
        if len(datasets) < _FEWEST_SLOTS:
            raise AnalysisError("SLOTS", "Pooling takes the compounds of at least two slots.")
        _roles(parameters, datasets)
        models = names(parameters, "models")
        return {output: tuple(label for label, *_ in _entries(output, models)) for output in outputs}

    def pool(self, plan: Plan, inputs: Inputs) -> QsarData:
        """Join the compounds, draw the test set, train on all partners' compounds.

        Raises
        ------
        AnalysisError
            ``COMPOUNDS_MANY``, ``FEW_COMPOUNDS``, ``ACTIVITY_CONSTANT``.
        """
        compounds = join_compounds(inputs.cohorts, _roles(plan.parameters, inputs.datasets))
        split = split_by_scaffold(compounds, inputs.seed)
        _require_training(split, compounds)
        _require_tested(split.test)
        data = QsarData(compounds, split, {}, inputs.seed)
        models = names(plan.parameters, "models")
        pooled = predict_activity(models, data.sample(split.train), data.sample(split.test), inputs.seed)
        return QsarData(compounds, split, pooled, inputs.seed)

    def estimate(self, output: Name, data: QsarData) -> RawResult:
        """Compute one output; see ``accuracy``."""
        compounds, tested, models = data.compounds, data.split.test, tuple(data.pooled)
        predictions = {model: [pooled] for model, pooled in data.pooled.items()}
        if output != "pooled":
            mine = compounds.slots == compounds.slot_names.index(output.removeprefix("uplift-"))
            train = mine & data.split.train
            if np.count_nonzero(train) < FEWEST_TRAINING:
                raise AnalysisError("FEW_COMPOUNDS", "Too few of the partner's compounds are left to train on.")
            among, tested = mine[tested], tested & mine
            _require_tested(tested)
            own = predict_activity(models, data.sample(train), data.sample(tested), data.seed)
            predictions = {model: [own[model], pooled[among]] for model, pooled in data.pooled.items()}
        accuracy = {
            model: measure_accuracy(compounds.activity[tested], found, compounds.compounds[tested], data.seed, output)
            for model, found in predictions.items()
        }
        return _metrics(output, data, tested, accuracy)


def _metrics(output: Name, data: QsarData, tested: Bools, accuracy: Mapping[str, Accuracy]) -> RawMetrics:
    subjects = data.compounds.support(tested, data.compounds.compounds)
    clusters = data.compounds.support(tested, data.compounds.scaffolds)
    trained = data.compounds.support(data.split.train, data.compounds.compounds)
    entries = []
    for label, model, measure, weights in _entries(output, tuple(accuracy)):
        figure = accuracy[model].figures(weights)[_MEASURES.index(measure)]
        squares = _per_compound(data.compounds, tested, accuracy[model].behind(measure, weights))
        entries.append(RawMetric(label, figure.value, figure.lower, figure.upper, subjects, None, squares=squares))
    outcomes = (_activities(data.compounds, tested), _activities(data.compounds, data.split.train))
    return RawMetrics(tuple(entries), subjects, None, clusters, trained, outcomes=outcomes)


def _activities(compounds: Compounds, rows: Bools) -> Numbers:
    activity, ones = compounds.activity[rows], np.ones(np.count_nonzero(rows))
    found = _per_compound(compounds, rows, [activity, ones])
    return Numbers(found.values[:1] / found.values[1:], found.owners, found.owner_keys)


def _per_compound(compounds: Compounds, rows: Bools, columns: Sequence[Floats]) -> Numbers:
    """Add up what an owner measured of one compound, in several slots."""
    owners = compounds.owners[rows]
    _, first, place = np.unique(
        np.column_stack([owners, compounds.compounds[rows]]), axis=0, return_index=True, return_inverse=True
    )
    sums = [np.bincount(place.ravel(), weights=column) for column in columns]
    return Numbers(np.array(sums, dtype=float), owners[first], compounds.owner_keys)


def _entries(output: Name, models: Sequence[str]) -> Iterator[tuple[str, str, str, tuple[float, ...]]]:
    """Yield of each figure its label, model, measure, and how it is made of the predictions."""
    for model in models:
        for measure in _MEASURES:
            for words, weights in _POOLED if output == "pooled" else _UPLIFT:
                yield f"{model}{words}: {measure}", model, measure, weights


def _require_tested(tested: Bools) -> None:
    if np.count_nonzero(tested) < FEWEST_TESTED:
        raise AnalysisError("FEW_COMPOUNDS", "Too few compounds are tested.")


def _require_training(split: Split, compounds: Compounds) -> None:
    for owner in range(len(compounds.owner_keys)):
        if np.count_nonzero(split.train & (compounds.owners != owner)) < FEWEST_TRAINING:
            raise AnalysisError("FEW_COMPOUNDS", "Without one owner's compounds too few are left to train on.")


def _roles(parameters: Mapping[Name, Parameter], datasets: Mapping[Name, DatasetSchema]) -> Roles:
    chosen = {role: text(parameters, role) for role in ("activity", "fingerprint", "scaffold", "compound")}
    descriptors = names(parameters, "descriptors")
    require_distinct({role: [column] for role, column in chosen.items()} | {"a descriptor": descriptors})
    return Roles(
        activity=require_column(datasets, chosen["activity"], ("integer", "decimal"), "activity"),
        fingerprint=_fingerprint(datasets, chosen["fingerprint"]),
        descriptors=tuple(require_column(datasets, name, ("integer", "decimal"), "descriptor") for name in descriptors),
        scaffold=require_column(datasets, chosen["scaffold"], ("digest",), "scaffold"),
        compound=require_column(datasets, chosen["compound"], ("digest",), "compound"),
    )


def _fingerprint(datasets: Mapping[Name, DatasetSchema], name: str) -> Column:
    column = require_column(datasets, name, ("bits",), "fingerprint")
    widths = {slot: found.width for slot, data in datasets.items() if (found := data.table.column(name))}
    if set(widths.values()) != {column.width}:
        told = ", ".join(f"{width} bits in slot {slot}" for slot, width in widths.items())
        raise AnalysisError("WIDTH", f"fingerprint: column {name} differs in width: {told}. Use one fingerprint.")
    return column
