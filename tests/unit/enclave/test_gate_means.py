import json
import math

import lung
import numpy as np
import pytest

from enclave.analyses.results import RawMean, RawMeans
from enclave.disclosure import release
from enclave.disclosure.concentration import rests_on_many
from enclave.disclosure.means import LARGEST_SHARE, LARGEST_TWO, is_dominated, release_means
from enclave.disclosure.support import coalitions
from protocol.documents.outputs import Mean, Means, Refusal
from protocol.documents.study import ContractOutput
from protocol.errors import DisclosureRefused
from protocol.presets import PRESETS

KEYS = tuple(lung.OWNERS[slot] for slot in "abc")
SACRO = PRESETS["sacro"]
HIDDEN = (None, None, None)


def cell(values, owners=None, absent=None, part="x", label="x"):
    values = np.asarray(values, dtype=float)
    owners = np.arange(len(values)) % 3 if owners is None else np.asarray(owners, dtype=int)
    return RawMean(label, values, owners, absent, part)


def told(*cells, preset=SACRO, recipients="abc", keys=KEYS):
    against = coalitions([lung.OWNERS[slot] for slot in recipients], keys)
    released = release_means(RawMeans(cells, keys), preset, against)
    assert [item.label for item in released.cells] == list(range(len(cells)))
    return [(item.subjects, item.mean, item.sd) for item in released.cells]


def is_told(values, owners=None, **more):
    ((_, mean, sd),) = told(cell(values, owners), **more)
    assert (mean is None) == (sd is None)
    return mean is not None


def normal(n=300, seed=1):
    return np.random.default_rng(seed).normal(100, 15, n)


def test_mean_and_deviation_leave_with_three_digits():
    values = normal()
    ((subjects, mean, sd),) = told(cell(values[:298]))
    assert (subjects, mean) == (300, f"{values[:298].mean():.3g}")
    assert float(sd) == pytest.approx(values[:298].std(ddof=1), rel=5e-3)
    assert len(sd) == 4  # 14.3


def test_the_deviation_is_that_of_a_sample():
    values = np.repeat([0.0, 1.0], 30)  # 0.50422, and 0.5 of a population
    assert told(cell(values))[0][1:] == ("0.500", "0.504")


@pytest.mark.parametrize(
    ("shift", "mean"), [(0.0, "0.50"), (-0.5004, "0.00"), (2.0, "2.50"), (-0.49, "0.01"), (1000.0, "1000")]
)
def test_a_mean_has_no_digit_beyond_the_last_of_its_deviation(shift, mean):
    values = np.tile([-0.7, 1.7], 60) + shift
    assert told(cell(values))[0][1:] == (mean, "1.21")


def test_large_and_small_numbers():
    for power in (-15, -9, 6, 12):
        ((_, mean, sd),) = told(cell(np.tile([1.0, 2.0, 4.0, 5.0], 30) * 10.0**power))
        assert float(mean) == pytest.approx(3 * 10.0**power)
        assert float(sd) == pytest.approx(1.59 * 10.0**power, rel=5e-3)


def test_a_deviation_of_which_no_digit_can_be_told_is_suppressed():
    assert told(cell(np.tile([1.0, 2.0], 60) * 1e-20)) == [HIDDEN]


def test_a_mean_near_zero_with_a_tiny_deviation():
    ((_, mean, sd),) = told(cell(np.tile([-3.0, 4.0], 60) * 1e-17))
    assert (mean, sd) == ("0.000000000000000005", "0.000000000000000035")


@pytest.mark.parametrize(("left", "shown"), [(20, True), (19, False), (10, False), (9, False)])
def test_enough_are_left_by_every_owner(left, shown):
    """Of two values, ten at each: so twenty are the fewest that can do."""
    owners = np.where(np.arange(240) < 240 - left, 0, 1)
    assert is_told(np.arange(240) % 2, owners) == shown
    assert is_told(np.arange(240) % 2, owners, recipients="h") == shown


