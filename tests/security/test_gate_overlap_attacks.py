"""Attacks on the overlap of libraries: an owner makes up its library to learn whether a rival has one compound.

The attacker knows everything about the rival's library but this. Each attack is first shown to work on what would leave
by a minimum and rounding alone. An attack that is left may move the odds by a factor of two for each count it reads.
"""

import io
from collections import Counter
from dataclasses import replace

import compounds
import lung
import molecules
import numpy as np
import pandas as pd
import pytest

from enclave.disclosure import release
from enclave.disclosure.overlap import release_overlap
from enclave.disclosure.rounding import to_base
from enclave.ingest import read_cohort
from protocol.documents.dataset import DatasetSchema
from protocol.documents.outputs import CountTable, Refusal
from protocol.errors import AnalysisError
from protocol.layout import TableReader, write_table
from protocol.presets import PRESETS

SACRO = PRESETS["sacro"]
RUNS = 3000
"""Seeds that an attack is tried with. No attacker has more than one."""
TARGET = "target"


def library(*scaffolds, variants=1):
    rows = [(scaffold, f"{scaffold} {variant}") for scaffold in scaffolds for variant in range(variants)]
    frame = compounds.simulated(len(rows))
    return frame.assign(scaffold=[row[0] for row in rows], inchikey=[row[1] for row in rows])


def many(name, count):
    return [f"{name} {place}" for place in range(count)]


def rival(with_target, common):
    """A library of 200 other scaffolds, those that the attacker knows of, and perhaps the target."""
    return library(*many("rival", 200), *many("known", common), *([TARGET] if with_target else []))


def overlap(mine, theirs):
    return compounds.overlap([compounds.cohort(mine, "a"), compounds.cohort(theirs, "b")])


def rounded_only(raw):
    """What a count table of this kind would say."""
    return [to_base(cell.both, SACRO.base) if cell.both >= SACRO.k else None for cell in raw.cells]


def answers(raw, runs=RUNS):
    """How often each table leaves, over the run's secret seed."""
    return Counter(told(raw, seed) for seed in range(runs))


def told(raw, seed):
    released = release_overlap(replace(raw, secret=seed.to_bytes(32)), SACRO)
    return tuple(cell.count for cell in released.cells)


def success(without, with_target):
    """How often the best guess is right where both worlds are as likely: 0.5 says nothing, 1 everything."""
    seen = set(without) | set(with_target)
    return sum(max(without[answer], with_target[answer]) for answer in seen) / (2 * RUNS)


@pytest.mark.parametrize("common", [9, 12])
def test_padding_across_the_minimum_or_a_rounding_edge(common):
    """9 or 10 in common decide whether a count leaves at all; 12 or 13 to which side it is rounded."""
    mine = library(*many("known", common), *many("own", 200), TARGET)
    worlds = [overlap(mine, rival(with_target, common)) for with_target in (False, True)]
    exact = [rounded_only(raw) for raw in worlds]
    assert all(before != after for before, after in zip(*exact, strict=True))  # without noise the answer is certain
    noisy = [answers(raw) for raw in worlds]  # with it, so few hardly ever leave
    assert min(world[None, None] for world in noisy) > 0.98 * RUNS
    assert success(*noisy) < 0.51


@pytest.mark.parametrize("common", [*range(18, 32), 52, 102])
def test_padding_across_the_edges_of_noisy_counts(common):
    mine = library(*many("known", common), *many("own", 200), TARGET)
    worlds = [answers(overlap(mine, rival(with_target, common))) for with_target in (False, True)]
    # Both counts move with the target. Of two such noises two in three guesses are right at best; rounding makes it less.
    assert success(*worlds) < 2 / 3 + 0.03
    for answer in set(worlds[0]) | set(worlds[1]):
        without, present = (world[answer] for world in worlds)
        slack = 4 * (without + present) ** 0.5 + 4 * RUNS / 1000  # chance, and tosses that reach their end
        assert present <= 4 * without + slack
        assert without <= 4 * present + slack


