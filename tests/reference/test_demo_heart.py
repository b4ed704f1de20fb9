"""The demo's five questions on heart disease: everything that it means to show leaves the gate."""

import hashlib
from types import SimpleNamespace

import heart
import lung
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from enclave.analyses.base import Inputs
from enclave.disclosure.gate import release_all
from enclave.mapping import map_cohort, map_schemas
from enclave.profiles import load_profile
from protocol.documents.outputs import CountTable, Means, Metrics, Regression
from sealroom.datasets.check import check_file
from sealroom.datasets.schema import load_schema
from sealroom.demo.heart import CLINICAL
from sealroom.recipe_files import load_recipe

PREDICTIONS = (("prediction", "validation", 17), ("prediction-pooled", "pooled", 7))
"""Recipe, output, and how many figures leave."""
OWNERS = {party: hashlib.sha256(party.encode()).hexdigest() for party in CLINICAL.parties}
ROWS = {"a": 303, "b": 294, "c": 123, "d": 200}


@pytest.fixture(scope="module")
def inputs(reference, tmp_path_factory):
    """The folder that the demo fills for its parties."""
    folder = tmp_path_factory.mktemp("heart")
    for party in CLINICAL.parties:
        (folder / party).mkdir()
    CLINICAL.require(reference / "data/clinical")
    assert CLINICAL.prepare(folder, reference / "data/clinical") == ROWS
    return folder


@pytest.fixture(scope="module")
def cohorts(inputs):
    """Each hospital's export as the enclave reads it, under the hospital's own schema."""
    found = {}
    for party, owner in OWNERS.items():
        table = load_schema(inputs / party / "schema.toml").table
        frame = pd.read_csv(inputs / party / "heart.csv", dtype=str, keep_default_na=False)
        for column in table.columns:
            frame[column.name] = frame[column.name].where(~frame[column.name].isin(column.missing_codes), None)
            if column.kind in {"integer", "decimal"}:
                frame[column.name] = frame[column.name].astype(float)
        found[party] = lung.cohort(frame, party, table, owner=owner)
    return found


def ask(inputs, cohorts, question):
    """Run a question's recipe and judge it for the recipients that a proposal takes."""
    recipe = load_recipe(inputs / f"{question}.toml")
    schemas = map_schemas({slot: cohorts[slot].schema for slot in recipe.slots}, recipe.mappings)
    analysis = load_profile("clinical").find_analysis(recipe.analysis)
    plan = analysis.plan(recipe.parameters, recipe.outputs, schemas)
    mapped = (map_cohort(cohorts[slot], schemas[slot], recipe.mappings.get(slot, ())) for slot in recipe.slots)
    raw = analysis.run(plan, Inputs(tuple(mapped), iter(()), bytes(32)))
    outputs = [
        SimpleNamespace(
            output=output.output,
            type=output.type,
            labels=output.labels,
            recipients=[SimpleNamespace(institution=OWNERS[slot]) for slot in output.about or recipe.slots],
        )
        for output in plan.outputs
    ]
    contract = SimpleNamespace(outputs=outputs, preset="sacro", owners=tuple(OWNERS[slot] for slot in recipe.slots))
    return raw, {item.output: item.value for item in release_all(raw, contract)}


def test_hospitals_check_their_exports(inputs):
    for party, rows in ROWS.items():
        found = check_file(
            inputs / party / "heart.csv", load_schema(inputs / party / "schema.toml"), lambda _rows: None
        )
        assert found.rows == rows


def test_the_models_leave_together_and_by_site(inputs, cohorts):
    raw, released = ask(inputs, cohorts, "glm")
    for name in ("logistic", "logistic-by-site"):
        assert isinstance(released[name], Regression)
        wanted = [f"{term.coefficient:.3e}" for term in raw[name].terms]
        assert [float(term.coefficient) for term in released[name].terms] == [float(text) for text in wanted]
        assert {term.p for term in released[name].terms} != {""}


def test_the_table_counts_what_the_files_hold(inputs, cohorts, reference):
    _, released = ask(inputs, cohorts, "table1")
    counts, means = released["counts"], released["means"]
    assert isinstance(counts, CountTable)
    assert isinstance(means, Means)
    everybody = pd.concat(heart.sites(reference).values())
    by = pd.crosstab(everybody.disease, everybody.cp != "4")
    wanted = [by.loc[disease, pain] for disease in "01" for pain in (False, True)]
    assert [cell.count for cell in counts.cells[:4]] == [5 * round(count / 5) for count in wanted]
    ages = everybody.groupby("disease").age.mean()
    assert [cell.mean for cell in means.cells[:2]] == [f"{ages[disease]:.1f}" for disease in "01"]


def test_the_filter_counts_what_the_files_hold(inputs, cohorts, reference):
    _, released = ask(inputs, cohorts, "feasibility")
    everybody = pd.concat(heart.sites(reference).values())
    matching = int(((everybody.age >= 55) & (everybody.exang == "1")).sum())
    wanted = [5 * round(count / 5) for count in (matching, len(everybody) - matching)]
    assert [cell.count for cell in released["matching"].cells] == wanted


def test_the_prediction_leaves_with_its_interval(inputs, cohorts):
    for question, output, figures in PREDICTIONS:
        raw, released = (found[output] for found in ask(inputs, cohorts, question))
        assert isinstance(released, Metrics)
        area = released.entries[0]
        assert area.value == f"{roc_auc_score(raw.scored.event, raw.scored.matrix[:, 0]):.3f}"
        assert 0.5 < float(area.lower) < float(area.value) < float(area.upper) < 1
        assert sum(entry.value is not None for entry in released.entries) == figures
