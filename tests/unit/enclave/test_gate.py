import math
from dataclasses import replace

import lung
import pytest

from enclave.analyses.results import RawCell, RawCounts, RawTest, Support, Unavailable
from enclave.disclosure import refusal_class, release, release_all
from protocol.documents.outputs import CountTable, Refusal, Regression, SurvivalCurve, TestStatistic
from protocol.presets import PRESETS

OWNERS = tuple(lung.OWNERS[slot] for slot in "abc")
PLAN = lung.plan()
ENTRIES = {planned.output: lung.contract_output(planned) for planned in PLAN.outputs}


@pytest.fixture(scope="module")
def results():
    return lung.run()


def judge(raw, entry, preset="sacro"):
    return release(raw, entry, preset=preset, owners=OWNERS)


def test_every_type_of_output_is_released(results):
    kinds = {name: type(judge(results[name], entry)) for name, entry in ENTRIES.items()}
    assert kinds == {
        "cox": Regression,
        "cox-stratified": Regression,
        "kaplan-meier": SurvivalCurve,
        "log-rank": TestStatistic,
        "log-rank-stratified": TestStatistic,
        "subjects": CountTable,
    }


def test_outputs_stand_in_the_contracts_order(results):
    contract = lung.contract(PLAN)
    contract.outputs = tuple(reversed(contract.outputs))
    shuffled = dict(sorted(results.items(), key=lambda item: len(item[0])))
    assert [item.output for item in release_all(shuffled, contract)] == [item.output for item in contract.outputs]


def test_the_same_run_gives_the_same_bytes(results):
    contract = lung.contract(PLAN)
    once, again = release_all(results, contract), release_all(lung.run(), contract)
    assert [item.model_dump_json() for item in once] == [item.model_dump_json() for item in again]


def test_what_was_not_computed_is_refused(results):
    contract = lung.contract(PLAN)
    missing = {name: raw for name, raw in results.items() if name != "cox"}
    released = {item.output: item.value for item in release_all(missing, contract)}
    assert released["cox"] == Refusal(refusal="INTERNAL")
    assert isinstance(released["log-rank"], TestStatistic)


def test_what_no_contract_names_does_not_leave(results):
    contract = lung.contract(PLAN)
    contract.outputs = contract.outputs[:1]
    assert [item.output for item in release_all(results, contract)] == ["cox"]


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("SUBJECT_TWICE", "POLICY"),
        ("TIME_RANGE", "POLICY"),
        ("SEPARATION", "POLICY"),
        ("NO_EVENTS", "POLICY"),
        ("LEVERAGE", "POLICY"),
        ("NOT_FINITE", "POLICY"),  # a mapping's factor can make a number too large
        ("MAGNITUDE", "POLICY"),
        ("INTERNAL", "INTERNAL"),
    ],
)
def test_only_a_class_leaves(code, wanted):
    assert refusal_class(code) == wanted
    assert judge(Unavailable(code), ENTRIES["cox"]) == Refusal(refusal=wanted)


def test_a_failed_rule_is_a_refusal_by_policy(results):
    strict = {name: judge(raw, ENTRIES[name], preset="all-of-us") for name, raw in results.items()}
    assert strict["subjects"].cells[1].count is None
    single = release(results["cox"], ENTRIES["cox"], preset="sacro", owners=OWNERS[:1])
    assert isinstance(single, Regression)  # the recipients still subtract what is theirs in the design
    alone = lung.run([lung.cohort(lung.rows(), "a")])
    entry = lung.contract_output(lung.plan(slots="a").outputs[0], recipients="a")
    assert release(alone["cox"], entry, preset="sacro", owners=OWNERS[:1]) == Refusal(refusal="POLICY")


def test_labels_in_another_order_than_the_contracts_are_refused(results):
    entry = ENTRIES["cox"]
    swapped = entry.model_copy(update={"labels": entry.labels[::-1]})
    assert judge(results["cox"], swapped) == Refusal(refusal="INTERNAL")


def test_another_type_than_the_contracts_is_refused(results):
    assert judge(results["log-rank"], ENTRIES["cox"]) == Refusal(refusal="INTERNAL")
    renamed = ENTRIES["cox"].model_copy(update={"labels": ENTRIES["log-rank"].labels})
    assert judge(results["log-rank"], renamed) == Refusal(refusal="INTERNAL")


def test_nan_is_refused(results):
    raw = replace(results["log-rank"], statistic=math.nan)
    assert judge(raw, ENTRIES["log-rank"]) == Refusal(refusal="POLICY")


def test_a_fault_of_the_gate_releases_nothing_and_says_nothing(results, capfd):
    broken = RawTest("Log-rank test of sex", 1.0, -1, 0.5, results["log-rank"].groups)
    assert judge(broken, ENTRIES["log-rank"]) == Refusal(refusal="INTERNAL")
    assert judge(results["log-rank"], ENTRIES["log-rank"], preset="none") == Refusal(refusal="INTERNAL")
    assert capfd.readouterr() == ("", "")


def test_the_worst_recipient_decides_for_all(results):
    # Of 26 censored men c holds most: what a and b may learn, c may not, so nobody does.
    men_censored = results["subjects"].cells[1].support
    counts = {slot: men_censored.counts[lung.OWNERS[slot]] for slot in "abc"}
    assert sum(counts.values()) == 26
    largest = max(counts, key=counts.get)
    for recipients in ("abc", largest):
        entry = lung.contract_output(PLAN.outputs[-1], recipients)
        released = judge(results["subjects"], entry, preset="cms")
        assert (released.cells[1].count is None) == (26 - counts[largest] < PRESETS["cms"].k)


def test_a_table_with_a_small_cell_is_suppressed_beside_a_regression_that_tells_its_margin(results):
    cells = results["subjects"].cells
    small = RawCell(cells[0].label, Support(dict.fromkeys(OWNERS, 3)))
    changed = {**results, "subjects": RawCounts((small, *cells[1:]))}
    released = {item.output: item.value for item in release_all(changed, lung.contract(PLAN))}
    assert isinstance(released["cox"], Regression)
    assert [cell.count for cell in released["subjects"].cells] == [None] * 4


def test_nothing_is_judged_for_owners_who_receive_nothing_alone(results):
    outside = lung.contract_output(PLAN.outputs[0], recipients="h")
    assert judge(results["cox"], outside) == judge(results["cox"], ENTRIES["cox"])
