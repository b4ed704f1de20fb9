"""R's counts, means and deviations of heart disease in four hospitals: Table 1 and feasibility."""

import json

import heart
import pytest

from enclave.analyses.base import Inputs
from enclave.analyses.clinical.feasibility import Feasibility
from enclave.analyses.clinical.table1 import Table1

CLOSE = 1e-12
NUMBERS = ("age", "trestbps", "chol", "thalach", "oldpeak")


@pytest.fixture(scope="module")
def answers(reference):
    return json.loads((reference / "data/clinical/heart_disease.reference.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def complete(reference):
    """The hospitals' rows that are complete in ten variables, as R has them: 303, 261, 46, 130."""
    return {
        site: heart.cohort(frame.dropna(subset=list(heart.TEN)), site) for site, frame in heart.sites(reference).items()
    }


def run(analysis, cohorts, output, **parameters):
    inputs = Inputs(tuple(cohorts), iter(()), bytes(32))
    return analysis.run(analysis.plan(parameters, (output,), inputs.datasets), inputs)[output]


@pytest.mark.parametrize("site", heart.SITES)
def test_means_of_each_hospital(answers, complete, site):
    found = run(Table1(), [complete[site]], "means", numbers=NUMBERS)
    for cell, name in zip(found.cells, NUMBERS, strict=True):
        wanted = answers["describe"][site][name]
        assert len(cell.values) == wanted["n"]
        assert cell.values.mean() == pytest.approx(wanted["mean"], rel=CLOSE)
        assert cell.values.std(ddof=1) == pytest.approx(wanted["sd"], rel=CLOSE)
        assert cell.label == f"all, {name} ({heart.SCHEMA.column(name).unit})"


def test_counts_of_sex_by_disease(answers, complete):
    found = run(Table1(), complete.values(), "counts", group="disease", categories=("sex",))
    sexes, diseases = {"0": "female", "1": "male"}, {"0": "absent", "1": "present"}
    wanted = {
        f"disease: {diseases[row['y']]}, sex: {sexes[row['sex']]}": row["Freq"] for row in answers["crosstab_sex_y"]
    }
    assert {cell.label: cell.support.total for cell in found.cells} == wanted


def test_disease_by_hospital(answers, complete):
    found = run(Table1(), complete.values(), "counts", categories=("disease",))
    for code, cell in zip("01", found.cells, strict=True):
        wanted = {row["site"]: row["Freq"] for row in answers["disease_by_site"] if row["y"] == code}
        assert {site: cell.support.counts[heart.OWNERS[site]] for site in heart.SITES} == wanted


def test_missing_values_of_each_hospital(reference, answers):
    missing = {row["_row"]: row for row in answers["missing_by_site"]}
    names = (*NUMBERS, "ca")
    for cohort in heart.cohorts(reference):
        found = run(Table1(), [cohort], "means", numbers=names)
        assert [0 if cell.absent is None else len(cell.absent) for cell in found.cells] == [
            missing[name][cohort.slot] for name in names
        ]


@pytest.mark.parametrize(("sex", "disease"), [("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")])
def test_a_filter_counts_a_cell_of_the_table(answers, complete, sex, disease):
    found = run(
        Feasibility(),
        complete.values(),
        "matching",
        where_columns=("sex", "disease"),
        where_tests=("is", "is"),
        where_values=(sex, disease),
    )
    (wanted,) = (row["Freq"] for row in answers["crosstab_sex_y"] if (row["sex"], row["y"]) == (sex, disease))
    assert [cell.support.total for cell in found.cells] == [wanted, 740 - wanted]
