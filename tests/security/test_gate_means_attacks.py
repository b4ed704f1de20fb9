"""Attacks on means, Table 1 and feasibility: padding, subtraction, outliers under an offset, bits in low digits.

Each attack is first shown to work on what would leave without the rule against it, rounded as the gate rounds.
"""

import lung
import numpy as np
import pandas as pd
import pytest

from enclave.analyses.base import Inputs
from enclave.analyses.clinical.feasibility import Feasibility
from enclave.analyses.clinical.table1 import Table1
from enclave.analyses.results import RawMean, RawMeans
from enclave.disclosure import release_all
from enclave.disclosure.means import is_dominated, release_means
from enclave.disclosure.rounding import significant, to_base
from enclave.disclosure.support import coalitions
from enclave.mapping import map_cohort, map_schemas
from protocol.documents import Column, TableSchema
from protocol.documents.outputs import Mean
from protocol.documents.study import ColumnMapping
from protocol.errors import AnalysisError
from protocol.presets import PRESETS

SACRO = PRESETS["sacro"]
KEYS = tuple(lung.OWNERS[slot] for slot in "abc")
OUTSIDER = frozenset({frozenset({lung.OWNERS["d"]})})
"""The only coalition, if recipients alone counted and the one recipient, d, owned nothing."""
EVERYBODY = coalitions([lung.OWNERS["d"]], KEYS)
SUBJECT = Column(name="subject", description="Subject", kind="subject")
SCHEMA = TableSchema(
    columns=(
        SUBJECT,
        lung.number("chol", "mg/dL"),
        lung.category("arm", ("0", "placebo"), ("1", "drug")),
    )
)


def judged(values, owners=None, against=EVERYBODY):
    """What leaves of one cell."""
    values = np.asarray(values, dtype=float)
    owners = np.arange(len(values)) % 3 if owners is None else np.asarray(owners, dtype=int)
    (released,) = release_means(RawMeans((RawMean("x", values, owners),), KEYS), SACRO, against).cells
    return released


def hidden(released):
    return released == Mean(label=0, subjects=None, mean=None, sd=None)


def figures(values):
    """Mean and deviation of three significant digits, as they would leave without any rule."""
    return float(significant(float(np.mean(values)), 3)), float(significant(float(np.std(values, ddof=1)), 3))


def honest(n=300, seed=1):
    return np.random.default_rng(seed).normal(200, 40, n).round()


def trial(n=300):
    return pd.DataFrame(
        {
            "chol": honest(n),
            "arm": np.array(["0", "1"])[np.arange(n) % 2],
            "partner": np.array(list("abc"))[np.arange(n) % 3],
        }
    )


def run(analysis, parameters, outputs, frame, mappings=None):
    """Raw results and what leaves; ``mappings`` are those of every slot."""
    cohorts = lung.cohorts(frame, SCHEMA)
    by_slot = {cohort.slot: mappings for cohort in cohorts} if mappings else {}
    schemas = map_schemas({cohort.slot: cohort.schema for cohort in cohorts}, by_slot)
    mapped = tuple(map_cohort(cohort, schemas[cohort.slot], mappings or ()) for cohort in cohorts)
    plan = analysis.plan(parameters, outputs, schemas)
    raw = analysis.run(plan, Inputs(mapped, iter(()), bytes(32)))
    return raw, {item.output: item.value for item in release_all(raw, lung.contract(plan, recipients="d"))}


def test_honest_values_leave():
    assert (judged(honest()).mean, judged(honest()).subjects) == ("196", 300)
    _, released = run(Table1(), {"numbers": ("chol",)}, ("means",), trial())
    assert released["means"].cells[0].mean == "196"


# Padding with an owner's own rows


def test_own_large_values_do_not_hide_that_one_of_anothers_dominates():
    generator = np.random.default_rng(3)
    owners = np.repeat([0, 1], [150, 150])
    values = np.where(owners == 0, generator.uniform(4e5, 5e5, 300), generator.uniform(0, 10, 300))
    values[200] = 250_000  # one patient of b's
    padded = judged(values, owners, OUTSIDER)
    # Without the rule the mean leaves, and a takes away what it knows.
    others = float(padded.mean) * 300 - values[owners == 0].sum()
    assert abs(others - values[200]) < 0.5 * 300 * 10**3
    assert is_dominated(values[owners == 1])
    assert hidden(judged(values, owners))


@pytest.mark.parametrize("few", [0, 3])
def test_own_rows_do_not_open_a_number_of_two_values(few):
    owners = np.repeat([0, 1, 2], [100, 100, 100])
    values = np.where(owners == 0, np.arange(300) % 2, 0)
    values[150 : 150 + few] = 1
    padded = judged(values, owners, OUTSIDER)
    assert round(float(padded.mean) * 300) - 50 == few
    assert hidden(judged(values, owners))


