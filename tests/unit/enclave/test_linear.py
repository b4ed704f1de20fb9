"""``genomics.linear``: what it asks of a recipe, and what it hands to the gate."""

import tracemalloc
from dataclasses import replace

import genotype_study
import lung
import numpy as np
import pandas as pd
import pytest
from genotype_study import PARAMETERS, PLANTED, SCHEMA, cohort, draw, pack, people, plan, run

from enclave.analyses.genomics.linear import Linear
from enclave.analyses.results import MIN_ALLELE_FREQUENCY, RawCounts, RawHits, Unavailable
from enclave.disclosure import release_all
from enclave.ingest import GenotypeBlock
from protocol.documents.dataset import DatasetSchema
from protocol.documents.outputs import MAX_HITS, CountTable, Hits
from protocol.errors import AnalysisError


@pytest.fixture(scope="module")
def world():
    return genotype_study.study_cohorts()


def pooled(cohorts, calls):
    """All samples in one frame, with their dosages and the number of their cohort."""
    frame = pd.concat([item.frame for item in cohorts])
    dosages = np.hstack(
        [np.stack([unpacked(row, len(item.frame)) for row in part]) for item, part in zip(cohorts, calls, strict=True)]
    )
    return frame.assign(cohort=np.repeat(range(len(cohorts)), [len(item.frame) for item in cohorts])), dosages


def unpacked(row, samples):
    codes = (row[:, None] >> np.array([0, 2, 4, 6])) & 3
    return np.array([2, 255, 1, 0])[codes.reshape(-1)[:samples]]


def refusal(cohorts, outputs=("hits",), **changes):
    parameters = {name: value for name, value in (PARAMETERS | changes).items() if value is not None}
    with pytest.raises(AnalysisError) as caught:
        plan(cohorts, outputs, **parameters)
    return caught.value.code


def test_labels_name_trait_and_unit(world):
    planned = plan(world[0], ("hits", "subjects"), **PARAMETERS)
    assert [output.labels for output in planned.outputs] == [
        ("height (cm) per copy of the first allele",),
        ("with trait and covariates",),
    ]
    assert planned.profile == "genomics"
    assert not any(output.about for output in planned.outputs)


def test_what_schemas_decide_is_decided_before_any_data_is_seen(world):
    cohorts, _ = world
    assert refusal(cohorts, trait="sex", covariates=None) == "COLUMN_KIND"
    assert refusal(cohorts, trait="weight") == "COLUMN_UNKNOWN"
    assert refusal(cohorts, trait=None) == "PARAMETER_MISSING"
    assert refusal(cohorts, covariates=("age", "height")) == "COLUMN_TWICE"
    assert refusal(cohorts, covariates=("subject",)) == "COLUMN_KIND"
    assert refusal(cohorts, hits=None) == "PARAMETER_MISSING"
    assert refusal(cohorts, hits="20") == "PARAMETER_KIND"
    assert refusal(cohorts, hits=(20,)) == "PARAMETER_KIND"
    assert refusal(cohorts, hits=0) == "HITS_RANGE"
    assert refusal(cohorts, hits=MAX_HITS + 1) == "HITS_RANGE"
    assert refusal(cohorts, ("hits", "hits-by-cohort")) == "HITS_TWICE"
    bare = replace(cohorts[1], schema=DatasetSchema(table=SCHEMA))
    assert refusal([cohorts[0], bare]) == "GENOTYPES"
    assert plan(cohorts, ("subjects",), trait="height").outputs[0].output == "subjects"


def ordinary(frame, dosage, *, by_cohort):
    import statsmodels.api as sm

    used = (dosage != 255) & frame[["height", "age"]].notna().all(axis=1).to_numpy()
    kept = frame[used]
    design = np.column_stack([dosage[used], kept.age, kept.sex == "m", np.ones(len(kept))]).astype(float)
    if by_cohort:
        design = np.column_stack([design, kept.cohort == 1, kept.cohort == 2]).astype(float)
    found = sm.OLS(kept.height.to_numpy(), design).fit()
    return found.params[0], found.bse[0], found.pvalues[0]


@pytest.mark.parametrize("output", ["hits", "hits-by-cohort"])
@pytest.mark.parametrize("size", [7, 1000])
def test_hits_are_the_strongest_variants_by_ordinary_least_squares(world, output, size):
    cohorts, calls = world
    frame, dosages = pooled(cohorts, calls)
    wanted = np.array([ordinary(frame, dosage, by_cohort=output != "hits") for dosage in dosages])
    found = run(cohorts, calls, (output,), size, **PARAMETERS)[output]
    assert isinstance(found, RawHits)
    places = [entry.variant for entry in found.entries]
    assert places == sorted(np.argsort(wanted[:, 2])[: PARAMETERS["hits"]].tolist())
    assert set(PLANTED) <= set(places)
    mine = np.array([(entry.effect, entry.standard_error, entry.p) for entry in found.entries])
    assert mine == pytest.approx(wanted[places], rel=1e-9)


def test_what_the_gate_judges_hits_by(world):
    cohorts, calls = world
    frame, dosages = pooled(cohorts, calls)
    found = run(cohorts, calls, ("hits-by-cohort",), **PARAMETERS)["hits-by-cohort"]
    used = frame[["height", "age"]].notna().all(axis=1).to_numpy()
    assert 0 < (~used).sum() < 60
    assert (found.dosages == dosages[[entry.variant for entry in found.entries]][:, used].T).all()
    assert (found.trait == frame.height[used].to_numpy()).all()
    assert (found.covariates == np.column_stack([frame.age, frame.sex == "m"])[used]).all()
    assert (found.strata == frame.cohort[used]).all()
    assert (found.owners == frame.cohort[used]).all()
    assert found.owner_keys == tuple(lung.OWNERS[slot] for slot in "abc")
    assert found.left_out.counts == {
        key: int((~used & (frame.cohort == place)).sum()) for place, key in enumerate(found.owner_keys)
    }
    assert run(cohorts, calls, ("hits",), **PARAMETERS)["hits"].strata is None