@pytest.mark.parametrize("variants", [1, 10, 500])
def test_variants_of_one_compound_are_one_cluster_or_none(variants):
    mine = pd.concat([library(TARGET, variants=variants), library(*many("own", 200))])
    worlds = []
    for with_target in (False, True):
        theirs = pd.concat(
            [library(*many("rival", 200)), library(*([TARGET] if with_target else []), variants=variants)]
        )
        raw = overlap(mine, theirs)
        assert {cell.both for cell in raw.cells} == {int(with_target)}
        worlds.append(answers(raw, 200))
    assert worlds == [{(None, None): 200}] * 2


VARIANTS = [f"{'C' * length}{end}" for length in (3, 4, 5, 6) for end in ("O", "N", "C(=O)O")]
"""Twelve acyclic compounds, as the owner's side describes them below."""
RINGS = [f"C1{'C' * size}C1" for size in range(1, 8)]


def described(smiles, slot):
    """An owner's library: digests of InChIKey and scaffold by the converter, through the canonical layout."""
    schema = molecules.schema("inchikey", "scaffold", molecules="smiles")
    columns, _ = molecules.arrays("\n".join(["smiles", *smiles]), "x.csv", schema)
    sink = io.BytesIO()
    write_table(schema.table, columns, sink)
    table = TableReader.read(sink.getvalue(), schema.table, row_limit=len(smiles))
    return read_cohort(slot, lung.OWNERS[slot], table, DatasetSchema(table=schema.table))


def test_twelve_acyclic_variants_add_at_most_one_to_a_count():
    """Each was a scaffold of its own once: the rival's twelve, or any one of them, could be asked after."""
    known = [f"C{ring}" for ring in RINGS]
    mine = described([*known, *VARIANTS], "a")
    for rivals in ([], VARIANTS[:1], VARIANTS[4:5], VARIANTS, ["CCCC", *VARIANTS]):
        raw = compounds.overlap([mine, described([*known, *rivals], "b")])
        assert [cell.both for cell in raw.cells] == [len(known) + bool(rivals)] * 2
        assert [cell.first for cell in raw.cells] == [not rivals] * 2
    apart = compounds.overlap([mine, described([*known, "CCBr"], "b")])  # acyclic too, but no compound in common
    assert [cell.both for cell in apart.cells] == [len(known) + 1, len(known)]


def test_one_compound_under_many_made_up_scaffolds_is_none():
    """The rival's compound forty times, each time under a scaffold that the attacker invents."""
    forged = library(*many("forged", 40)).assign(inchikey=f"{TARGET} 0")
    mine = pd.concat([forged, library(*many("own", 200), TARGET)])
    raw = overlap(mine, rival(with_target=True, common=0))
    assert [cell.both for cell in raw.cells] == [1, 1]
    assert set(answers(raw, 200)) == {(None, None)}


@pytest.mark.parametrize("size", [1, 5, 10, 12, 40])
def test_a_library_made_of_targets_gets_no_answer(size):
    """If all of them are in common, a count would say of each that the rival has it."""
    mine = library(*many("known", size))
    raw = overlap(mine, rival(with_target=False, common=size))
    assert raw.cells[0].both == size
    assert (rounded_only(raw)[0] is not None) == (size >= SACRO.k)
    assert set(answers(raw, 500)) == {(None, None)}


def test_nor_does_a_library_nearly_made_of_targets():
    mine = library(*many("known", 40), *many("own", 9))
    assert set(answers(overlap(mine, rival(with_target=False, common=40)), 500)) == {(None, None)}


def test_who_is_whole_inside_the_others_library_is_not_told_of():
    """The rival's library is bought and known: that the attacker's holds all of it would be told to the rival too."""
    raw = overlap(library(*many("known", 60), *many("own", 200)), library(*many("known", 60)))
    assert set(answers(raw, 500)) == {(None, None)}


def test_two_slots_that_differ_by_the_target_are_one_library():
    base = library(*many("known", 40), *many("own", 200))
    more = library(*many("known", 40), *many("own", 200), TARGET)
    cohorts = [
        compounds.cohort(base, "a", owner=lung.OWNERS["a"]),
        compounds.cohort(more, "c", owner=lung.OWNERS["a"]),
        compounds.cohort(rival(with_target=True, common=40), "b"),
    ]
    raw = compounds.overlap(cohorts)
    cells = {cell.label: cell for cell in raw.cells}
    assert cells["scaffolds of a and b in common"].both == cells["scaffolds of c and b in common"].both == 41
    for seed in range(200):
        table = dict(zip(cells, told(raw, seed), strict=True))
        assert table["scaffolds of a and b in common"] == table["scaffolds of c and b in common"]


