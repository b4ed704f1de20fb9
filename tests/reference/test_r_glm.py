"""Linear and logistic regression against R on NHANES, and Firth's likelihood against PLINK on HapMap."""

import json

import heart
import lung
import numpy as np
import pandas as pd
import pytest

from enclave.analyses.base import Inputs
from enclave.analyses.clinical.glm import Glm
from enclave.analyses.clinical.glm.firth import Logistic, fit_penalised
from protocol.documents import Column, TableSchema

CLOSE = 1e-6
PRINTED = 5e-6
"""Half of the last of six digits."""
GLM = Glm()
RACES = ("Black", "Hispanic", "Mexican", "Other", "White")
NHANES = TableSchema(
    columns=(
        Column(name="subject", description="Subject", kind="subject"),
        lung.number("age", "a"),
        lung.number("bmi", "kg/m2", "decimal", scale=2, missing_allowed=True),
        lung.number("bpsysave", "mm[Hg]", missing_allowed=True),
        lung.category("gender", ("female", "female"), ("male", "male")),
        lung.category("race1", *((race, race) for race in RACES)),
        lung.category("diabetes", ("No", "no"), ("Yes", "yes"), missing_allowed=True),
    )
)


@pytest.fixture(scope="module")
def nhanes(reference):
    """Adults' rows in three cohorts. Some people have several rows; as in R's answer each row is one subject."""
    frame = pd.read_csv(reference / "data/clinical/nhanes_10000.csv.gz").rename(columns=str.lower)
    adults = frame[frame.age >= 20]
    assert len(adults) == 7235
    return [lung.cohort(adults.iloc[start::3], slot, NHANES) for start, slot in enumerate("abc")]


@pytest.fixture(scope="module")
def answers(reference):
    return json.loads((reference / "data/clinical/nhanes.reference.json").read_text("utf-8"))


def run(cohorts, outputs, **parameters):
    inputs = Inputs(tuple(cohorts), iter(()), bytes(32))
    return GLM.run(GLM.plan(parameters, outputs, inputs.datasets), inputs)


def assert_r(found, wanted):
    for name, field in (("coef", "coefficient"), ("se", "standard_error")):
        values = [getattr(term, field) for term in found.terms]
        assert values == pytest.approx(list(wanted[name].values())[1:], rel=CLOSE)
    # R's estimates are to 1e-8; in the far tail a p value is that times the square of its z.
    assert [term.p for term in found.terms] == pytest.approx(list(wanted["p"].values())[1:], rel=1e-4, abs=1e-300)
    assert found.log_likelihood[1] == pytest.approx(wanted["loglik"], rel=CLOSE)
    assert len(found.design.matrix) == wanted["n"]


def test_logistic_of_diabetes(answers, nhanes):
    covariates = ("age", "bmi", "gender", "race1")
    found = run(nhanes, ("logistic",), outcome="diabetes", outcome_level="Yes", covariates=covariates)["logistic"]
    assert_r(found, answers["logistic"])
    assert -2 * found.log_likelihood[0] == pytest.approx(answers["logistic"]["null_deviance"], rel=CLOSE)


def test_the_other_level_turns_the_signs_only(nhanes):
    one, other = (
        run(nhanes, ("logistic",), outcome="diabetes", outcome_level=level, covariates=("age", "bmi"))["logistic"]
        for level in ("Yes", "No")
    )
    for term, turned in zip(one.terms, other.terms, strict=True):
        assert turned.coefficient == pytest.approx(-term.coefficient, rel=1e-9)
        assert (turned.standard_error, turned.p) == pytest.approx((term.standard_error, term.p), rel=1e-6)


def test_linear_of_blood_pressure(answers, nhanes):
    found = run(nhanes, ("linear",), outcome="bpsysave", covariates=("age", "bmi", "gender"))["linear"]
    assert_r(found, answers["linear"])
    total = answers["linear"]["null_deviance"]
    assert found.log_likelihood[0] == pytest.approx(-6919 / 2 * (np.log(2 * np.pi * total / 6919) + 1), rel=CLOSE)


