"""Column mappings of a recipe: from a site's own schema to the one that the analysis knows, schema and rows alike.

What the schemas decide is checked before anything is signed; the rows follow the same rules inside.

A column is seen in one coding only. In two of them the cut could lie one value further, and two tables that are safe by
themselves would tell, by their difference, who has this value.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from enclave.ingest import Cohort
from protocol.documents.dataset import Column, DatasetSchema, Level, TableSchema
from protocol.documents.study import ColumnMapping, Mappings
from protocol.errors import AnalysisError
from protocol.types import Name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["map_cohort", "map_schemas"]

_SCALE = 9
_MOST_STEPS = 2**52
"""Steps of the sealed numbers that an offset may be long: beyond, floats would take several of them together."""
_LARGEST = Decimal(10) ** 17


def map_schemas(datasets: Mapping[Name, DatasetSchema], mappings: Mappings) -> Mapping[Name, DatasetSchema]:
    """Return the schemas as the analysis sees them.

    A mapped column stands in the place of the one that had its name, or at the end; its source is gone, unless it had
    that name.

    Raises
    ------
    AnalysisError
        ``MAPPING`` with the slot, the column and what does not fit; ``CATALOGUES_DIFFER`` where genotypes cannot be
        taken together, for not all cohorts have them, or not on the same variants.
    """
    found = {slot: _mapped_schema(slot, schema, mappings.get(slot, ())) for slot, schema in datasets.items()}
    genotypes = [schema.genotypes for schema in found.values()]
    catalogues = {item and (item.catalogue, item.variants) for item in genotypes}
    if len(catalogues) > 1:
        raise AnalysisError(
            "CATALOGUES_DIFFER",
            "The cohorts do not have their genotypes on one catalogue of variants. Seal them again on one list: "
            "`sealroom dataset seal --variants FILE`.",
        )
    return found


def _mapped_schema(slot: Name, schema: DatasetSchema, mappings: Sequence[ColumnMapping]) -> DatasetSchema:
    mapped: dict[Name, Column] = {}
    taken: dict[Name, Name] = {}
    for mapping in mappings:
        source = schema.table.column(mapping.source)
        if source is None:
            raise _wrong(slot, mapping, f"the dataset has no column {mapping.source}")
        if mapping.column in mapped:
            raise _wrong(
                slot, mapping, "two mappings make a column of this name. Keep one of them, or rename the other"
            )
        if mapping.source in taken:
            raise _wrong(
                slot,
                mapping,
                f"its source {mapping.source} is mapped to {taken[mapping.source]} already. A recipe takes a column in "
                "one coding only: keep one of the two mappings",
            )
        if mapping.column == schema.table.subject.name:
            raise _wrong(slot, mapping, "the subject stays as it is")
        mapped[mapping.column] = _mapped_column(slot, mapping, source)
        taken[mapping.source] = mapping.column
    own = {column.name: column for column in schema.table.columns if column.name in mapped or column.name not in taken}
    return DatasetSchema(table=TableSchema(columns=tuple((own | mapped).values())), genotypes=schema.genotypes)


def map_cohort(cohort: Cohort, schema: DatasetSchema, mappings: Sequence[ColumnMapping]) -> Cohort:
    """Return the cohort under ``schema``, which ``map_schemas`` made of its own."""
    if not mappings:
        return cohort
    found: dict[str, pd.Series[Any]] = {}
    for mapping in mappings:
        values = cohort.frame[mapping.source]
        column = schema.table.column(mapping.column)
        if column is None:
            raise AnalysisError("MAPPING", "The schema was not made of these mappings.")
        found[mapping.column] = _mapped_values(values, mapping, column)
    gone = [mapping.source for mapping in mappings if mapping.source not in found]
    return Cohort(cohort.slot, cohort.owner, schema, cohort.frame.assign(**found).drop(columns=gone), cohort.bits)


def _mapped_column(slot: Name, mapping: ColumnMapping, source: Column) -> Column:
    if source.kind == "category":
        levels = _mapped_levels(slot, mapping, source)
        changed: dict[str, Any] = {"levels": [level.model_dump() for level in levels]}
    elif source.kind in {"integer", "decimal"}:
        changed = _mapped_number(slot, mapping, source)
    else:
        raise _wrong(slot, mapping, f"{source.name} is a {source.kind}; numbers and categories can be mapped")
    fields = source.model_dump() | {"name": mapping.column, "missing_codes": ()} | changed
    return Column.model_validate(fields, strict=False)


def _mapped_levels(slot: Name, mapping: ColumnMapping, source: Column) -> tuple[Level, ...]:
    if mapping.missing or mapping.unit is not None or (mapping.factor, mapping.offset) != ("1", "0"):
        raise _wrong(slot, mapping, "a category has neither unit, factor, offset nor missing numbers")
    if not mapping.levels:
        return source.levels
    if sorted(item.code for item in mapping.levels) != sorted(level.code for level in source.levels):
        codes = ", ".join(level.code for level in source.levels)
        raise _wrong(slot, mapping, f"map each of its levels once: {codes}")
    levels = tuple(dict.fromkeys((item.level.code, item.level.label) for item in mapping.levels))
    if any(len(set(texts)) < len(levels) for texts in zip(*levels, strict=True)):
        raise _wrong(slot, mapping, "a code has two labels, or a label two codes")
    return tuple(Level(code=code, label=label) for code, label in levels)


def _mapped_number(slot: Name, mapping: ColumnMapping, source: Column) -> dict[str, Any]:
    if mapping.levels:
        raise _wrong(slot, mapping, f"{source.name} holds numbers, which have no levels")
    factor, offset = Decimal(mapping.factor), Decimal(mapping.offset)
    if not factor:
        raise _wrong(slot, mapping, "the factor is zero")
    changed: dict[str, Any] = {
        "unit": mapping.unit or source.unit,
        "missing_allowed": source.missing_allowed or bool(mapping.missing),
    }
    if factor == Decimal(1) and offset == Decimal(0):
        return changed
    if abs(offset) > abs(factor) * _MOST_STEPS / 10**source.scale:
        raise _wrong(slot, mapping, f"the offset is so large that values of {source.name} would become one")
    return changed | {"kind": "decimal", "scale": _SCALE} | _mapped_bounds(source, factor, offset)


def _mapped_bounds(source: Column, factor: Decimal, offset: Decimal) -> dict[str, Any]:
    """Return the bounds of the mapped numbers, rounded outwards; a factor below zero turns them round."""
    found = {"minimum": source.minimum, "maximum": source.maximum}
    if factor < 0:
        found = {"minimum": source.maximum, "maximum": source.minimum}
    rounding = {"minimum": ROUND_FLOOR, "maximum": ROUND_CEILING}
    return {
        side: None if bound is None else _written(Decimal(bound) * factor + offset, rounding[side])
        for side, bound in found.items()
    }


def _written(number: Decimal, rounding: str) -> str | None:
    if abs(number) >= _LARGEST:
        return None
    rounded = number.quantize(Decimal((0, (1,), -_SCALE)), rounding)
    return f"{rounded or abs(rounded):f}"


def _mapped_values(values: "pd.Series[Any]", mapping: ColumnMapping, column: Column) -> "pd.Series[Any]":
    import pandas as pd

    if column.kind == "category":
        becomes = {item.code: item.level.code for item in mapping.levels}
        dtype = pd.CategoricalDtype(pd.Index([level.code for level in column.levels], dtype=object))
        return (values.astype(object).map(becomes) if becomes else values).astype(dtype)
    absent = values.isin([float(number) for number in mapping.missing])
    return values.mask(absent, np.nan) * float(mapping.factor) + float(mapping.offset)


def _wrong(slot: Name, mapping: ColumnMapping, why: str) -> AnalysisError:
    return AnalysisError("MAPPING", f"Slot {slot}, mapping of column {mapping.column}: {why}.")