def test_many_slots_of_one_owner_do_not_average_noise_away():
    mine = library(*many("known", 40), *many("own", 200))
    slots = [compounds.cohort(mine, slot, owner=lung.OWNERS["a"]) for slot in "acdefgh"]
    raw = compounds.overlap([*slots, compounds.cohort(rival(with_target=True, common=40), "b")])
    pairs = [cell.counted == "in common" and cell.owners[0] != cell.owners[1] for cell in raw.cells]
    assert sum(pairs) == 7
    for seed in range(20):
        assert len({count for count, pair in zip(told(raw, seed), pairs, strict=True) if pair}) == 1


def test_the_same_run_gives_the_same_answer():
    raws = [
        overlap(library(*many("known", 40), *many("own", 200)), rival(with_target=False, common=40)) for _ in range(3)
    ]
    assert len({repr(release_overlap(raw, SACRO)) for raw in raws}) == 1


def test_a_third_partner_learns_of_two_others_no_more_than_they():
    cohorts = [compounds.cohort(library(*many("known", 60), *many(slot, 100)), slot, None) for slot in "abc"]
    raw = compounds.overlap(cohorts)
    (entry,) = compounds.contract(compounds.overlap_plan()).outputs
    released = release(raw, entry, preset="sacro", owners=tuple(lung.OWNERS[slot] for slot in "abc"))
    assert isinstance(released, CountTable)
    # One table for all: counts of clusters, multiples of five, and nothing else.
    assert all(50 <= cell.count <= 70 and cell.count % SACRO.base == 0 for cell in released.cells)
    assert released.total == sum(cell.count for cell in released.cells)
    text = released.model_dump_json()
    assert not any(compounds.digest(name).hex() in text for name in many("known", 60))


def test_neither_filters_nor_single_compounds_can_be_asked_for():
    with pytest.raises(AnalysisError, match="PARAMETER_UNKNOWN"):
        compounds.overlap_plan(filter="activity")
    kinds = {output.type for output in compounds.overlap_plan().outputs} | {
        output.type for output in compounds.plan().outputs
    }
    assert kinds == {"counts", "metrics"}


def test_a_partner_of_a_single_compound_gets_nothing_of_a_model():
    """Own-versus-pooled uplift with a library of one compound, or of one scaffold, would be its prediction."""
    frame = compounds.cut(compounds.simulated())
    others, probe = frame[frame.partner != "c"], frame[frame.partner == "c"]
    for library_of_probe in (
        probe.head(1),
        pd.concat([probe.head(1)] * 60, ignore_index=True).assign(inchikey=many("copy", 60)),
    ):
        results = compounds.run(compounds.cohorts(pd.concat([others, library_of_probe])), models=("ridge",))
        assert results["uplift-c"].code == "FEW_COMPOUNDS"
        contract = compounds.contract(compounds.plan(models=("ridge",)))
        output = next(item for item in contract.outputs if item.output == "uplift-c")
        released = release(results["uplift-c"], output, preset="sacro", owners=contract.owners)
        assert released == Refusal(refusal="POLICY")


def test_an_uplift_over_two_scaffolds_does_not_leave():
    """The probe: sixty compounds to train on, and twenty copies under two tested scaffolds."""
    frame = compounds.cut(compounds.simulated(900))
    refused = 0
    for seed in range(12):
        scaffolds = np.where(np.arange((frame.partner == "c").sum()) % 5 == 0, "probe 1", "probe 2")
        probe = frame.copy()
        probe.loc[probe.partner == "c", "scaffold"] = scaffolds
        results = compounds.run(compounds.cohorts(probe), models=("ridge",), seed=bytes([seed]) * 32)
        contract = compounds.contract(compounds.plan(models=("ridge",)))
        output = next(item for item in contract.outputs if item.output == "uplift-c")
        raw = results["uplift-c"]
        assert release(raw, output, preset="sacro", owners=contract.owners) == Refusal(refusal="POLICY")
        refused += raw.type == "metrics"  # computed, and refused by the gate: too few clusters
    assert refused