@pytest.fixture(scope="module")
def hapmap(reference):
    """Genotypes by variant, sex as 0 and 1, four principal components."""
    folder = reference / "data/genomics"
    variants = pd.read_csv(folder / "hapmap3_957.bim", sep="\t", header=None)
    sex = pd.read_csv(folder / "hapmap3_957.pheno.tsv", sep="\t").SEXB.to_numpy() == 2
    components = pd.read_csv(folder / "hapmap3_957.covar.tsv", sep="\t").iloc[:, 2:].to_numpy()
    packed = np.fromfile(folder / "hapmap3_957.bed", dtype="u1")[3:].reshape(len(variants), -1)

    def dosage(name, allele):
        place = variants.index[variants[1] == name][0]
        bits = np.unpackbits(packed[place], bitorder="little").reshape(-1, 2)[: len(sex)]
        copies = np.select([bits.sum(axis=1) == 0, bits.sum(axis=1) == 2, bits[:, 1] == 1], [2.0, 0.0, 1.0], np.nan)
        return copies if variants[4][place] == allele else 2 - copies

    return dosage, sex, components


def test_firth_as_plink_has_it(hapmap, reference):
    dosage, sex, components = hapmap
    answers = pd.read_csv(reference / "data/genomics/ref/hapmap3_957.chr21_22.SEXB.glm.firth", sep="\t")
    ratios, errors = [], []
    for row in answers.iloc[::10].itertuples():
        copies = dosage(row.ID, row.A1)
        known = ~np.isnan(copies)
        assert known.sum() == row.OBS_CT
        columns = np.column_stack([np.ones(known.sum()), copies[known], components[known]])
        fit = fit_penalised(Logistic(sex[known], columns, 1))
        ratios.append(np.exp(fit.coefficients[0]) / row.OR - 1)
        errors.append(fit.errors[0] / row[answers.columns.get_loc("LOG(OR)_SE") + 1] - 1)
    # PLINK prints six digits. It stops at some variants a step early, and its standard errors are of the step before.
    assert len(ratios) == 54
    assert np.median(np.abs(ratios)) < PRINTED
    assert np.median(np.abs(errors)) < PRINTED
    assert np.mean(np.abs(errors) < 1e-5) > 0.8
    assert max(np.abs(ratios)) < 4e-4
    assert max(np.abs(errors)) < 4e-3


def test_firth_is_not_maximum_likelihood_there(hapmap, reference):
    """The two of PLINK's answers differ by more than the tolerance of the test above."""
    folder = reference / "data/genomics/ref"
    firth, plain = (
        pd.read_csv(folder / f"hapmap3_957.chr21_22.SEXB.glm.{name}", sep="\t").OR for name in ("firth", "logistic")
    )
    assert np.median(np.abs(firth / plain - 1)) > 20 * PRINTED


def test_a_hospital_where_everybody_is_ill_changes_nothing_by_site(reference):
    """Its own odds are infinite; the other estimates are those without it, as R's are in the limit."""
    inputs = heart.inputs(reference)
    ill = [
        heart.cohort(frame[frame.disease == "1"] if site == "switzerland" else frame, site)
        for site, frame in heart.sites(reference).items()
    ]
    parameters = {"outcome": "disease", "outcome_level": "1", "covariates": ("age", "sex", "thalach")}
    four = run(ill, ("logistic-by-site",), **parameters)["logistic-by-site"]
    three = run([item for item in inputs.cohorts if item.slot != "switzerland"], ("logistic-by-site",), **parameters)
    assert not four.penalised
    for term, same in zip(four.terms, three["logistic-by-site"].terms, strict=True):
        assert (term.coefficient, term.p) == pytest.approx((same.coefficient, same.p), rel=1e-9)
    assert len(four.design.matrix) > len(three["logistic-by-site"].design.matrix)