def test_subjects_are_those_with_trait_and_covariates(world):
    cohorts, calls = world
    frame, _ = pooled(cohorts, calls)
    found = run(cohorts, calls, ("subjects",), trait="height", covariates=("age",))["subjects"]
    used = frame[["height", "age"]].notna().all(axis=1)
    assert isinstance(found, RawCounts)
    assert found.cells[0].support.total == used.sum()
    assert found.rest.total == (~used).sum()
    assert run(cohorts, calls, ("subjects",), trait="height")["subjects"].rest.total == frame.height.isna().sum()


def test_what_leaves_names_the_planted_variants_and_no_count_to_a_few_subjects(world):
    cohorts, calls = world
    planned = plan(cohorts, ("hits", "subjects"), **PARAMETERS)
    raw = run(cohorts, calls, ("hits", "subjects"), **PARAMETERS)
    first, second = (item.value for item in release_all(raw, lung.contract(planned)))
    assert isinstance(first, Hits)
    strong = {hit.variant: hit.effect for hit in first.entries if hit.log10p >= 5}
    assert strong.keys() == PLANTED.keys()
    assert all(float(effect) == pytest.approx(PLANTED[variant], abs=1.2) for variant, effect in strong.items())
    assert isinstance(second, CountTable)
    assert second.cells[0].count == 690
    whole = [replace(item, frame=item.frame.fillna({"height": 170.0, "age": 50.0})) for item in cohorts]
    raw = run(whole, calls, ("subjects",), **PARAMETERS)
    assert release_all(raw, lung.contract(plan(whole, ("subjects",), **PARAMETERS)))[0].value.cells[0].count is None


def test_without_covariates_and_with_one_cohort():
    dosages = draw(201, 40, seed=1)
    mine = cohort(people(dosages, 2, planted={3: 4.0}), "a", variants=40)
    found = run([mine], [pack(dosages)], trait="height", hits=1)["hits"]
    assert [entry.variant for entry in found.entries] == [3]
    assert found.covariates.shape == (len(found.trait), 0)


def test_rare_variants_take_nobodys_place():
    dosages = draw(201, 40, seed=1)
    frame = people(dosages, 2, planted={3: 4.0})
    tall = np.argsort(frame.height.fillna(0).to_numpy())[-4:]
    dosages[7] = 0
    dosages[7, tall] = 1
    found = run([cohort(frame, "a", variants=40)], [pack(dosages)], trait="height", hits=3)["hits"]
    assert MIN_ALLELE_FREQUENCY > 4 / 402
    assert 7 not in [entry.variant for entry in found.entries]
    assert 3 in [entry.variant for entry in found.entries]


def test_a_scan_in_which_no_variant_varies():
    dosages = np.zeros((5, 50), dtype=np.uint8)
    frame = people(dosages, 2, planted={})
    found = run([cohort(frame, "a", variants=5)], [pack(dosages)], trait="height", hits=3)["hits"]
    assert found.entries == ()
    assert found.dosages.shape == (len(found.trait), 0)


def test_a_subject_twice(world):
    cohorts, calls = world
    twice = [cohorts[0], replace(cohorts[0], slot="b")]
    found = run(twice, [calls[0]] * 2, ("hits", "subjects"), **PARAMETERS)
    assert found == {"hits": Unavailable("SUBJECT_TWICE"), "subjects": Unavailable("SUBJECT_TWICE")}


def test_a_trait_that_nobody_has_leaves_the_count(world):
    cohorts, calls = world
    nobody = [replace(item, frame=item.frame.assign(height=np.nan)) for item in cohorts]
    found = run(nobody, calls, ("hits", "subjects"), **PARAMETERS)
    assert found["hits"] == Unavailable("NO_SUBJECTS")
    assert found["subjects"].cells[0].support.total == 0


@pytest.mark.parametrize(
    ("change", "code"), [({"height": 170.0}, "TRAIT_CONSTANT"), ({"few": True}, "FEW_SUBJECTS")], ids=str
)
def test_a_trait_that_cannot_be_scanned(world, change, code):
    cohorts, calls = world
    frame = cohorts[0].frame.copy()
    if "few" in change:
        frame.loc[frame.index[4:], "height"] = np.nan
    else:
        frame["height"] = change["height"]
    found = run([replace(cohorts[0], frame=frame)], calls[:1], **PARAMETERS)
    assert found["hits"] == Unavailable(code)


def peak(variants):
    """Return the peak of memory, in bytes, of a scan whose variants are made as they are read."""
    dosages = draw(4_000, 256, seed=3)
    mine, calls = cohort(people(dosages, 4, planted={}), "a", variants=variants), pack(dosages)
    planned = plan([mine], trait="height", hits=50)
    stream = (GenotypeBlock(start, (calls.copy(),)) for start in range(0, variants, 256))
    inputs = genotype_study.Inputs((mine,), stream, bytes(32))
    tracemalloc.start()
    try:
        found = Linear().run(planned, inputs)["hits"]
        assert len(found.entries) == 50
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_variants():
    few, many = peak(1024), peak(16_384)
    assert many < 1.05 * few
