import math
from dataclasses import replace

import lung
import numpy as np
import pytest

from enclave.analyses.results import Design, Numbers, RawMetric, RawMetrics, Support
from enclave.disclosure import release
from enclave.disclosure.means import is_dominated
from enclave.disclosure.metrics import release_metrics
from enclave.disclosure.support import coalitions
from protocol.documents import ContractOutput, Recipient
from protocol.documents.outputs import Metrics, Refusal
from protocol.errors import DisclosureRefused
from protocol.presets import PRESETS

A, B, C, D = (lung.OWNERS[slot] for slot in "abcd")
ABC = (A, B, C)
SACRO = PRESETS["sacro"]
ANALYST = "ee" * 32


def spread(*counts):
    """So many subjects of a, b, c."""
    return Support(dict(zip(ABC, counts, strict=False)))


def each(count):
    return spread(count, count, count)


def entry(label="AUROC", value=0.8123, lower=0.7549, upper=0.8697, support=None, events=None, **more):
    return RawMetric(label, value, lower, upper, support or each(100), events or each(50), **more)


def sums(*of_owners):
    """One sum: of a, b, c these squares each."""
    owners = np.repeat(np.arange(len(of_owners)), [len(squares) for squares in of_owners])
    return Numbers(np.concatenate(of_owners)[np.newaxis].astype(float), owners, ABC)


def plain(support, squares=None, **more):
    """A figure about a number; unless told, all its squares are equal."""
    squares = squares or sums(*([1.0] * support.counts[key] for key in ABC))
    return RawMetric("RMSE", 1.2345, 1.1, 1.3, support, None, squares=squares, **more)


def outcomes(count=100):
    """As many spread-out outcomes of each owner."""
    return sums(*[np.linspace(-1, 1, count)] * 3)


def numeric(*entries, subjects, tested=None, trained=None):
    """Figures about a number."""
    return RawMetrics(entries, subjects, None, outcomes=(tested or outcomes(), trained or outcomes()))


