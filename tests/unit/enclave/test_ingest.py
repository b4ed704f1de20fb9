import io

import lung
import numpy as np
import pandas as pd
import pytest

from enclave.ingest import SUBJECT, read_cohort
from protocol.documents import Column, TableSchema
from protocol.documents.dataset import DatasetSchema
from protocol.layout import TableReader, write_table

SCHEMA = TableSchema(
    columns=(
        lung.number("age", "a", missing_allowed=True),
        Column(name="person", description="Subject", kind="subject"),
        lung.number("dose", "mg", kind="decimal", scale=2, missing_allowed=True),
        lung.category("arm", ("z", "zinc"), ("a", "aspirin"), ("n", "nothing"), missing_allowed=True),
    )
)
DESCRIBED = DatasetSchema(table=SCHEMA)
PSEUDONYMS = np.array([[7] * 15 + [0], [0] * 16, [255] * 16], dtype="u1")


@pytest.fixture
def cohort():
    columns = {
        "age": np.array([60, -(2**63), -3], dtype="<i8"),
        "person": PSEUDONYMS,
        "dose": np.array([1234, -(2**63), -5], dtype="<i8"),
        "arm": np.array([1, -1, 0], dtype="<i4"),
    }
    sink = io.BytesIO()
    write_table(SCHEMA, columns, sink)
    return read_cohort("lung-a", "aa" * 32, TableReader.read(sink.getvalue(), SCHEMA, row_limit=3), DESCRIBED)


def test_what_a_cohort_is(cohort):
    assert (cohort.slot, cohort.owner, cohort.schema) == ("lung-a", "aa" * 32, DESCRIBED)
    assert list(cohort.frame.columns) == ["age", "dose", "arm"]


def test_subjects_are_the_index_whatever_bytes_they_are(cohort):
    assert cohort.frame.index.name == SUBJECT
    assert list(cohort.frame.index) == [bytes(row) for row in PSEUDONYMS]


def test_numbers_are_floats_in_the_columns_unit(cohort):
    assert cohort.frame["age"].dtype == cohort.frame["dose"].dtype == np.float64
    np.testing.assert_array_equal(cohort.frame["age"], [60.0, np.nan, -3.0])
    np.testing.assert_array_equal(cohort.frame["dose"], [12.34, np.nan, -0.05])


def test_categories_keep_the_schemas_order(cohort):
    assert list(cohort.frame["arm"].cat.categories) == ["z", "a", "n"]
    assert cohort.frame["arm"].tolist()[::2] == ["a", "z"]
    assert pd.isna(cohort.frame["arm"].iloc[1])


def test_a_cohort_cannot_be_changed(cohort):
    with pytest.raises(AttributeError):
        cohort.owner = "bb" * 32