def test_a_small_group_hides_its_variable_in_every_group():
    groups = [cell(normal(), part="age"), cell(normal(12), part="age"), cell(normal(), part="weight")]
    assert [item[1] is None for item in told(*groups)] == [True, True, False]


def test_an_empty_group_hides_its_variable():
    assert told(cell(normal()), cell([])) == [HIDDEN, HIDDEN]


def test_a_group_that_is_large_and_fails_hides_itself_only():
    assert [item[1] is None for item in told(cell(normal()), cell(np.ones(300)))] == [False, True]


def test_nobody_named_gets_nothing():
    released = release_means(RawMeans((cell(normal()),), KEYS), SACRO, frozenset())
    assert released == Means(cells=(Mean(label=0, subjects=None, mean=None, sd=None),))


# Few values


def test_a_constant_is_suppressed():
    assert not is_told(np.ones(300))
    assert not is_told(np.where(np.arange(300) % 3 == 0, normal(), 7.0), recipients="a")  # constant without a's


@pytest.mark.parametrize("ones", [0, 1, 14, 286, 300])
def test_a_number_of_two_values_is_a_count_of_few(ones):
    assert not is_told(np.arange(300) < ones)


@pytest.mark.parametrize("ones", [15, 16, 150, 285])
def test_a_number_of_two_values_is_a_count_of_enough(ones):
    assert is_told(np.arange(300) < ones)  # of fifteen ten are left without any owner


def test_of_three_values_each_is_a_count():
    values = np.repeat([0.0, 1.0, 2.0], [100, 100, 100])
    assert is_told(values)
    values[:100] = np.repeat([0.0, 1.0], [14, 86])
    assert not is_told(values)


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ([100, 100, 85, 15], True),
        ([100, 100, 86, 14], False),
        ([100, 170, 15, 15], True),
        ([100, 171, 15, 14], False),
        ([95, 95, 95, 15, 0], True),
        ([95, 95, 96, 7, 7], False),
        ([95, 95, 92, 9, 9], True),
        ([150, 134, 4, 4, 4, 4], False),
        ([150, 132, 6, 6, 6, 6], True),
    ],
)
def test_away_from_the_three_commonest_values_are_enough_or_nobody(counts, shown):
    """Without any owner's subjects ten of fifteen are left, nine of fourteen."""
    owners = np.concatenate([np.arange(count) % 3 for count in counts])
    values = np.repeat(np.arange(float(len(counts))), counts)
    assert is_told(values, owners) == shown


def test_values_are_counted_without_an_owners_own():
    # Owner a has all but nine of the ones, and values of its own that nobody else has.
    values = np.concatenate([np.ones(50), np.linspace(0, 1, 50), np.ones(9), np.zeros(141)])
    owners = np.concatenate([np.zeros(100), 1 + np.arange(150) % 2])
    assert not is_told(values, owners)
    assert is_told(np.concatenate([values, np.ones(30)]), np.concatenate([owners, 1 + np.arange(30) % 2]))


def test_with_a_stricter_preset_more_are_wanted():
    values = np.arange(300) < 20
    assert {name for name, preset in PRESETS.items() if is_told(values, preset=preset)} == set(PRESETS) - {"all-of-us"}


# Dominance


def test_published_cases_of_dominance(reference):
    """Cells with all contributors, as sdcTable and tau-Argus judge them: what p % with 15 refuses, dominance does too."""
    cases = json.loads((reference / "data/sdc/cases/dominance/cases.json").read_text("utf-8"))["cells"]
    assert len(cases) == 7
    for case in cases:
        values = np.array([*case["contrib"], 0.0], dtype=float)
        assert is_dominated(values) == (case["nk_1_50"] or case["nk_2_67"]), case["cell"]
        assert is_dominated(-values) == is_dominated(values)
        assert is_dominated(values) or not case["p_15"]