def test_own_rows_do_not_open_a_small_group():
    frame = trial().assign(arm="0")
    few = frame.index[frame.partner == "b"][:4]
    own = frame.index[frame.partner == "a"][:60]
    frame.loc[few.union(own), "arm"] = "1"
    raw, released = run(Table1(), {"group": "arm", "numbers": ("chol",)}, ("means",), frame)
    padded = release_means(raw["means"], SACRO, OUTSIDER).cells[1]
    assert abs(float(padded.mean) * 64 - frame.chol[own].sum() - frame.chol[few].sum()) <= 0.5 * 64
    assert all(cell.mean is None for cell in released["means"].cells)


# Subtraction


def test_the_size_of_a_small_group_does_not_follow_from_the_public_rows():
    frame = trial().assign(arm="0")
    frame.loc[:5, "arm"] = "1"
    raw, released = run(Table1(), {"group": "arm", "numbers": ("chol",)}, ("means",), frame)
    large, _ = raw["means"].cells
    by_itself = judged(large.values, large.owners)
    assert abs(len(frame) - by_itself.subjects - 6) <= 2
    assert all(cell.subjects is None and cell.mean is None for cell in released["means"].cells)


def test_a_tracker_finds_no_total_beside_the_groups():
    """With a mean over all and one over all but a few, the few follow: no recipe gives both."""
    frame = trial()
    few = frame.index[:3]
    total, without = figures(frame.chol)[0] * 300, figures(frame.chol.drop(few))[0] * 297
    assert abs(total - without - frame.chol[few].sum()) <= 0.5 * 597
    schemas = {cohort.slot: cohort.schema for cohort in lung.cohorts(frame, SCHEMA)}
    columns = {"numbers": ("chol",)}
    groups = Table1().plan(columns | {"group": "arm"}, ("means",), schemas).outputs[0].labels
    assert groups == ("arm: placebo, chol (mg/dL)", "arm: drug, chol (mg/dL)")
    assert Table1().plan(columns, ("means",), schemas).outputs[0].labels == ("all, chol (mg/dL)",)


@pytest.mark.parametrize("others", [0, 3, 9])
def test_a_filter_that_all_but_a_few_match_does_not_count_the_few(others):
    frame = trial()
    frame["chol"] = np.where(np.arange(300) < others, 199, 200 + np.arange(300) % 50)
    parameters = {"where_columns": ("chol",), "where_tests": ("at least",), "where_values": ("200",)}
    raw, released = run(Feasibility(), parameters, ("matching",), frame)
    matching = raw["matching"].cells[0].support
    assert min(matching.without(frozenset({key})) for key in KEYS) >= SACRO.k  # by itself it would leave,
    assert abs(len(frame) - to_base(matching.total, 5) - others) <= 2  # and with the public rows tell the others
    assert [cell.count for cell in released["matching"].cells] == [None, None]


def test_a_filter_has_no_way_to_name_a_subject_or_to_say_not_or_or():
    frame = trial()
    schemas = {cohort.slot: cohort.schema for cohort in lung.cohorts(frame, SCHEMA)}
    for column, test, value in (
        ("subject", "is", "a-1"),
        ("chol", "is not", "200"),
        ("chol", "is", "200 or 201"),
        ("arm", "is", "0|1"),
        ("chol", "at least", "${row}"),
    ):
        parameters = {"where_columns": (column,), "where_tests": (test,), "where_values": (value,)}
        with pytest.raises(AnalysisError, match=r"COLUMN_KIND|FILTER_TEST|FILTER_VALUE|LEVEL_UNKNOWN"):
            Feasibility().plan(parameters, ("matching",), schemas)


def test_declaring_a_number_missing_does_not_tell_whether_anybody_has_it():
    """The number with a value, at an edge of rounding, would say whether somebody has the value that is left out."""
    answers = []
    for somebody in (False, True):
        frame = trial(303)
        frame.loc[[7], "chol"] = 564 if somebody else 200
        mappings = (ColumnMapping(column="chol", source="chol", missing=("564",)),)
        raw, released = run(Table1(), {"numbers": ("chol",)}, ("means",), frame, mappings)
        answers.append((to_base(len(raw["means"].cells[0].values), 5), released["means"].cells[0].subjects))
    assert answers == [(305, None), (300, None)]


# Few values


