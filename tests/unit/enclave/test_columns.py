"""Columns that slots must agree on, and their coding as a design."""

import lung
import numpy as np
import pandas as pd
import pytest

from enclave.analyses.columns import require_column
from enclave.analyses.design import code_columns
from enclave.mapping import map_cohort, map_schemas
from protocol.documents import Column, TableSchema
from protocol.documents.dataset import DatasetSchema
from protocol.documents.study import ColumnMapping
from protocol.errors import AnalysisError

SUBJECT = Column(name="subject", description="Subject", kind="subject")
ANY = ("integer", "decimal", "category")
YEARS, DECIMAL = lung.number("age", "a"), lung.number("age", "a", "decimal", scale=1)
ARM = lung.category("arm", ("0", "placebo"), ("1", "drug"), ("2", "both"))


def schemas(*columns):
    """One slot for each column."""
    return {
        slot: DatasetSchema(table=TableSchema(columns=(SUBJECT, column)))
        for slot, column in zip("abc", columns, strict=False)
    }


def refusal(*columns, kinds=ANY, name="age"):
    with pytest.raises(AnalysisError) as caught:
        require_column(schemas(*columns), name, kinds, "covariates")
    return caught.value.code, caught.value.detail


@pytest.mark.parametrize("columns", [(YEARS, DECIMAL), (DECIMAL, YEARS), (YEARS, YEARS)])
def test_numbers_of_one_unit_are_taken_together_whole_or_not(columns):
    assert require_column(schemas(*columns), "age", ANY, "covariates") == columns[0]
    assert require_column(schemas(*columns), "age", ("integer", "decimal"), "covariates") == columns[0]


@pytest.mark.parametrize("columns", [(YEARS, DECIMAL), (DECIMAL, YEARS)])
def test_where_whole_numbers_are_wanted_decimals_are_none(columns):
    code, detail = refusal(*columns, kinds=("integer", "category"))
    assert (code, "is of kind decimal; it takes integer or category" in detail) == ("COLUMN_KIND", True)


@pytest.mark.parametrize(
    ("columns", "code", "said"),
    [
        ((YEARS, lung.number("age", "mo", "decimal")), "UNIT", "in a in slot a and in mo in slot b"),
        ((YEARS, lung.category("age", ("0", "young"))), "COLUMN_KIND", "integer in slot a and category in slot b"),
        ((lung.category("age", ("0", "young")), DECIMAL), "COLUMN_KIND", "category in slot a and decimal in slot b"),
        (
            (lung.category("age", ("0", "young")), lung.category("age", ("0", "old"))),
            "LEVELS_DIFFER",
            "0 (young) against 0 (old)",
        ),
        ((YEARS, ARM), "COLUMN_UNKNOWN", "slot b has no column age. It has: subject, arm."),
    ],
)
def test_what_means_something_else_is_refused(columns, code, said):
    found, detail = refusal(*columns)
    assert (found, said in detail) == (code, True)


def test_a_number_that_was_mapped_is_taken_together_with_whole_ones():
    own = TableSchema(columns=(SUBJECT, YEARS))
    months = TableSchema(columns=(SUBJECT, lung.number("age", "mo")))
    mapping = ColumnMapping(column="age", source="age", unit="a", factor="0.5")
    found = map_schemas({"a": DatasetSchema(table=own), "b": DatasetSchema(table=months)}, {"b": (mapping,)})
    assert [schema.table.column("age").kind for schema in found.values()] == ["integer", "decimal"]
    column = require_column(found, "age", ("integer", "decimal"), "covariates")
    frames = [
        lung.cohort(pd.DataFrame({"age": [40, 50]}), "a", own).frame,
        map_cohort(lung.cohort(pd.DataFrame({"age": [121, 124]}), "b", months), found["b"], (mapping,)).frame,
    ]
    np.testing.assert_array_equal(code_columns(pd.concat(frames), [column]).matrix[:, 0], [40, 50, 60.5, 62])


def test_a_category_is_coded_against_its_first_level():
    frame = pd.DataFrame({"arm": ["1", "0", "2"], "age": [40.0, 50.0, 60.0]})
    coded = code_columns(frame, [ARM, YEARS])
    np.testing.assert_array_equal(coded.matrix, [[1, 0, 40], [0, 0, 50], [0, 1, 60]])
    np.testing.assert_array_equal(coded.references, [[False], [True], [False]])


@pytest.mark.parametrize("stranger", ["secret", None, 1])
def test_a_code_that_the_schema_does_not_have_is_no_row_of_zeros(stranger):
    frame = pd.DataFrame({"arm": pd.Series(["1", "0", stranger], dtype=object)})
    with pytest.raises(AnalysisError) as caught:
        code_columns(frame, [ARM])
    assert caught.value.code == "CODE_UNKNOWN"
    assert caught.value.detail == "A category holds a code that its schema does not have, or none."


def test_levels_that_two_cohorts_have_in_different_schemas_are_found_when_they_are_coded():
    other = lung.category("arm", ("0", "placebo"), ("9", "surgery"))
    cohorts = [
        lung.cohort(pd.DataFrame({"arm": codes}), slot, TableSchema(columns=(SUBJECT, column)))
        for slot, codes, column in (("a", ["0", "1"], ARM), ("b", ["0", "9"], other))
    ]
    joined = pd.concat([cohort.frame for cohort in cohorts])
    with pytest.raises(AnalysisError, match="CODE_UNKNOWN"):
        code_columns(joined, [ARM])