def test_the_bounds_of_dominance():
    assert (LARGEST_SHARE, LARGEST_TWO) == (0.5, 0.67)
    assert not is_dominated(np.array([50.0, 17.0, 17.0, 16.0]))
    assert is_dominated(np.array([50.1, 10.0, 20.0, 19.9]))
    assert is_dominated(np.array([34.0, 33.1, 11.0, 10.9, 11.0]))
    assert not is_dominated(np.array([33.6, 33.3, 11.1, 11.0, 11.0]))


@pytest.mark.parametrize("sign", [1, -1])
def test_one_large_value_is_suppressed(sign):
    values = normal()
    values[7] = sign * 1e6
    assert not is_told(values)


def test_dominance_is_judged_without_an_owners_own():
    # Owner a's own large values would hide that one of b's is most of what the others have.
    owners = np.where(np.arange(300) < 150, 0, 1)
    values = np.where(owners == 0, 1e6 + normal(), np.abs(normal()) / 100)
    values[200] = 1000.0
    assert not is_dominated(values)
    assert not is_told(values, owners)


def test_a_spread_that_rests_on_five_is_not_dominated():
    """So dominance, which the table of rules names, is never what decides under a preset of ours."""
    generator, seen = np.random.default_rng(8), np.zeros((2, 2), dtype=int)
    for _ in range(3000):
        values = generator.normal(size=generator.integers(6, 15)) * generator.exponential(size=1) ** 2
        values = np.append(values, generator.normal(size=generator.integers(0, 4)) * 4) + generator.normal() / 2
        seen[int(is_dominated(values)), int(rests_on_many([values], 5))] += 1
    assert seen[1, 1] == 0
    assert min(seen[0, 0], seen[0, 1], seen[1, 0]) > 100


# Spread


@pytest.mark.parametrize("few", [1, 2, 3, 9, 13])
def test_few_large_values_among_many_small_ones(few):
    values = np.random.default_rng(2).uniform(0, 1, 300)
    values[:few] += 500
    assert not is_told(values)


def test_enough_large_values_among_many_small_ones():
    values = np.random.default_rng(2).uniform(0, 1, 300)
    values[:18] += 500
    assert is_told(values)


def test_skewed_values_leave_where_there_are_many():
    skewed = np.random.default_rng(4).lognormal(0, 0.7, 1500)
    assert is_told(skewed)
    assert not is_told(skewed[:40])


# How many have a value


@pytest.mark.parametrize(("absent", "subjects"), [(None, 300), ([], None), ([0], None), ([0, 1, 2] * 4, None)])
def test_the_number_is_not_told_where_few_have_no_value(absent, subjects):
    absent = None if absent is None else np.array(absent, dtype=int)
    assert told(cell(normal(), absent=absent))[0][0] == subjects


def test_the_number_is_told_where_many_have_no_value():
    assert told(cell(normal(), absent=np.arange(15) % 3))[0][0] == 300
    assert told(cell(normal(), absent=np.arange(14) % 3))[0][0] is None
    assert told(cell(normal(), absent=np.zeros(100, dtype=int)))[0][0] is None  # all of them one owner's


# The gate


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_no_mean_of_what_is_no_number(bad):
    values = normal()
    values[3] = bad
    with pytest.raises(DisclosureRefused, match="NOT_FINITE"):
        told(cell(normal()), cell(values))


def test_no_mean_beyond_the_wire():
    with pytest.raises(DisclosureRefused, match="MAGNITUDE"):
        told(cell(normal() * 1e17))


def test_the_gate_takes_means():
    raw = RawMeans((cell(normal(), label="age (a)"),), KEYS)
    recipient = lung.contract_output(lung.plan().outputs[0]).recipients
    entry = ContractOutput(output="means", type="means", labels=("age (a)",), recipients=recipient)
    released = release(raw, entry, preset="sacro", owners=KEYS)
    assert isinstance(released, Means)
    assert released.cells[0].mean == f"{normal().mean():.3g}"
    bad = RawMeans((cell([math.nan] * 30, label="age (a)"),), KEYS)
    assert release(bad, entry, preset="sacro", owners=KEYS) == Refusal(refusal="POLICY")
