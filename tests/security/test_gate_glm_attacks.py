"""A partner who tries to read one patient's outcome out of a linear or a logistic model.

Each attack first shows that it works on full-precision results, so that refusing it is worth something.
"""

import lung
import numpy as np
import pandas as pd
import pytest

from enclave.analyses.base import Inputs
from enclave.analyses.clinical.glm import Glm
from enclave.analyses.results import RawRegression, Unavailable
from enclave.disclosure import release
from enclave.mapping import map_cohort, map_schemas
from protocol.documents import Column, TableSchema
from protocol.documents.dataset import DatasetSchema
from protocol.documents.outputs import Refusal, Regression
from protocol.documents.study import ColumnMapping

N, TARGET = 240, 17
SCHEMA = TableSchema(
    columns=(
        Column(name="subject", description="Subject", kind="subject"),
        lung.number("pressure", "mm[Hg]"),
        lung.category("ill", ("0", "no"), ("1", "yes")),
        lung.number("age", "a"),
        lung.number("made"),
    )
)
GLM = Glm()
OWNERS = tuple(lung.OWNERS[slot] for slot in "abc")
REFUSED = Refusal(refusal="POLICY")
OUTPUTS = ("linear", "linear-by-site", "logistic", "logistic-by-site")


def planned(output, covariates=("age", "made")):
    outcome = {"outcome": "pressure"} if output.startswith("linear") else {"outcome": "ill", "outcome_level": "1"}
    datasets = dict.fromkeys("abc", DatasetSchema(table=SCHEMA))
    return GLM.plan(outcome | {"covariates": covariates}, (output,), datasets)


def fit(frame, output, mappings=(), covariates=("age", "made")):
    cohorts = (lung.cohort(part, slot, SCHEMA) for slot, part in frame.groupby("partner"))
    schema = map_schemas({"a": DatasetSchema(table=SCHEMA)}, {"a": mappings})["a"]
    mapped = tuple(map_cohort(cohort, schema, mappings) for cohort in cohorts)
    return GLM.run(planned(output, covariates), Inputs(mapped, iter(()), bytes(32)))[output]


def judge(raw, output, recipients="abc"):
    entry = lung.contract_output(planned(output).outputs[0], recipients)
    return release(raw, entry, preset="sacro", owners=OWNERS)


def study(ill=True, pressure=140, column=None, seed=11):
    """Patients of three partners; ``made`` is the attacker's column. The target is c's."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "pressure": generator.integers(90, 180, N),
            "ill": np.where(generator.random(N) < 0.5, "1", "0"),
            "age": generator.integers(40, 85, N),
            "partner": np.array(list("abc"))[np.arange(N) % 3],
        }
    )
    frame.loc[TARGET, "pressure"] = pressure
    frame.loc[TARGET, "ill"] = "1" if ill else "0"
    frame["made"] = 0
    frame["made"] = (honest if column is None else column)(frame)
    return frame


def honest(frame):
    return np.random.default_rng(2).integers(0, 4, N)


def dummy(frame):
    return (np.arange(N) == TARGET) * 1


def all_but_one(frame):
    return (np.arange(N) != TARGET) * 1


def near_dummy(frame):
    return np.where(np.arange(N) == TARGET, 10**6, np.random.default_rng(1).integers(0, 4, N))


def two_valued(frame):
    return np.where(np.arange(N) == TARGET, 3, np.where(np.arange(N) == TARGET + 3, 4, 0))


def padded_dummy(frame):
    """The target and all of partner a's own patients."""
    return ((np.arange(N) == TARGET) | (frame.partner == "a")) * 1


def outcome_of_one(frame):
    """The target's own outcome, and nothing of the others."""
    return frame.pressure * (np.arange(N) == TARGET) + (frame.ill == "1") * (np.arange(N) == TARGET) * 7


SINGLE = [dummy, all_but_one, near_dummy, two_valued]