@pytest.mark.parametrize("counts", [(58, 29, 1, 1), (60, 25, 3, 1)])
def test_mean_and_deviation_do_not_count_four_values(counts):
    """Infarcts, 0 to 3: an owner takes its own rows away, and one table of the other's alone fits what is left.

    Of all tables with that many rows, these are those with k away from the commonest value, of three values k at each,
    and with a spread that rests on k: what would leave if only up to three values were counted.
    """
    own, others = np.repeat([0.0, 1.0], 12), sum(counts)
    values = np.concatenate([own, np.repeat(np.arange(4.0), counts)])
    shown = figures(values)
    tables = np.array([(a, b, c) for c in range(others) for b in range(others - c) for a in range(others - b - c + 1)])
    tables = np.column_stack([others - tables.sum(axis=1), tables])
    sums = tables @ np.arange(4.0) + own.sum()
    squares = tables @ np.arange(4.0) ** 2 + own.sum()
    deviations = np.sqrt((squares - sums**2 / len(values)) / (len(values) - 1))
    near = np.flatnonzero((abs(sums / len(values) - shown[0]) < 0.006) & (abs(deviations - shown[1]) < 0.006))
    fits = []
    for table in tables[near]:
        found = np.repeat(np.arange(4.0), table)
        kinds = table[table > 0]
        apart = (found - found.mean()) ** 2
        allowed = others - table.max() >= SACRO.k and (len(kinds) > 3 or kinds.min() >= SACRO.k)
        if allowed and apart.sum() ** 2 >= SACRO.k * (apart**2).sum():
            fits += [tuple(table)] * (figures(np.concatenate([own, found])) == shown)
    assert fits == [counts]
    assert hidden(judged(values, np.repeat([0, 1], [24, others])))


# Few subjects behind a sum


def test_an_offset_does_not_hide_an_outlier():
    """With 10^6 added to each value nobody dominates, and the deviation is still the outlier's."""
    values = np.random.default_rng(5).uniform(0, 10, 300)
    values[17] = 4321
    moved = values + 1e6
    assert not is_dominated(moved)
    _, deviation = figures(moved)
    assert abs(deviation * np.sqrt(300) - values[17]) < 0.01 * values[17]
    assert hidden(judged(values))
    assert hidden(judged(moved))


@pytest.mark.parametrize("far", [3, 9])
def test_in_a_small_group_a_mean_does_not_count_few_far_values(far):
    """Nine of forty are too many for the effective number, which they hide in: they take the mean with them."""
    values = np.random.default_rng(5).uniform(0, 2, 60)
    owners = np.where(np.arange(60) < 20, 0, 1)
    values[20 : 20 + far] = 500
    mean, _ = figures(values)
    assert round(mean * 60 / 500) == far
    assert hidden(judged(values, owners))
    spread = values[20:]
    shares = (spread - spread.mean()) ** 2
    assert (far == 3) == (shares.sum() ** 2 / (shares**2).sum() < SACRO.k)


@pytest.mark.parametrize("few", [3, 4, 9])
def test_a_deviation_does_not_count_few_large_values(few):
    """The cost of a transplant is known: how many had one follows from the deviation of costs."""
    values = np.random.default_rng(5).uniform(0, 2, 300)
    values[:few] = 500
    _, deviation = figures(values)
    assert round(299 * deviation**2 / 500**2 / (1 - few / 300)) == few
    assert few == 3 or not is_dominated(values)
    assert hidden(judged(values))


@pytest.mark.parametrize("few", [1, 5, 9])
def test_a_mean_of_zeros_and_ones_is_no_way_around_the_rule_for_counts(few):
    values = (np.arange(300) < few).astype(float)
    mean, _ = figures(values)
    assert round(mean * 300) == few
    assert hidden(judged(values))
    assert hidden(judged(1 - values))


def test_number_mean_and_deviation_do_not_count_three_values():
    counts = np.array([250, 45, 5])
    values = np.repeat([0.0, 1.0, 2.0], counts)
    mean, deviation = figures(values)
    total, squares = 300 * mean, 299 * deviation**2 + 300 * mean**2
    assert abs((squares - total) / 2 - counts[2]) < 0.5
    assert hidden(judged(values))


# Bits in low digits


def secrets(bits, count=50):
    return [int(secret) for secret in np.random.default_rng(8).integers(0, 2**bits, count)]


def test_24_bits_below_the_third_digit_do_not_leave():
    """Whoever writes values can put a secret into the low digits of each: what leaves is the same for all secrets."""
    base = np.tile([100.2, 140.2, 180.2, 220.2], 75)
    full, released = set(), set()
    for secret in secrets(24):
        values = base + secret * 2.0**-26
        full.add(float(values.mean()))
        released.add(judged(values).model_dump_json())
    assert len(full) == 50
    assert len(released) == 1


def test_an_offset_near_the_mean_is_no_magnifying_glass():
    """Three digits of a mean that an offset moved close to zero are as exact as one likes; of a deviation they are not."""
    base = np.tile([100.2, 140.2, 180.2, 220.2], 75)
    magnified, released = set(), set()
    for secret in secrets(9):
        moved = base + secret * 1e-4 - base.mean()
        magnified.add(figures(moved)[0])
        released.add(judged(moved).model_dump_json())
    assert len(magnified) > 40
    assert len(released) <= 2  # 512 secrets within one step of 0.1


def test_nothing_but_declared_fields_leaves():
    released = judged(honest())
    assert set(released.model_dump()) == {"label", "subjects", "mean", "sd"}
    assert (len(released.mean), len(released.sd)) == (3, 4)
    assert released.subjects % SACRO.base == 0
