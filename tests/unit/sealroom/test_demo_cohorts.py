"""The demo's SIMULATED COHORTS: the same every time, said to be simulated, and what was planted is there to be found."""

import csv
import hashlib

import numpy as np
import pytest
from genotype_files import convert

from sealroom.datasets.check import check_file
from sealroom.datasets.schema import load_schema
from sealroom.datasets.terms import load_terms
from sealroom.demo.cohorts import GENOMICS, SAMPLES, VARIANTS, simulate_cohorts
from sealroom.demo.script import steps
from sealroom.demo.study import data_of


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohorts")
    return folder, simulate_cohorts(folder)


def dosages(folder, party):
    found = convert("bfile", folder / party / "cohort")
    packed = np.frombuffer(found.calls, dtype=np.uint8).reshape(VARIANTS, -1)
    codes = np.stack([(packed >> shift) & 3 for shift in (0, 2, 4, 6)], axis=2).reshape(VARIANTS, -1)
    return found, np.array([2.0, np.nan, 1.0, 0.0])[codes[:, : len(found.samples)]]


def test_partners_have_one_catalogue_and_the_sizes_that_are_said(cohorts):
    folder, planted = cohorts
    found = {party: dosages(folder, party)[0] for party in SAMPLES}
    assert {party: len(one.samples) for party, one in found.items()} == dict(SAMPLES)
    assert len({one.catalogue for one in found.values()}) == 1
    variants = found["a"].variants
    assert len(variants) == VARIANTS
    assert {v.chromosome for v in variants} == {str(n) for n in range(1, 23)}
    assert [variants[effect.place] for effect in planted] == [effect.variant for effect in planted]
    assert len(planted) == 8
    assert not any("left out" in note for one in found.values() for note in one.notes)


def test_the_same_cohorts_come_every_time(cohorts, tmp_path):
    folder, planted = cohorts
    assert simulate_cohorts(tmp_path) == planted
    for path in folder.rglob("*"):
        if path.is_file():
            again = tmp_path / path.relative_to(folder)
            assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(path.read_bytes()).digest()


def test_variants_are_common_and_differ_between_the_cohorts(cohorts):
    folder, _ = cohorts
    means = np.array([np.nanmean(dosages(folder, party)[1], axis=1) / 2 for party in SAMPLES])
    assert ((means > 0.05) & (means < 0.95)).all()
    assert 0.01 < np.abs(means[0] - means[1]).mean() < 0.1


def test_the_demo_says_what_was_planted_and_opens_hits_with_their_names(cohorts, tmp_path):
    _, planted = cohorts
    assert GENOMICS.prepare(tmp_path, None) == dict(SAMPLES)
    with (tmp_path / "planted.tsv").open() as text:
        rows = list(csv.DictReader(text, delimiter="\t"))
    assert [(int(row["place"]), row["identifier"], float(row["effect"])) for row in rows] == [
        (one.place, one.variant.identifier, one.effect) for one in planted
    ]
    assert "SIMULATED" in GENOMICS.intro
    opening = [line for step in steps(GENOMICS) for line in step.lines if "result open" in line]
    assert opening
    assert all('--variants "$WORK/a/sealed/cohort-a.variants.tsv"' in line for line in opening)


@pytest.mark.parametrize("ancestry", [True, False])
def test_planted_effects_lead_a_scan_given_ancestry_and_do_not_without(cohorts, ancestry):
    folder, planted = cohorts
    calls, rows = [], []
    for number, party in enumerate(SAMPLES):
        found, called = dosages(folder, party)
        with (folder / party / "cohort.csv").open() as text:
            table = {row["subject"]: row for row in csv.DictReader(text)}
        assert list(table) != list(found.samples)
        for name in found.samples:
            row = table[name]
            pcs = [float(row["pc1"]), float(row["pc2"])] if ancestry else []
            site = [float(number == place) for place in range(3)] if ancestry else [1.0]
            rows.append([float(row["ldl"] or "nan"), *site, float(row["age"]), float(row["sex"] == "m"), *pcs])
        calls.append(called)
    design, dosage = np.array(rows), np.concatenate(calls, axis=1)
    known = ~np.isnan(design[:, 0])
    trait, covariates, dosage = design[known, 0], design[known, 1:], dosage[:, known]
    dosage = np.where(np.isnan(dosage), np.nanmean(dosage, axis=1, keepdims=True), dosage)
    basis = np.linalg.qr(covariates)[0]
    left = trait - basis @ (basis.T @ trait)
    rest = dosage - (dosage @ basis) @ basis.T
    effects = rest @ left / (rest**2).sum(axis=1)
    correlation = effects * np.sqrt((rest**2).sum(axis=1)) / np.sqrt(left @ left)
    strongest = set(np.argsort(-np.abs(correlation))[:8].tolist())
    places = {effect.place for effect in planted}
    assert (strongest == places) == ancestry
    if ancestry:
        for effect in planted:
            assert abs(effects[effect.place] - effect.effect) < 0.08


def test_files_for_the_demo_can_be_used_and_say_that_it_is_simulated(cohorts, tmp_path):
    folder, _ = cohorts
    for name in ("schema.toml", "policy.toml", "recipe.toml"):
        text = data_of("genomics").joinpath(name).read_text("utf-8")
        assert "SIMULATED COHORTS" in text
        (tmp_path / name).write_text(text)
    schema = load_schema(tmp_path / "schema.toml")
    assert all("SIMULATED COHORTS" in column.description for column in schema.table.columns)
    for party, samples in SAMPLES.items():
        assert check_file(folder / party / "cohort.csv", schema, lambda _: None).rows == samples
    assert load_terms(tmp_path / "policy.toml").analyses == ("genomics.linear",)
