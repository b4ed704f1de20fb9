"""Column mappings: what schemas decide, and that the rows follow."""

import lung
import numpy as np
import pandas as pd
import pytest

from enclave.mapping import map_cohort, map_schemas
from protocol.documents import Column, Level, TableSchema
from protocol.documents.dataset import DatasetSchema, GenotypeSchema
from protocol.documents.study import ColumnMapping, LevelMapping
from protocol.errors import AnalysisError

ROWS = pd.DataFrame(
    {
        "chol": [0.0, 2.5, np.nan, 3.1254],
        "smokes": ["never", "daily", None, "weekly"],
        "age": [40, 50, 60, 70],
    }
)
SCHEMA = TableSchema(
    columns=(
        Column(name="subject", description="Subject", kind="subject"),
        lung.number("chol", "mmol/L", "decimal", scale=4, minimum="0", maximum="30", missing_allowed=True),
        lung.category("smokes", ("never", "never"), ("weekly", "weekly"), ("daily", "daily"), missing_allowed=True),
        lung.number("age", "a"),
        Column(name="print", description="Fingerprint", kind="bits", width=8),
    )
)


def level(code, to, label):
    return LevelMapping(code=code, level=Level(code=to, label=label))


SMOKER = ColumnMapping(
    column="smoker",
    source="smokes",
    levels=(level("never", "0", "no"), level("daily", "1", "yes"), level("weekly", "1", "yes")),
)
CHOLESTEROL = ColumnMapping(column="chol", source="chol", unit="mg/dL", factor="38.67", offset="0.5", missing=("0",))


def mapped(*mappings):
    described = DatasetSchema(table=SCHEMA)
    (schema,) = map_schemas({"a": described}, {"a": mappings} if mappings else {}).values()
    sealed = TableSchema(columns=SCHEMA.columns[:-1])
    return schema, map_cohort(lung.cohort(ROWS, "a", sealed), schema, mappings)


def refused(*mappings):
    with pytest.raises(AnalysisError) as caught:
        map_schemas({"left": DatasetSchema(table=SCHEMA)}, {"left": mappings})
    assert caught.value.detail.startswith("Slot left, mapping of column ")
    return caught.value.code, caught.value.detail


def test_without_mappings_nothing_changes():
    schema, cohort = mapped()
    assert schema.table == SCHEMA
    assert cohort.frame.chol.tolist()[:2] == [0.0, 2.5]


def test_a_number_changes_unit_and_some_values_become_missing():
    schema, cohort = mapped(CHOLESTEROL)
    column = schema.table.column("chol")
    assert (column.unit, column.kind, column.scale) == ("mg/dL", "decimal", 9)
    assert (column.minimum, column.maximum, column.missing_codes) == ("0.500000000", "1160.600000000", ())
    np.testing.assert_allclose(cohort.frame.chol, [np.nan, 2.5 * 38.67 + 0.5, np.nan, 3.1254 * 38.67 + 0.5], rtol=1e-15)
    assert cohort.schema == schema


def test_a_number_without_a_factor_keeps_kind_and_bounds_and_may_be_missing_from_now_on():
    schema, cohort = mapped(ColumnMapping(column="years", source="age", missing=("50", "70.0")))
    column = schema.table.column("years")
    assert (column.kind, column.unit, column.missing_allowed) == ("integer", "a", True)
    np.testing.assert_array_equal(cohort.frame.years, [40, np.nan, 60, np.nan])


@pytest.mark.parametrize(
    ("change", "bounds"),
    [
        ({"factor": "38.67", "offset": "0.5"}, ("0.500000000", "1160.600000000")),
        ({"factor": "-1"}, ("-30.000000000", "0.000000000")),
        ({"factor": "0.0000000001"}, ("0.000000000", "0.000000003")),
        ({"factor": "-0.0000000001"}, ("-0.000000003", "0.000000000")),
        ({"factor": "10000000000000000"}, ("0.000000000", None)),
        ({"missing": ("0",)}, ("0", "30")),
    ],
)
def test_bounds_are_mapped_too_and_rounded_outwards(change, bounds):
    schema, _ = mapped(ColumnMapping(column="x", source="chol", **change))
    column = schema.table.column("x")
    assert (column.minimum, column.maximum) == bounds
    schema, _ = mapped(ColumnMapping(column="x", source="age", factor="2"))
    assert (schema.table.column("x").minimum, schema.table.column("x").maximum) == (None, None)


@pytest.mark.parametrize(("scale", "offset"), [(0, 2**52), (4, -450359962737)])
def test_the_largest_offset_keeps_all_values_apart(scale, offset):
    source = "age" if scale == 0 else "chol"
    _, cohort = mapped(ColumnMapping(column="x", source=source, offset=str(offset)))
    assert cohort.frame["x"].nunique() == ROWS[source].nunique()


def test_a_mapped_column_is_gone_under_its_own_name():
    """Beside the original, a coding that differs in one value would single out those who have it by subtraction."""
    schema, cohort = mapped(ColumnMapping(column="years", source="age", missing=("50",)))
    assert [column.name for column in schema.table.columns] == ["subject", "chol", "smokes", "print", "years"]
    assert list(cohort.frame.columns) == ["chol", "smokes", "years"]
    schema, cohort = mapped(CHOLESTEROL)
    assert [column.name for column in schema.table.columns] == [column.name for column in SCHEMA.columns]
    assert list(cohort.frame.columns) == ["chol", "smokes", "age"]


