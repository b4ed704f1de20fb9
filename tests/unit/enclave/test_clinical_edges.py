"""Data at the edges, through every clinical analysis and the gate: a code for each, and never a fault of the program."""

import lung
import numpy as np
import pandas as pd
import pytest

from enclave.analyses.base import Inputs
from enclave.disclosure import release
from enclave.profiles import load_profile
from protocol.documents import Column, TableSchema
from protocol.documents.dataset import DatasetSchema
from protocol.documents.outputs import Refusal
from protocol.errors import DocumentError

MISSING = {"missing_allowed": True, "missing_codes": ("?",)}
SCHEMA = TableSchema(
    columns=(
        Column(name="subject", description="Subject", kind="subject"),
        lung.number("score"),
        lung.category("ill", ("0", "no"), ("1", "yes"), **MISSING),
        lung.category("arm", ("0", "A"), ("1", "B")),
        lung.number("dose", **MISSING),
    )
)
OWNERS = tuple(lung.OWNERS[slot] for slot in "abc")
ILL = {"outcome": "ill", "outcome_level": "1", "covariates": ("score", "arm", "dose")}
QUESTIONS = {
    "logistic": ("clinical.glm", ILL),
    "logistic-by-site": ("clinical.glm", ILL),
    "linear": ("clinical.glm", {"outcome": "score", "covariates": ("arm", "dose")}),
    "linear-by-site": ("clinical.glm", {"outcome": "score", "covariates": ("arm", "dose")}),
    "counts": ("clinical.table1", {"group": "arm", "categories": ("ill",)}),
    "means": ("clinical.table1", {"group": "arm", "numbers": ("score", "dose")}),
    "matching": (
        "clinical.feasibility",
        {"where_columns": ("score",), "where_tests": ("at least",), "where_values": ("3",)},
    ),
    "validation": (
        "clinical.prediction",
        ILL | {"models": ("logistic regression",), "train": ("a",), "validate": ("b", "c")},
    ),
    "pooled": ("clinical.prediction", ILL | {"models": ("logistic regression",)}),
}
SAID = "said"
"""No code: the analysis has a result, which the gate judges."""
EVERYTHING = dict.fromkeys(QUESTIONS, SAID)
PREDICTIONS = ("validation", "pooled")
LOGISTIC = ("logistic", "logistic-by-site")
LINEAR = ("linear", "linear-by-site")


def rows(n, seed, change=None):
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "score": generator.integers(0, 9, n),
            "ill": generator.choice(["0", "1"], n),
            "arm": generator.choice(["0", "1"], n),
            "dose": generator.integers(0, 9, n).astype(float),
        }
    )
    return frame if change is None else frame.assign(**change(frame))


def answers(n, change=None):
    """For each output the analysis's code, and what the gate makes of it."""
    cohorts = tuple(lung.cohort(rows(n, seed, change), slot, SCHEMA) for seed, slot in enumerate("abc"))
    found = {}
    for output, (name, parameters) in QUESTIONS.items():
        analysis = load_profile("clinical").find_analysis(name)
        plan = analysis.plan(parameters, (output,), dict.fromkeys("abc", DatasetSchema(table=SCHEMA)))
        raw = analysis.run(plan, Inputs(cohorts, iter(()), bytes(32)))[output]
        entry = lung.contract_output(plan.outputs[0])
        found[output] = (getattr(raw, "code", SAID), release(raw, entry, preset="sacro", owners=OWNERS))
    return found


CASES = {
    "nothing special": (150, None, EVERYTHING),
    "a covariate that nobody has": (
        60,
        lambda _: {"dose": np.nan},
        EVERYTHING | dict.fromkeys((*LOGISTIC, *LINEAR, *PREDICTIONS), "NO_SUBJECTS"),
    ),
    "an outcome that nobody has": (
        60,
        lambda _: {"ill": None},
        EVERYTHING | dict.fromkeys((*LOGISTIC, *PREDICTIONS), "NO_SUBJECTS"),
    ),
    "all tied": (
        60,
        lambda _: {"score": 4, "dose": 1.0},
        EVERYTHING | dict.fromkeys(LOGISTIC, "COLLINEAR") | dict.fromkeys(LINEAR, "OUTCOME_CONSTANT"),
    ),
    "collinear": (
        60,
        lambda frame: {"dose": frame.score * 2.0},
        EVERYTHING | dict.fromkeys(LOGISTIC, "COLLINEAR") | dict.fromkeys(LINEAR, "EXACT_FIT"),
    ),
    "one outcome": (
        60,
        lambda _: {"ill": "1"},
        EVERYTHING | dict.fromkeys(LOGISTIC, "OUTCOME_CONSTANT") | dict.fromkeys(PREDICTIONS, "ONE_OUTCOME"),
    ),
    "separated": (
        80,
        lambda frame: {"ill": np.where(frame.score > 4, "1", "0")},
        EVERYTHING | dict.fromkeys(PREDICTIONS, "NOT_ESTIMABLE"),
    ),
    "two rows": (2, None, None),
    "one row": (1, None, None),
}


@pytest.mark.parametrize("case", CASES)
def test_data_at_the_edges_has_a_code_and_is_never_a_fault(case):
    n, change, wanted = CASES[case]
    found = answers(n, change)
    if wanted is not None:
        assert {output: code for output, (code, _) in found.items()} == wanted
    for code, released in found.values():
        assert code != "INTERNAL"
        if isinstance(released, Refusal):
            assert released.refusal == "POLICY"
        else:
            assert code == SAID


@pytest.mark.parametrize("n", [1, 2])
def test_nothing_is_told_of_a_handful(n):
    for _, released in answers(n).values():
        if not isinstance(released, Refusal):
            told = released.model_dump(exclude={"type"})["cells"]
            assert all(value is None for cell in told for name, value in cell.items() if name != "label")


def test_a_separated_model_does_not_leave_and_linear_ones_do():
    found = answers(*CASES["separated"][:2])
    assert [found[output][1].type for output in (*LOGISTIC, *LINEAR)] == ["refused"] * 2 + ["regression"] * 2


def test_a_table_without_rows_is_refused_before_any_analysis():
    with pytest.raises(DocumentError, match="TABLE_EMPTY"):
        lung.cohort(rows(0, 0), "a", SCHEMA)