@pytest.mark.parametrize("output", ["linear", "linear-by-site"])
@pytest.mark.parametrize("column", SINGLE)
def test_a_linear_coefficient_tells_the_outcome_of_one(column, output):
    """Without the gate the attacker, who knows the age and his column, reads how much higher the target's pressure is."""
    low, high = (fit(study(pressure=pressure, column=column), output).terms[1] for pressure in (120, 160))
    unit = np.ptp(column(study()))
    assert abs(high.coefficient - low.coefficient) * unit > 15
    for pressure in (120, 160):
        raw = fit(study(pressure=pressure, column=column), output)
        assert judge(raw, output) == REFUSED
        assert judge(raw, output, recipients="h") == REFUSED


@pytest.mark.parametrize("output", ["logistic", "logistic-by-site"])
@pytest.mark.parametrize("column", SINGLE)
def test_a_logistic_coefficient_tells_the_outcome_of_one(column, output):
    well, ill = (fit(study(ill=ill, column=column), output) for ill in (False, True))
    gap = ill.terms[1].coefficient - well.terms[1].coefficient
    assert abs(gap) > 0.5 * min(raw.terms[1].standard_error for raw in (well, ill))
    for raw in (well, ill):
        assert judge(raw, output) == REFUSED
        assert judge(raw, output, recipients="h") == REFUSED


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_dummy_padded_with_own_patients(output):
    for ill, pressure in ((False, 120), (True, 160)):
        raw = fit(study(ill, pressure, padded_dummy), output)
        assert isinstance(raw, RawRegression)
        assert 0.3 < raw.design.matrix[:, 1].mean() < 0.4
        for recipients in ("abc", "a", "h"):
            assert judge(raw, output, recipients) == REFUSED


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_column_that_holds_the_outcome_of_one(output):
    """y times 1[i]: its coefficient and error follow from the target's outcome alone."""
    raws = [fit(study(ill, pressure, outcome_of_one), output) for ill, pressure in ((False, 120), (True, 160))]
    assert raws[0].terms[1].coefficient != pytest.approx(raws[1].terms[1].coefficient, rel=0.05)
    assert {judge(raw, output).model_dump_json() for raw in raws} == {REFUSED.model_dump_json()}


@pytest.mark.parametrize("output", ["linear", "linear-by-site"])
def test_an_outcome_that_is_zero_but_for_one(output):
    """Whatever the column, each number of the model is proportional to the one outcome."""
    raws = []
    for pressure in (120, 160):
        frame = study()
        frame["pressure"] = np.where(np.arange(N) == TARGET, pressure, 0)
        raws.append(fit(frame, output))
    for low, high in zip(raws[0].terms, raws[1].terms, strict=True):
        assert high.coefficient / low.coefficient == pytest.approx(160 / 120, rel=1e-9)
        assert high.standard_error / low.standard_error == pytest.approx(160 / 120, rel=1e-9)
    assert [judge(raw, output) for raw in raws] == [REFUSED, REFUSED]


@pytest.mark.parametrize("output", ["linear", "linear-by-site"])
def test_an_outlying_outcome(output):
    """A standard error is the residuals' spread, and that is one patient's where he lies far off."""
    raws = [fit(study(pressure=pressure), output) for pressure in (10_000, 20_000)]
    errors = [raw.terms[1].standard_error for raw in raws]
    assert errors[1] / errors[0] == pytest.approx(20_000 / 10_000, rel=0.02)
    assert [judge(raw, output) for raw in raws] == [REFUSED, REFUSED]


@pytest.mark.parametrize("output", ["linear", "linear-by-site"])
@pytest.mark.parametrize("few", [(3, 0), (0, 4), (9, 0), (0, 9), (4, 3), (6, 3)])
def test_few_far_outcomes(output, few):
    """One partner's patients with a known far value: the coefficient says how they split."""
    frame = study()
    frame["made"] = np.arange(N) // 3 % 2
    frame["pressure"] = np.random.default_rng(4).integers(100, 120, N)
    for level, count in enumerate(few):
        frame.loc[np.flatnonzero((frame.made == level) & (frame.partner == "c"))[:count], "pressure"] = 30_000
    raw = fit(frame, output)
    told = raw.terms[1].coefficient * (N / 2) / 29_890
    assert round(told) == few[1] - few[0]
    for recipients in ("abc", "h"):
        assert judge(raw, output, recipients) == REFUSED


