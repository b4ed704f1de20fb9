from dataclasses import replace
from itertools import pairwise

import compounds
import lung
import numpy as np
import pandas as pd
import pytest

from enclave.analyses.base import Inputs
from enclave.analyses.discovery.overlap import Overlap
from enclave.analyses.results import RawOverlap, RawShared
from enclave.disclosure import overlap, release
from enclave.disclosure.overlap import MOST_NOISE, release_overlap
from protocol.documents.dataset import DatasetSchema
from protocol.documents.outputs import CountTable, Refusal
from protocol.errors import AnalysisError
from protocol.presets import PRESETS

SACRO = PRESETS["sacro"]
A, B, C = (lung.OWNERS[slot] for slot in "abc")
LEAST = SACRO.k + MOST_NOISE


def shared(both=100, first=100, second=100, owners=(A, B), counted="in common", label="cell"):
    return RawShared(label, counted, owners, both, first, second)


def count(cell, secret=bytes(32), preset=SACRO):
    return release_overlap(RawOverlap((cell,), secret), preset).cells[0].count


def library(scaffolds, variants=1, start=0, name="compound"):
    rows = [(scaffold, f"{name} {scaffold} {start + place}") for scaffold in scaffolds for place in range(variants)]
    frame = compounds.simulated(len(rows))
    return frame.assign(scaffold=[row[0] for row in rows], inchikey=[row[1] for row in rows])


def series(first, last):
    return [f"scaffold {number}" for number in range(first, last)]


# What is counted


def test_labels():
    (output,) = compounds.overlap_plan().outputs
    assert (output.output, output.type, output.about) == ("overlap", "counts", ())
    assert output.labels == tuple(
        f"scaffolds of {pair[0]} and {pair[1]} {counted}"
        for pair in ("ab", "ac", "bc")
        for counted in ("in common", "with a compound in common")
    )


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"slots": "a"}, "SLOTS"),
        ({"scaffold": "inchikey"}, "COLUMN_TWICE"),
        ({"scaffold": "ecfp4"}, "COLUMN_KIND"),
        ({"compound": "mw"}, "COLUMN_KIND"),
        ({"compound": "key"}, "COLUMN_UNKNOWN"),
        ({"activity": "activity"}, "PARAMETER_UNKNOWN"),
    ],
)
def test_what_schemas_decide(changes, wanted):
    with pytest.raises(AnalysisError) as caught:
        compounds.overlap_plan(**changes)
    assert caught.value.code == wanted


def test_a_recipe_needs_both_columns():
    with pytest.raises(AnalysisError) as caught:
        Overlap().plan(
            {"scaffold": "scaffold"}, ("overlap",), dict.fromkeys("ab", DatasetSchema(table=compounds.schema()))
        )
    assert caught.value.code == "PARAMETER_MISSING"


def test_scaffolds_are_counted_not_compounds():
    first = compounds.cohort(library(series(0, 50), variants=3), "a")
    second = compounds.cohort(
        pd.concat([library(series(30, 60), variants=2, start=2), library(series(45, 70), name="other")]), "b"
    )
    found = compounds.overlap([first, second])
    assert [(cell.both, cell.first, cell.second) for cell in found.cells] == [(20, 30, 20), (20, 30, 20)]
    apart = compounds.cohort(library(series(30, 70), name="other"), "b")
    assert [cell.both for cell in compounds.overlap([first, apart]).cells] == [20, 0]


def test_rows_without_an_activity_count_and_their_order_does_not():
    frame = library(series(0, 40)).assign(activity=np.nan)
    found = compounds.overlap([compounds.cohort(frame, "a"), compounds.cohort(library(series(10, 60)), "b")])
    turned = compounds.overlap([compounds.cohort(frame[::-1], "a"), compounds.cohort(library(series(10, 60)), "b")])
    assert found == turned
    assert [cell.both for cell in found.cells] == [30, 30]


def test_a_compound_is_in_common_only_under_one_scaffold():
    first = library(series(0, 50))
    forged = first.assign(scaffold=[f"forged {name}" for name in first.scaffold])
    found = compounds.overlap([compounds.cohort(first, "a"), compounds.cohort(forged, "b")])
    assert [(cell.both, cell.first, cell.second) for cell in found.cells] == [(0, 50, 50)] * 2


def test_an_owners_slots_are_one_library_and_no_pair():
    halves = [
        compounds.cohort(library(series(start, start + 30)), slot, owner=A) for start, slot in ((0, "a"), (30, "c"))
    ]
    found = compounds.overlap([halves[0], compounds.cohort(library(series(20, 80)), "b"), halves[1]])
    cells = {cell.label: cell for cell in found.cells}
    for slots in ("a and b", "b and c"):
        cell = cells[f"scaffolds of {slots} in common"]
        counts = dict(zip(cell.owners, (cell.first, cell.second), strict=True))
        assert (cell.both, counts[A], counts[B]) == (40, 20, 20)
    assert cells["scaffolds of a and c in common"].owners == (A, A)
    for secret in range(20):
        released = release_overlap(replace(found, secret=bytes([secret]) * 32), SACRO)
        told = dict(zip(cells, (cell.count for cell in released.cells), strict=True))
        assert told["scaffolds of a and c in common"] is told["scaffolds of a and c with a compound in common"] is None
        # Whoever has two slots does not get the answer with two noises.
        for counted in ("in common", "with a compound in common"):
            assert told[f"scaffolds of a and b {counted}"] == told[f"scaffolds of b and c {counted}"]