def design(*columns, owners=ABC, event=None, each_has=100):
    """As many rows of each owner; without a word on it a column of two values, either with as many events as not."""
    rows = np.arange(each_has * len(owners))
    found = columns or (np.where(rows // 2 % 2, 1.0, -1.0),)
    return Design(
        owners=rows // each_has,
        owner_keys=tuple(owners),
        matrix=np.column_stack(found),
        references=np.empty((len(rows), 0), dtype=bool),
        event=rows % 2 == 0 if event is None else event,
    )


def raw(*entries, subjects=None, events=None, **more):
    sound = {"trained": each(100), "training": design(), "scored": design()}
    return RawMetrics(entries or (entry(),), subjects or each(100), events or each(50), **(sound | more))


def judge(made, recipients=ABC, owners=ABC, preset=SACRO):
    return release_metrics(made, preset, coalitions(recipients, owners), recipients)


def refused(made, **more):
    with pytest.raises(DisclosureRefused) as caught:
        judge(made, **more)
    return caught.value.code


def shown(made, **more):
    return [found.label for found in judge(made, **more).entries if found.value is not None]


def test_figures_leave_with_three_digits_and_their_intervals():
    made = raw(entry(), entry("slope", 0.0123456, -1.23456, 12.3456), subjects=each(101), events=each(51))
    released = judge(made)
    assert (released.subjects, released.events) == (305, 155)
    assert [(found.label, found.value, found.lower, found.upper) for found in released.entries] == [
        (0, "0.812", "0.755", "0.870"),
        (1, "0.0123", "-1.23", "12.3"),
    ]


def test_tested_subjects_that_were_left_out_show_where_an_owner_has_k_of_them():
    assert judge(raw(left_out=spread(9, 9, 0))).subjects == 320  # 318 rows, to the nearest five
    assert judge(raw(left_out=spread(10, 30, 10))).subjects == 300
    assert judge(raw(left_out=spread(10, 9, 10))).subjects == 310


def test_of_a_number_there_are_no_events():
    made = numeric(plain(each(10)), plain(spread(10, 9, 0)), subjects=each(10))
    released = judge(made)
    assert (released.subjects, released.events) == (30, None)
    assert [found.value for found in released.entries] == ["1.23", None]  # of 10 and 9 nine are left without a's
    assert refused(numeric(plain(each(10)), subjects=spread(10, 9, 0))) == "SUBJECTS"


def shown_of(*of_owners, recipients=ABC, owners=ABC, preset=SACRO):
    """Whether a figure made of these squares leaves."""
    support = spread(*(len(squares) for squares in of_owners))
    made = numeric(plain(support, sums(*of_owners)), subjects=support)
    return shown(made, recipients=recipients, owners=owners, preset=preset) == [0]


def heavy(share, rest=50):
    """Squares of which the first is this share of all, and the others are equal."""
    return [share * rest / (1 - share), *[1.0] * rest]


@pytest.mark.parametrize("share", [0.5, 0.67, 0.99, 1 - 1e-9])
def test_no_compound_of_others_carries_a_figure(share):
    assert shown_of([1.0] * 50, [1.0] * 50, [1.0] * 50)
    for place in range(3):  # whoever has it, and whoever pads
        parts = [[0.01] * 20] * 3
        parts[place] = heavy(share)
        assert not shown_of(*parts)
        parts[place - 1] = [1e6] * 50
        assert not shown_of(*parts)
    assert not shown_of(heavy(share), [], [], recipients=(A,))  # nor of its owner's own: a query on the pooled model


def equal(count, rest=20):
    """So many squares of one size, and others of nothing."""
    return [1.0] * count + [0.0] * rest


def test_a_sum_rests_on_k_of_others():
    assert shown_of(equal(5), equal(5), equal(5))
    assert not shown_of(equal(5), equal(5), equal(4))  # nine are left without a's or b's
    assert not shown_of(equal(5), equal(5), [*equal(4), 1.1])
    assert shown_of(equal(4), equal(4), equal(4), preset=PRESETS["uk-biobank"])


def test_two_owners_who_collude_know_each_others_squares():
    assert shown_of(equal(50), equal(9), equal(9))  # eighteen are left without a's
    assert shown_of(equal(50), equal(10), equal(10), owners=(*ABC, D))
    assert not shown_of(equal(50), equal(9), equal(9), owners=(*ABC, D))


@pytest.mark.parametrize("bad", [0.0, math.inf, math.nan])
def test_a_sum_of_nothing_or_of_no_number_rests_on_nobody(bad):
    assert not shown_of(*[[bad] * 20] * 3)


def test_each_sum_of_a_figure_is_judged():
    """R2 is made of two, a difference of two models of up to three."""
    one, other = sums(*[[1.0] * 20] * 3), sums(heavy(0.9, 19), *[[1.0] * 20] * 2)
    for pair in ((one, other), (other, one)):
        both = replace(one, values=np.vstack([of_one.values for of_one in pair]))
        made = numeric(plain(each(20), one), plain(each(20), both), subjects=each(20))
        assert shown(made) == [0]


def test_a_figure_about_a_number_without_its_squares_does_not_leave():
    bare = RawMetric("RMSE", 1.2, 1.1, 1.3, each(50), None)
    assert shown(numeric(bare, plain(each(50)), subjects=each(50))) == [1]


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("which", ["tested", "trained"])
def test_outcomes_of_few_are_not_all_of_their_spread(which, place):
    """Who pads with outcomes far off moves the mean of all, not that of the others."""
    good = numeric(plain(each(50)), subjects=each(50))
    assert shown(good) == [0]
    parts = [[*np.linspace(-1, 1, 50)] for _ in range(3)]
    parts[place] = [*parts[place], 30.0]
    assert refused(numeric(plain(each(50)), subjects=each(50), **{which: sums(*parts)})) == "SPREAD"
    parts[place - 1] = [1e3] * 50
    assert refused(numeric(plain(each(50)), subjects=each(50), **{which: sums(*parts)})) == "SPREAD"


def test_that_others_have_one_outcome_is_not_told():
    same = sums(np.linspace(-1, 1, 50), [2.0] * 50, [2.0] * 50)
    assert refused(numeric(plain(each(50)), subjects=each(50), trained=same)) == "SPREAD"


def test_outcomes_of_an_owners_own_figure():
    """b's figure rests on a model of all: without what b knows, the outcomes of others must rest on many."""
    support = spread(0, 50, 0)
    own = sums([], np.linspace(-1, 1, 50), [])
    good = numeric(plain(support), subjects=support, tested=own)
    assert shown(good, recipients=(B,)) == [0]
    far = sums([*np.linspace(-1, 1, 50), 30.0], np.linspace(-1, 1, 50), [])
    assert refused(replace(good, outcomes=(own, far)), recipients=(B,)) == "SPREAD"
    assert refused(replace(good, outcomes=None), recipients=(B,)) == "SPREAD"


@pytest.mark.parametrize("seed", range(20))
def test_from_k_of_5_on_the_rule_for_dominance_follows(seed):
    assert min(preset.k for preset in PRESETS.values()) >= 5
    generator = np.random.default_rng(seed)
    squares = generator.pareto(generator.uniform(0.3, 3), size=60)
    kept = shown_of([1.0] * 30, squares, [], preset=PRESETS["uk-biobank"], recipients=(A,))
    assert not (kept and is_dominated(squares))


@pytest.mark.parametrize(
    ("subjects", "events", "code"),
    [
        (spread(200, 9, 0), spread(100, 5, 0), "SUBJECTS"),  # a knows all but nine
        (spread(200, 100, 0), spread(100, 9, 0), "OUTCOME"),
        (spread(200, 100, 0), spread(100, 91, 0), "OUTCOME"),  # nine without
    ],
)
def test_a_test_set_too_small_for_the_worst_owner(subjects, events, code):
    made = raw(subjects=subjects, events=events)
    assert refused(made) == code
    assert refused(made, recipients=(ANALYST,)) == code  # whoever receives it


def test_a_test_set_that_suffices():
    made = raw(subjects=spread(200, 20, 0), events=spread(100, 10, 0))
    assert judge(made).subjects == 220


def test_ten_events_where_k_is_less_and_k_where_it_is_more():
    nine, twenty = raw(events=spread(50, 9, 0)), raw(events=spread(50, 20, 0))
    assert refused(nine, preset=PRESETS["uk-biobank"]) == "OUTCOME"
    assert judge(twenty).events == 70
    assert refused(twenty, preset=PRESETS["all-of-us"]) == "OUTCOME"


def test_from_four_owners_on_two_may_collude():
    owners = (*ABC, D)
    made = raw(subjects=spread(100, 100, 19), events=spread(50, 50, 10))
    assert judge(made)
    assert refused(made, owners=owners) == "OUTCOME"


def test_one_owners_figures_go_to_that_owner_alone():
    made = raw(subjects=spread(0, 100, 0), events=spread(0, 50, 0))
    for recipients in ((A,), (A, B), ABC, (ANALYST,), (B, ANALYST), ()):
        assert refused(made, recipients=recipients) == "ONE_OWNER"
    own = replace(
        made, entries=(entry(support=spread(0, 20, 0), events=spread(0, 10, 0)), entry(events=spread(0, 9, 0)))
    )
    assert shown(own, recipients=(B,)) == [0]
    assert shown(own, recipients=(B, B), owners=(B,)) == [0]
    assert shown(own, recipients=(B,), owners=(*ABC, D)) == [0]
    assert refused(raw(subjects=spread(0, 9, 0), events=spread(0, 5, 0)), recipients=(B,)) == "SUBJECTS"
    assert refused(raw(subjects=spread(0, 29, 0), events=spread(0, 20, 0)), recipients=(B,)) == "OUTCOME"


def test_a_single_subject_more_makes_it_two_owners():
    made = raw(subjects=spread(1, 100, 0), events=spread(1, 50, 0))
    assert refused(made, recipients=(B,)) == "SUBJECTS"


def test_nobody_receives_or_nobody_is_tested():
    assert refused(raw(), recipients=()) == "SUBJECTS"
    assert refused(raw(subjects=each(0), events=each(0))) == "SUBJECTS"


@pytest.mark.parametrize(
    ("clusters", "allowed"),
    [(each(3), True), (spread(9, 2, 0), False), (spread(9, 2, 2), False), (spread(9, 3, 0), True), (spread(), False)],
)
def test_compounds_are_of_three_clusters(clusters, allowed):
    made = raw(clusters=clusters)
    if allowed:
        assert shown(made) == [0]
    else:  # two owners' clusters may be the same ones
        assert refused(made) == "CLUSTERS"


@pytest.mark.parametrize(("clusters", "allowed"), [(2, False), (3, True)])
def test_clusters_of_an_owners_own_compounds(clusters, allowed):
    made = raw(subjects=spread(100), events=spread(50), clusters=spread(clusters))
    assert allowed == (not isinstance(release(made, contract_output(A), preset="sacro", owners=ABC), Refusal))


@pytest.mark.parametrize(
    ("trained", "allowed"),
    [
        (each(10), True),
        (spread(100, 0, 0), True),  # a knows the whole training set, and nobody is to be protected from it
        (spread(100, 9, 0), False),
        (spread(100, 5, 4), False),
        (spread(100, 10, 0), True),
    ],
)
def test_a_training_set_in_which_few_are_of_others(trained, allowed):
    made = raw(trained=trained)
    if allowed:
        assert shown(made) == [0]
    else:
        assert refused(made) == "TRAINING"
        own = replace(made, subjects=spread(0, 100, 0), events=spread(0, 50, 0))
        assert refused(own, recipients=(B,)) == "TRAINING"


@pytest.mark.parametrize(
    ("support", "events", "allowed"),
    [
        (spread(10, 10, 9), spread(5, 5, 5), False),  # nine with and nine without at most
        (spread(10, 10, 10), spread(5, 5, 4), False),
        (spread(10, 10, 10), spread(5, 5, 5), True),
        (spread(50, 10, 9), spread(40, 5, 4), False),
        (each(50), each(4), False),
        (each(50), each(46), False),
    ],
)
def test_a_figure_over_too_few_is_suppressed(support, events, allowed):
    released = judge(raw(entry(), entry("b", support=support, events=events)))
    assert released.entries[0].value == "0.812"
    second = released.entries[1]
    assert (second.value, second.lower, second.upper) == (("0.812", "0.755", "0.870") if allowed else (None,) * 3)


@pytest.mark.parametrize(
    ("value", "lower", "upper", "allowed"),
    [
        (1.0, 1.0, 1.0, False),
        (0.99951, 0.99, 1.0, False),
        (0.9995, 0.99, 1.0, True),
        (0.0, 0.0, 0.1, False),
        (0.00049, 0.0, 0.001, False),
        (0.0005, 0.0, 0.001, True),
        (1.0, 0.8, 1.2, True),  # a slope
        (0.0, -0.3, 0.3, True),  # an intercept
    ],
)
def test_a_share_of_nobody_or_of_everybody_is_suppressed(value, lower, upper, allowed):
    assert shown(raw(entry(value=value, lower=lower, upper=upper))) == ([0] if allowed else [])


@pytest.mark.parametrize(("bad", "code"), [(math.nan, "NOT_FINITE"), (math.inf, "NOT_FINITE"), (1e18, "MAGNITUDE")])
@pytest.mark.parametrize("place", ["value", "lower", "upper"])
def test_what_is_no_number_is_refused(place, bad, code):
    assert refused(raw(entry(**{"value": 2.0, "lower": 1.0, "upper": 3.0, place: bad}))) == code


def test_what_is_suppressed_need_not_be_a_number():
    made = raw(entry(value=math.nan, lower=math.nan, upper=math.nan, support=each(1), events=each(0)))
    assert shown(made) == []


def bins(*counts, part="observed"):
    return tuple(entry(f"{part} {n}", 0.5, 0.4, 0.6, each(n), each(m), part=part) for n, m in counts)


def test_bins_of_enough_leave_together():
    assert shown(raw(*bins((60, 20), (40, 30)))) == [0, 1]


def test_a_hidden_bin_takes_the_smallest_of_the_others_with_it():
    # Without an owner 4 are in the first bin. What it holds would be the test set less all other bins.
    assert shown(raw(*bins((2, 1), (58, 24), (40, 25)))) == [1]
    # Nobody is in it: that too would follow.
    assert shown(raw(*bins((0, 0), (40, 20), (60, 30)))) == [2]
    # Two hidden bins that together are a cell: nothing else goes.
    assert shown(raw(*bins((6, 1), (6, 5), (48, 24), (40, 20)))) == [2, 3]
    # Two hidden bins that together are none: ten events, but eight without the event.
    assert shown(raw(*bins((4, 1), (5, 4), (51, 25), (40, 20)))) == [2]


def test_if_the_rest_is_never_a_cell_no_bin_leaves():
    made = raw(*bins((2, 1), (98, 49)))
    assert shown(made) == []
    assert shown(replace(made, entries=(*made.entries, entry()))) == [2]


def test_bins_of_two_models_are_parts_of_their_own():
    made = raw(*bins((60, 20), (40, 30)), *bins((2, 1), (98, 49), part="other"))
    assert shown(made) == [0, 1]


def test_bins_that_overlap_do_not_get_through():
    assert shown(raw(*bins((80, 40), (80, 40), (2, 1)))) == [0]


def test_bins_of_a_number():
    cells = tuple(plain(each(n), part="bins") for n in (2, 8, 40))
    assert shown(numeric(*cells, subjects=each(50))) == [2]
    assert shown(numeric(*cells[1:], subjects=each(48))) == [0, 1]
    mixed = (replace(cells[0], support=each(4), events=each(2)), *cells[1:])
    assert shown(numeric(*mixed, subjects=each(52))) == [2]


def points(*events, step="ROC"):
    return tuple(
        entry(f"{step} {n}", 0.5, 0.4, 0.6, each(50), each(n), step=step, score=step, above=each(n + 5)) for n in events
    )


def test_points_of_a_curve_with_enough_events_between_them():
    assert shown(raw(*points(10, 20, 30))) == [0, 1, 2]


def test_a_point_close_to_the_last_one_is_left_out():
    # Without one owner's twice as many: 8, 10; then 8 more, 10 more; the same again; then eight are left beyond.
    assert shown(raw(*points(4, 5, 9, 10, 10, 45, 46))) == [1, 3, 5]
    assert shown(raw(*points(10, 9, 8))) == [0]  # what goes down is no curve
    assert shown(raw(*points(5, 8), *points(8, 20, step="other"))) == [0, 2, 3]


def test_a_curve_without_events_does_not_leave():
    assert shown(numeric(plain(each(50), step="ROC"), subjects=each(50))) == []


def contract_output(*institutions, labels=("AUROC",)):
    recipients = tuple(
        Recipient(institution=key, member="analyst", key=f"{place:064x}") for place, key in enumerate(institutions)
    )
    return ContractOutput(output="validation", type="metrics", labels=labels, recipients=recipients)


def test_the_gate_knows_the_recipients():
    own = raw(subjects=spread(0, 100, 0), events=spread(0, 50, 0))
    judged = {key: release(own, contract_output(key), preset="sacro", owners=ABC) for key in (A, B)}
    assert isinstance(judged[B], Metrics)
    assert judged[A] == Refusal(refusal="POLICY")
    assert isinstance(release(raw(), contract_output(*ABC), preset="sacro", owners=ABC), Metrics)