@pytest.mark.parametrize("few", [1, 2, 5])
def test_an_outcome_of_few_values(few):
    """Infarcts of 0, 1 and few of 3: whoever knows those on one side of a column counts the others' on the other side."""
    frame, made = study(), np.arange(N) // 3 % 2
    frame["made"], frame["pressure"] = made, np.arange(N) // 6 % 3 % 2
    frame.loc[np.flatnonzero((made == 1) & (frame.partner == "c"))[:few], "pressure"] = 3
    raw = fit(frame, "linear", covariates=("made",))
    known, rows = frame.pressure[made == 0], N // 2
    total = rows * (raw.terms[0].coefficient + known.mean())
    left = raw.terms[0].standard_error ** 2 * (N - 2) * rows / 2 - rows * known.var(ddof=0)
    assert (left + total**2 / rows - total) / 6 == pytest.approx(few)
    entry = lung.contract_output(planned("linear", ("made",)).outputs[0])
    assert release(raw, entry, preset="sacro", owners=OWNERS) == REFUSED
    frame.loc[frame.pressure == 3, "pressure"] = 1
    without = fit(frame, "linear", covariates=("made",))
    assert isinstance(release(without, entry, preset="sacro", owners=OWNERS), Regression)


@pytest.mark.parametrize("output", ["linear", "linear-by-site"])
def test_a_copy_of_the_outcome_but_for_one(output):
    """The rest fit exactly, so what is left over, and with it the standard error, is the target's."""
    raws = [
        fit(study(pressure=pressure, column=lambda frame: frame.pressure.where(np.arange(N) != TARGET, 135)), output)
        for pressure in (145, 155)
    ]
    errors = [raw.terms[1].standard_error for raw in raws]
    assert errors[1] / errors[0] == pytest.approx((155 - 135) / (145 - 135), rel=0.02)
    assert [judge(raw, output) for raw in raws] == [REFUSED, REFUSED]


@pytest.mark.parametrize("output", ["linear", "linear-by-site"])
def test_a_copy_of_the_outcome(output):
    assert fit(study(column=lambda frame: frame.pressure), output) == Unavailable("EXACT_FIT")


