"""A partner who tries to read one patient's outcome out of a regression, or out of what stands beside it.

Each attack first shows that it works on full-precision results, so that refusing it is worth something.
"""

import hashlib
from dataclasses import replace

import lung
import numpy as np
import pandas as pd
import pytest

from enclave.analyses.results import RawCell, RawCounts, RawRegression, Support, Unavailable
from enclave.disclosure import release, release_all
from enclave.disclosure.rounding import to_base
from enclave.disclosure.support import coalitions, safe_count
from protocol.documents.outputs import Refusal, Regression
from protocol.presets import PRESETS

N, TARGET = 240, 17
PLAN = lung.plan(outputs=("cox",), covariates=("age", "ph.ecog"), group=None, grid=None)
ENTRY = lung.contract_output(PLAN.outputs[0])
OWNERS = tuple(lung.OWNERS[slot] for slot in "abc")
REFUSED = Refusal(refusal="POLICY")
SACRO = PRESETS["sacro"]


def cohort(died, column):
    """A trial in which ``ph.ecog`` was made by the attacker; ``died``: whether the target did."""
    generator = np.random.default_rng(11)
    frame = pd.DataFrame(
        {
            "time": generator.integers(100, 900, N),
            "status": np.where(generator.random(N) < 0.6, "1", "0"),
            "age": generator.integers(40, 85, N),
            "sex": np.where(generator.random(N) < 0.5, "1", "2"),
            "partner": np.array(list("abc"))[np.arange(N) % 3],
        }
    )
    frame.loc[TARGET, ["time", "status"]] = 500, "1" if died else "0"
    frame["ph.ecog"] = column(frame).astype(float)
    return frame


def fit(frame):
    return lung.run(lung.cohorts(frame), outputs=("cox",), covariates=("age", "ph.ecog"), group=None, grid=None)["cox"]


def judge(raw):
    return release(raw, ENTRY, preset="sacro", owners=OWNERS)


def dummy(frame):
    return pd.Series(np.arange(N) == TARGET)


def near_dummy(frame):
    return pd.Series(np.where(np.arange(N) == TARGET, 10**6, np.random.default_rng(1).integers(0, 4, N)))


def two_valued(frame):
    return pd.Series(np.where(np.arange(N) == TARGET, 3, np.where(np.arange(N) == TARGET + 3, 4, 0)))


def all_but_one(frame):
    return pd.Series(np.arange(N) != TARGET)


def outcome_of_one(frame):
    return pd.Series(((frame.status == "1") & (np.arange(N) == TARGET)) * 7 + (np.arange(N) % 80 == 5))


COLUMNS = [dummy, near_dummy, two_valued, all_but_one, outcome_of_one]


@pytest.mark.parametrize("column", COLUMNS)
def test_without_the_gate_the_columns_outcome_can_be_told(column):
    alive, dead = fit(cohort(False, column)), fit(cohort(True, column))
    assert isinstance(dead, RawRegression)
    # Either no estimate exists exactly when the target lives, or its sign or size tells.
    if not isinstance(alive, Unavailable):
        gap = abs(dead.terms[1].coefficient - alive.terms[1].coefficient)
        assert gap > 0.5 * min(dead.terms[1].standard_error, alive.terms[1].standard_error)


@pytest.mark.parametrize("died", [False, True])
@pytest.mark.parametrize("column", COLUMNS)
def test_with_the_gate_both_answers_are_the_same_refusal(column, died):
    assert judge(fit(cohort(died, column))) == REFUSED


def test_an_honest_column_passes():
    honest = cohort(True, lambda frame: pd.Series(np.random.default_rng(2).integers(0, 4, N)))
    assert isinstance(judge(fit(honest)), Regression)


def test_padding_a_dummy_with_own_rows_does_not_pass():
    frame = cohort(True, dummy)
    frame.loc[(frame.partner == "a") & (frame.index != TARGET), "ph.ecog"] = 1.0  # a owns 80 rows and marks them all
    raw = fit(frame)
    marked = raw.design.matrix[:, 1] == 1
    assert 79 <= marked.sum() <= 81
    assert judge(raw) == REFUSED