def test_columns_may_swap_names():
    schema, cohort = mapped(ColumnMapping(column="age", source="chol"), ColumnMapping(column="chol", source="age"))
    assert [column.name for column in schema.table.columns] == [column.name for column in SCHEMA.columns]
    assert (schema.table.column("age").unit, schema.table.column("chol").unit) == ("mmol/L", "a")
    assert cohort.frame.chol.tolist() == [40, 50, 60, 70]
    assert cohort.frame.age.tolist()[:2] == [0.0, 2.5]


def test_a_column_may_take_the_place_of_another():
    schema, cohort = mapped(ColumnMapping(column="age", source="chol"))
    assert [column.name for column in schema.table.columns] == ["subject", "smokes", "age", "print"]
    assert cohort.frame.columns.tolist() == ["smokes", "age"]
    assert cohort.frame.age.tolist()[:2] == [0.0, 2.5]


@pytest.mark.parametrize("name", ["age", "years"])
def test_a_column_is_taken_in_one_coding_only(name):
    code, detail = refused(
        ColumnMapping(column=name, source="age"), ColumnMapping(column="older", source="age", offset="1")
    )
    assert code == "MAPPING"
    assert detail == (
        f"Slot left, mapping of column older: its source age is mapped to {name} already. A recipe takes a column "
        "in one coding only: keep one of the two mappings."
    )


def test_levels_get_other_codes_and_several_become_one():
    schema, cohort = mapped(SMOKER)
    assert schema.table.column("smoker").levels == (Level(code="0", label="no"), Level(code="1", label="yes"))
    assert [column.name for column in schema.table.columns][-2:] == ["print", "smoker"]
    assert list(cohort.frame.smoker.cat.categories) == ["0", "1"]
    assert cohort.frame.smoker.astype(object).where(cohort.frame.smoker.notna(), None).tolist() == ["0", "1", None, "1"]


def test_a_category_may_get_another_name_alone():
    schema, cohort = mapped(ColumnMapping(column="tobacco", source="smokes"))
    assert schema.table.column("tobacco").levels == SCHEMA.column("smokes").levels
    _, same = mapped()
    pd.testing.assert_series_equal(cohort.frame.tobacco, same.frame.smokes, check_names=False)


def test_only_the_slots_own_mappings_count():
    described = DatasetSchema(table=SCHEMA)
    found = map_schemas({"a": described, "b": described}, {"b": (SMOKER,)})
    assert found["a"] == described
    assert found["b"].table.column("smoker")


@pytest.mark.parametrize(
    ("mappings", "why"),
    [
        ((ColumnMapping(column="x", source="weight"),), "has no column weight"),
        ((SMOKER, SMOKER), "two mappings make a column of this name"),
        ((ColumnMapping(column="x", source="age"), ColumnMapping(column="x", source="chol")), "two mappings make"),
        ((ColumnMapping(column="subject", source="age"),), "the subject stays"),
        ((ColumnMapping(column="x", source="subject"),), "is a subject"),
        ((ColumnMapping(column="x", source="print"),), "is a bits"),
        ((ColumnMapping(column="x", source="age", factor="0.0"),), "factor is zero"),
        ((ColumnMapping(column="x", source="age", offset=str(2**52 + 1)),), "would become one"),
        ((ColumnMapping(column="x", source="chol", factor="0.001", offset="-450359963"),), "would become one"),
        ((ColumnMapping(column="x", source="age", levels=SMOKER.levels),), "no levels"),
        ((ColumnMapping(column="x", source="smokes", factor="2"),), "neither unit"),
        ((ColumnMapping(column="x", source="smokes", offset="1"),), "neither unit"),
        ((ColumnMapping(column="x", source="smokes", unit="1"),), "neither unit"),
        ((ColumnMapping(column="x", source="smokes", missing=("0",)),), "neither unit"),
        ((ColumnMapping(column="x", source="smokes", levels=SMOKER.levels[:2]),), "each of its levels once: never"),
        ((ColumnMapping(column="x", source="smokes", levels=(*SMOKER.levels, SMOKER.levels[0])),), "levels once"),
        (
            (
                ColumnMapping(
                    column="x",
                    source="smokes",
                    levels=(level("never", "0", "no"), level("daily", "1", "yes"), level("weekly", "1", "some")),
                ),
            ),
            "two labels",
        ),
        (
            (
                ColumnMapping(
                    column="x",
                    source="smokes",
                    levels=(level("never", "0", "no"), level("daily", "1", "yes"), level("weekly", "2", "yes")),
                ),
            ),
            "two labels, or a label two codes",
        ),
    ],
)
def test_what_does_not_fit_is_found_from_the_schemas(mappings, why):
    code, detail = refused(*mappings)
    assert code == "MAPPING"
    assert why in detail


def genotypes(catalogue="ab" * 32, variants=10):
    return GenotypeSchema(variants=variants, catalogue=catalogue, assembly="GRCh38")


@pytest.mark.parametrize("other", [None, genotypes("cd" * 32), genotypes(variants=11)])
def test_genotypes_are_taken_together_on_one_catalogue_only(other):
    first = DatasetSchema(table=SCHEMA, genotypes=genotypes())
    assert map_schemas({"a": first, "b": first}, {})["b"].genotypes == genotypes()
    with pytest.raises(AnalysisError, match="CATALOGUES_DIFFER"):
        map_schemas({"a": first, "b": DatasetSchema(table=SCHEMA, genotypes=other)}, {})


def test_a_cohort_takes_its_own_schema_only():
    _, cohort = mapped()
    with pytest.raises(AnalysisError, match="MAPPING"):
        map_cohort(cohort, DatasetSchema(table=SCHEMA), (SMOKER,))