def group_of_equal_outcomes(pressure):
    """Sixty patients, well spread over the partners, with one value of the outcome but for the target."""
    frame = study(pressure=pressure)
    group = (np.arange(N) // 3 % 4 == 1) | (np.arange(N) == TARGET)
    frame["made"] = group * 1
    frame.loc[group & (np.arange(N) != TARGET), "pressure"] = 100
    return frame


def test_a_group_whose_outcomes_are_equal_but_for_one():
    low, high = (fit(group_of_equal_outcomes(pressure), "linear") for pressure in (120, 160))
    size = low.design.matrix[:, 1].sum()
    moved = (high.terms[1].coefficient - low.terms[1].coefficient) * size
    assert moved == pytest.approx(40, rel=0.1)  # whoever knows the others reads the target's to within a tenth
    assert [judge(raw, "linear") for raw in (low, high)] == [REFUSED, REFUSED]


def test_a_partner_whose_outcomes_are_constant_hides_nobody_by_site():
    """Within partners only three patients differ from the others in the column, at partners where outcomes differ."""
    frame = study()
    frame["made"] = np.where(frame.partner == "c", np.arange(N) // 3 % 2, np.isin(np.arange(N), [0, 1, 3]))
    frame.loc[frame.partner == "c", "ill"] = "1"
    raw = fit(frame, "logistic-by-site")
    assert isinstance(raw, RawRegression)
    assert raw.design.matrix[:, 1].sum() > 40
    assert judge(raw, "logistic-by-site") == REFUSED
    without = fit(frame[frame.partner != "c"], "logistic-by-site")
    assert without.terms[1].coefficient == pytest.approx(raw.terms[1].coefficient, rel=1e-9)


def test_the_other_level_does_not_help_a_score_past_the_gate():
    """Which level is modelled is a choice of the recipe; the numbers are the same, so the verdict must be."""
    frame = study()
    score = np.array([0, 1, 2, 8])[np.arange(N) // 3 % 4]
    frame["made"] = score
    frame.loc[(score == 8) & (np.arange(N) > 12), "ill"] = "1"
    for level in ("0", "1"):
        parameters = {"outcome": "ill", "outcome_level": level, "covariates": ("age", "made")}
        plan = GLM.plan(parameters, ("logistic",), dict.fromkeys("abc", DatasetSchema(table=SCHEMA)))
        cohorts = tuple(lung.cohort(part, slot, SCHEMA) for slot, part in frame.groupby("partner"))
        raw = GLM.run(plan, Inputs(cohorts, iter(()), bytes(32)))["logistic"]
        entry = lung.contract_output(plan.outputs[0])
        assert release(raw, entry, preset="sacro", owners=OWNERS) == REFUSED


def separated_but_for_the_target(ill):
    """Ill are those for whom the score and the age band are high together; of the others' patients only the target is.

    The rest of that corner are partner a's own, all ill. So the model separates exactly if the target is ill.
    """
    cells = [
        (0, 40, 66, "0"),
        (1, 40, 66, "0"),
        (0, 41, 66, "0"),
        (2, 40, 156, ""),
        (1, 41, 66, ""),
        (2, 41, 30, "1"),
    ]
    rows = [(score, age, mark) for score, age, count, mark in cells for _ in range(count)]
    frame = pd.DataFrame(rows, columns=["made", "age", "ill"])
    frame["ill"] = [mark or str(number // 3 % 2) for number, mark in enumerate(frame.ill)]
    frame["pressure"] = 100
    frame["partner"] = np.array(list("abc"))[np.arange(len(frame)) % 3]
    corner = frame.index[(frame.made == 2) & (frame.age == 41)]
    frame.loc[corner, "partner"] = "a"
    frame.loc[corner[-1], ["partner", "ill"]] = "c", "1" if ill else "0"
    return frame


@pytest.mark.parametrize("others", [0, 1, 9, 20])
def test_that_a_fit_is_penalised_does_not_tell_the_outcome_of_one(others):
    """The answer is the same whatever the target's outcome, also where others of the corner are partner b's, all ill."""
    raws = []
    for ill in (False, True):
        frame = separated_but_for_the_target(ill)
        corner = frame.index[(frame.made == 2) & (frame.age == 41)]
        frame.loc[corner[:others], "partner"] = "b"
        raws.append(fit(frame, "logistic"))
    assert [raw.penalised for raw in raws] == [False, True]
    well, ill = (raw.terms[1] for raw in raws)
    assert ill.coefficient - well.coefficient > 0.5  # and the estimates are far apart
    for recipients in ("abc", "a", "h"):
        assert [judge(raw, "logistic", recipients) for raw in raws] == [REFUSED, REFUSED]


@pytest.mark.parametrize("rows", range(238, 243))
@pytest.mark.parametrize("output", OUTPUTS)
def test_the_number_of_subjects_does_not_tell_whether_anybody_has_a_value(output, rows):
    """A mapping makes 84 a missing age: whether the target has it is not to be seen, at whatever edge of rounding."""
    mapping = (ColumnMapping(column="age", source="age", missing=("84",)),)
    told, left = [], []
    for age in (71, 84):
        frame = pd.concat([study(), study(seed=5)], ignore_index=True)[:rows].replace({"age": 84}, 83)
        frame.loc[TARGET, "age"] = age
        raw = fit(frame, output, mapping)
        left.append(len(raw.design.matrix))
        told.append(judge(raw, output).subjects)
    assert left == [rows, rows - 1]
    assert told[0] == told[1]


@pytest.mark.parametrize("output", OUTPUTS)
def test_honest_models_pass(output):
    released = judge(fit(study(), output), output)
    assert isinstance(released, Regression)
    assert (released.events is None) == output.startswith("linear")
