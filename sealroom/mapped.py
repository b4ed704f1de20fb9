"""Column mappings of a recipe in plain words, and as an example to fill in."""

from collections.abc import Iterator, Mapping, Sequence

from protocol.documents.dataset import Column, DatasetSchema, Level
from protocol.documents.study import ColumnMapping, Mappings
from protocol.types import Name

__all__ = ["mapping_words", "mappings_words"]


def mappings_words(mappings: Mappings, datasets: Mapping[Name, DatasetSchema]) -> dict[Name, tuple[str, ...]]:
    """Say of each slot that has mappings what is taken for what; ``datasets`` are the slots' own schemas."""
    return {slot: tuple(_words(slot, items, datasets.get(slot))) for slot, items in mappings.items()}


def mapping_words(slot: Name, mapping: ColumnMapping, source: Column | None) -> str:
    """Say how a column of a slot's dataset is taken; ``source`` is it as its owner describes it.

    >>> mapping = ColumnMapping(column="chol", source="chol", unit="mg/dL", factor="38.67", missing=("0",))
    >>> mapping_words("va", mapping, None)
    'chol of va is taken times 38.67 as mg/dL; 0 counts as missing'
    """
    taken = f"{mapping.source} of {slot} is taken"
    if mapping.column != mapping.source:
        taken += f" for {mapping.column}"
    if mapping.factor != "1":
        taken += f" times {mapping.factor}"
    if mapping.offset != "0":
        taken += f" {'minus' if mapping.offset.startswith('-') else 'plus'} {mapping.offset.removeprefix('-')}"
    if mapping.unit is not None:
        was = source.unit if source is not None and source.unit != mapping.unit else None
        taken += f" as {mapping.unit}" + (f" (its owner says {was})" if was else "")
    absent = [f"{number} counts as missing" for number in mapping.missing]
    own = {level.code: level for level in source.levels} if source is not None else {}
    becoming: dict[str, list[str]] = {}
    for item in mapping.levels:
        becoming.setdefault(_level(item.level), []).append(_level(own.get(item.code), item.code))
    levels = [
        f"level {was[0]} becomes {now}" if len(was) == 1 else f"levels {', '.join(was)} become {now}"
        for now, was in becoming.items()
    ]
    return "; ".join([taken, *absent, *levels])


def _words(slot: Name, mappings: Sequence[ColumnMapping], dataset: DatasetSchema | None) -> Iterator[str]:
    for mapping in mappings:
        yield mapping_words(slot, mapping, dataset.table.column(mapping.source) if dataset else None)


def _level(level: Level | None, code: str = "") -> str:
    """Write a level by its label, and its code where that is another word."""
    if level is None:
        return code
    return level.label if level.label == level.code else f"{level.label} (code {level.code})"
