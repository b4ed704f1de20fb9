"""R's answers for other trials: categories with several levels, missing values, heavy ties, many strata."""

import hashlib
import json

import lung
import numpy as np
import pandas as pd
import pytest

from enclave.analyses.base import Inputs
from enclave.analyses.clinical.survival import Survival
from protocol.documents import Column, TableSchema

CLOSE = 1e-6
SURVIVAL = Survival()


def run(frame, columns, outputs, **parameters):
    """Analyse a frame, a third of its rows in each of three cohorts."""
    schema = TableSchema(columns=(Column(name="subject", description="Subject", kind="subject"), *columns))
    parts = [frame.iloc[start::3] for start in range(3)]
    cohorts = [lung.cohort(part, slot, schema) for slot, part in zip("abc", parts, strict=True)]
    plan = SURVIVAL.plan(parameters, outputs, {cohort.slot: cohort.schema for cohort in cohorts})
    return SURVIVAL.run(plan, Inputs(tuple(cohorts), iter(()), bytes(32)))


def assert_cox(found, wanted):
    assert [term.coefficient for term in found.terms] == pytest.approx(list(wanted["coef"].values()), rel=CLOSE)
    assert [term.standard_error for term in found.terms] == pytest.approx(list(wanted["se"].values()), rel=CLOSE)
    assert [term.p for term in found.terms] == pytest.approx(list(wanted["p"].values()), rel=1e-4)
    assert found.log_likelihood == pytest.approx((wanted["loglik_null"], wanted["loglik"]), rel=CLOSE)
    assert (len(found.design.event), found.design.event.sum()) == (wanted["n"], wanted["nevent"])


def levels(*codes):
    return tuple((code, code) for code in codes)


def whole(name, scale=None):
    more = {} if scale is None else {"kind": "decimal", "scale": scale}
    return lung.number(name, missing_allowed=True, **more)


@pytest.fixture(scope="module")
def answers(reference):
    return json.loads((reference / "data/clinical/r_survival.reference.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def folder(reference):
    return reference / "data/clinical"


def test_veteran_with_a_category_of_four(answers, folder):
    frame = pd.read_csv(folder / "veteran.csv", dtype={"celltype": str})
    cell = lung.category("celltype", *levels("squamous", "smallcell", "adeno", "large"))
    numbers = [whole(name) for name in ("status", "trt", "karno", "diagtime", "age", "prior")]
    found = run(
        frame,
        (lung.number("time", "d"), cell, *numbers),
        ("cox",),
        time="time",
        event="status",
        event_level=1,
        covariates=("trt", "celltype", "karno", "diagtime", "age", "prior"),
    )
    assert_cox(found["cox"], answers["veteran"]["cox"])


def test_colon_with_missing_values_and_three_groups(answers, folder):
    frame = pd.read_csv(folder / "colon.csv")
    frame = frame[frame.etype == 2].copy()
    for name in ("differ", "extent"):
        frame[name] = [None if pd.isna(value) else str(int(value)) for value in frame[name]]
    categories = (
        lung.category("rx", *levels("Obs", "Lev", "Lev+5FU")),
        lung.category("differ", *levels("1", "2", "3"), missing_allowed=True),
        lung.category("extent", *levels("1", "2", "3", "4")),
    )
    numbers = [whole(name) for name in ("status", "sex", "age", "obstruct", "perfor", "adhere", "nodes", "surg")]
    found = run(
        frame,
        (lung.number("time", "d"), *categories, *numbers),
        ("cox", "log-rank", "kaplan-meier"),
        time="time",
        event="status",
        event_level=1,
        covariates=("rx", "sex", "age", "obstruct", "perfor", "adhere", "nodes", "differ", "extent", "surg"),
        group="rx",
        grid=(365, 1000, 2000, 3000),
    )
    wanted = answers["colon_death"]
    assert_cox(found["cox"], wanted["cox"])
    assert found["log-rank"].statistic == pytest.approx(wanted["logrank_rx"]["chisq"], rel=CLOSE)
    assert found["log-rank"].p == pytest.approx(wanted["logrank_rx"]["p"], rel=CLOSE)
    assert found["log-rank"].df == 2
    curves = wanted["km_rx"]
    for curve, level in zip(found["kaplan-meier"].curves, ("Obs", "Lev", "Lev+5FU"), strict=True):
        mine = np.array(curves["strata"]) == f"rx={level}"
        times, heights = np.array(curves["time"])[mine], np.array(curves["surv"])[mine]
        survival = [heights[times <= day][-1] for day in (365, 1000, 2000, 3000)]
        assert [point.survival for point in curve.points] == pytest.approx(survival, rel=CLOSE)


def test_ovarian_with_decimals_and_twelve_events(answers, folder):
    frame = pd.read_csv(folder / "ovarian.csv")
    frame["rx"] = frame.rx.astype(str)
    columns = (
        lung.number("futime", "d"),
        whole("age", scale=4),
        lung.category("rx", *levels("1", "2")),
        *(whole(name) for name in ("fustat", "resid.ds", "ecog.ps")),
    )
    found = run(
        frame,
        columns,
        ("cox", "log-rank"),
        time="futime",
        event="fustat",
        event_level=1,
        covariates=("age", "resid.ds", "rx", "ecog.ps"),
        group="rx",
    )
    assert_cox(found["cox"], answers["ovarian"]["cox"])
    assert found["log-rank"].statistic == pytest.approx(answers["ovarian"]["logrank_rx"]["chisq"], rel=CLOSE)


def test_rossi_with_heavy_ties(folder):
    wanted = json.loads((folder / "rossi.reference.json").read_text("utf-8"))["cox"]
    names = ("fin", "age", "race", "wexp", "mar", "paro", "prio")
    found = run(
        pd.read_csv(folder / "rossi.csv"),
        (lung.number("week", "d"), *(whole(name) for name in ("arrest", *names))),
        ("cox",),
        time="week",
        event="arrest",
        event_level=1,
        covariates=names,
    )
    assert_cox(found["cox"], wanted)


def test_lung_stratified_by_its_18_institutions(answers):
    frame = lung.rows().dropna(subset=["inst"])
    frame["sex"] = frame.sex.astype(str)
    cohorts = [
        lung.cohort(part, f"inst-{int(inst)}", owner=hashlib.sha256(str(inst).encode()).hexdigest())
        for inst, part in frame.groupby("inst")
    ]
    found = lung.run(cohorts, outputs=("cox-stratified", "log-rank-stratified"))
    assert len(cohorts) == 18
    assert_cox(found["cox-stratified"], answers["lung"]["cox_strata_inst"])
    wanted = answers["lung"]["logrank_sex_strat_inst"]
    assert found["log-rank-stratified"].statistic == pytest.approx(wanted["chisq"], rel=CLOSE)