def test_own_rows_under_many_names_do_not_pass():
    frame = cohort(True, dummy)
    copies = frame[frame.partner == "a"].assign(**{"ph.ecog": 1.0})
    assert judge(fit(pd.concat([frame, *[copies] * 5], ignore_index=True))) == REFUSED


def test_two_of_four_partners_cannot_pad_together():
    frame = cohort(True, dummy)
    frame["partner"] = np.array(list("abcd"))[np.arange(N) % 4]
    own = frame.partner.isin(["a", "d"]) & (frame.index != TARGET)
    frame.loc[own, "ph.ecog"] = 1.0
    raw = fit(frame)
    entry = lung.contract_output(PLAN.outputs[0], recipients="a")
    owners = tuple(lung.OWNERS[slot] for slot in "abcd")
    assert release(raw, entry, preset="sacro", owners=owners) == REFUSED


def test_a_reference_level_of_two_people_does_not_pass():
    schema = lung.TableSchema(
        columns=tuple(
            lung.category("sex", ("0", "unknown"), ("1", "male"), ("2", "female")) if column.name == "sex" else column
            for column in lung.SCHEMA.columns
        )
    )
    frame = cohort(True, lambda frame: pd.Series(np.arange(N) % 4))
    frame.loc[[TARGET, TARGET + 1], "sex"] = "0"
    frame.loc[[TARGET, TARGET + 1], "status"] = "1", "1"
    planned = lung.plan(schema, outputs=("cox",), group=None, grid=None)
    raw = lung.run(lung.cohorts(frame, schema), schema, outputs=("cox",), group=None, grid=None)["cox"]
    entry = lung.contract_output(planned.outputs[0])
    assert isinstance(raw, RawRegression)
    minorities = np.minimum(raw.design.matrix[:, 1:3].sum(axis=0), N - raw.design.matrix[:, 1:3].sum(axis=0))
    assert (minorities > 50).all()  # the contrasts by themselves look harmless
    assert release(raw, entry, preset="sacro", owners=OWNERS) == REFUSED


def test_a_suppressed_cell_does_not_follow_from_the_models_counts():
    a, b, c = OWNERS
    frame = cohort(True, lambda frame: pd.Series(np.arange(N) % 4))
    contract = lung.contract(lung.plan())
    raw = lung.run(lung.cohorts(frame))
    # Of the women with the event only four remain: the table suppresses that cell.
    cells = list(raw["subjects"].cells)
    women = Support({a: 2, b: 1, c: 1})
    cells[2] = RawCell(cells[2].label, women)
    events = cells[0].support.total + women.total
    results = {**raw, "subjects": RawCounts(tuple(cells))}
    assert safe_count(women, coalitions(OWNERS, OWNERS)) < SACRO.k
    # The attack: events of the model, within 2, less the other cell with events, within 2, were it told.
    low, high = (round(events / 5) * 5 - to_base(cells[0].support.total, SACRO.base) + slack for slack in (-4, 4))
    assert low <= women.total <= high
    assert high - low < SACRO.k
    released = {item.output: item.value for item in release_all(results, contract)}
    assert isinstance(released["cox"], Regression)
    assert all(cell.count is None for cell in released["subjects"].cells)


def test_no_pseudonym_or_exact_number_is_in_what_leaves():
    frame = cohort(True, lambda frame: pd.Series(np.arange(N) % 4))
    results = lung.run(lung.cohorts(frame))
    text = "".join(item.model_dump_json() for item in release_all(results, lung.contract(lung.plan())))
    for slot in "abc":
        for number in range(80):
            assert hashlib.sha256(f"{slot}-{number}".encode()).hexdigest()[:32] not in text
    for term in results["cox"].terms:
        assert repr(term.coefficient)[:10] not in text
    assert str(results["log-rank"].statistic)[:8] not in text


def test_a_refusal_is_the_same_for_every_rule():
    sound = fit(cohort(True, lambda frame: pd.Series(np.arange(N) % 4)))
    few = replace(sound, design=replace(sound.design, event=np.arange(N) < 12))
    leverage = sound.design.matrix * 1e-3
    leverage[0] = 10**6
    refusals = [
        judge(few),
        judge(replace(sound, design=replace(sound.design, matrix=leverage))),
        judge(Unavailable("NO_EVENTS")),
    ]
    assert {refusal.model_dump_json() for refusal in refusals} == {REFUSED.model_dump_json()}