def test_the_seed_is_in_no_text():
    found = compounds.overlap([compounds.cohort(library(series(0, 50)), slot) for slot in "ab"])
    assert found.secret == compounds.SEED
    assert repr(compounds.SEED) not in repr(found)
    cohorts = tuple(compounds.cohort(library(series(0, 50)), slot) for slot in "ab")
    libraries = Overlap().pool(compounds.overlap_plan("ab"), Inputs(cohorts, iter(()), compounds.SEED))
    assert libraries.secret == compounds.SEED
    assert repr(compounds.SEED) not in repr(libraries)
    scaffold = compounds.digest("scaffold 0")
    assert any(scaffold in pair for pair in libraries.pairs[A])
    assert repr(scaffold) not in repr(libraries)


# What leaves


def test_noise_is_the_two_sided_geometric_one():
    drawn = [overlap._noise(number.to_bytes(32), ["x"]) for number in range(30_000)]
    assert max(abs(number) for number in drawn) <= MOST_NOISE
    heads = {run: 2.0 ** -(run + (run < MOST_NOISE)) for run in range(MOST_NOISE + 1)}
    wanted = {
        noise: sum(heads[up] * heads[up - noise] for up in heads if up - noise in heads)
        for noise in range(-MOST_NOISE, MOST_NOISE + 1)
    }
    assert sum(wanted.values()) == pytest.approx(1)
    for noise, share in wanted.items():
        deviation = (share / len(drawn)) ** 0.5
        assert drawn.count(noise) / len(drawn) == pytest.approx(share, abs=4.5 * deviation + 1e-4)
    # One more or less in the count changes the odds of each answer by two at most.
    assert all(0.5 <= wanted[one] / wanted[other] <= 2 for one, other in pairwise(sorted(wanted)))


def test_noise_depends_on_seed_owners_and_what_is_counted():
    secrets = [bytes([number]) * 32 for number in range(40)]

    def told(**changes):
        return [count(shared(both=1000, **changes), secret) for secret in secrets]

    assert len(set(told())) > 1
    assert told() == told()
    assert told() == told(label="another")
    assert told() != told(counted="with a compound in common")
    assert told() != told(owners=(A, C))
    assert told() == told(owners=(B, A))


def test_released_counts_are_near_and_rounded():
    found = [count(shared(both=203), bytes([number]) * 32) for number in range(200)]
    assert all(value % 5 == 0 for value in found)
    assert max(abs(value - 203) for value in found) <= MOST_NOISE + 2
    assert np.mean(found) == pytest.approx(203, abs=1)


@pytest.mark.parametrize("part", ["both", "first", "second"])
@pytest.mark.parametrize("preset", ["uk-biobank", "sacro", "all-of-us"])
def test_each_of_three_counts_must_reach_k_whatever_the_noise(part, preset):
    rules = PRESETS[preset]
    for secret in range(300):
        assert count(shared(**{part: rules.k - 1}), secret.to_bytes(32), rules) is None
    enough = rules.k + 2 * MOST_NOISE
    assert all(count(shared(**{part: enough}), secret.to_bytes(32), rules) is not None for secret in range(300))
    some = [count(shared(**{part: rules.k + MOST_NOISE}), secret.to_bytes(32), rules) for secret in range(300)]
    assert None in some
    assert set(some) != {None}


@pytest.mark.parametrize("counts", [(0, 500, 500), (30, 0, 500), (30, 500, 0), (0, 0, 0)])
def test_nothing_in_common_and_all_in_common_are_not_told(counts):
    assert all(count(shared(*counts), secret.to_bytes(32)) is None for secret in range(100))


def test_one_owner_is_no_pair_whatever_the_counts():
    assert count(shared(owners=(A, A))) is None
    assert count(shared(owners=(A, C))) is not None


def test_the_table_in_the_order_of_the_contract():
    raw = RawOverlap((shared(label="one"), shared(both=0, label="two"), shared(both=400, label="three")), bytes(32))
    released = release_overlap(raw, SACRO)
    assert [cell.label for cell in released.cells] == [0, 1, 2]
    assert released.cells[1].count is None
    assert released.total == sum(cell.count for cell in released.cells if cell.count is not None) > 450


def test_the_gate_knows_overlaps():
    frame = compounds.cut(compounds.simulated(900, 300))
    found = compounds.overlap(compounds.cohorts(frame))
    (entry,) = compounds.contract(compounds.overlap_plan()).outputs
    released = release(found, entry, preset="sacro", owners=(A, B, C))
    assert isinstance(released, CountTable)
    for cell, raw in zip(released.cells, found.cells, strict=True):
        assert abs(cell.count - raw.both) <= MOST_NOISE + 2
    other = entry.model_copy(update={"labels": entry.labels[::-1]})
    assert release(found, other, preset="sacro", owners=(A, B, C)) == Refusal(refusal="INTERNAL")
