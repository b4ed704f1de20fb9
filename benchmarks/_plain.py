"""The same analysis on plain files: CSV by pandas, .bed bytes as they are, the same functions; no keys, no gate.

``python -I _plain.py SCHEMA RECIPE CSV ... --seed HEX [--bed BED ...]`` prints the outputs as JSON, rounded as the gate
rounds. Nothing is suppressed here: what the gate leaves out is left out of the comparison. ``HEX`` is the run's seed.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from enclave.analyses.base import Inputs
from enclave.analyses.results import (
    RawCounts,
    RawHits,
    RawMetrics,
    RawRegression,
    RawResult,
    RawSurvival,
    RawTest,
    Support,
)
from enclave.disclosure.rounding import decimals, midpoint, p_value, significant, to_base
from enclave.disclosure.support import with_few_left_out
from enclave.genotypes import BED_HEAD, BLOCK_BYTES, BLOCK_VARIANTS
from enclave.ingest import SUBJECT, Cohort, GenotypeBlock
from enclave.profiles import load_profile
from protocol.documents.dataset import DatasetSchema, GenotypeSchema
from protocol.presets import PRESETS
from sealroom.datasets.schema import load_schema
from sealroom.recipe_files import load_recipe

BASE, FEW = PRESETS["sacro"].base, PRESETS["sacro"].k


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("schema", type=Path)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--seed", type=bytes.fromhex, required=True)
    parser.add_argument("--bed", type=Path, nargs="*", default=[])
    asked = parser.parse_args()
    recipe, table = load_recipe(asked.recipe), load_schema(asked.schema).table
    frames = [read_table(path, table) for path in asked.tables]
    rows = [len(frame) for frame, _ in frames]
    variants = (asked.bed[0].stat().st_size - len(BED_HEAD)) // -(-rows[0] // 4) if asked.bed else 0
    genotypes = GenotypeSchema(variants=variants, catalogue="00" * 32, assembly="plain") if variants else None
    schema = DatasetSchema(table=table, genotypes=genotypes)
    cohorts = tuple(
        Cohort(slot, slot, schema, frame, bits) for slot, (frame, bits) in zip(recipe.slots, frames, strict=True)
    )
    analysis = load_profile(recipe.analysis.partition(".")[0]).find_analysis(recipe.analysis)
    plan = analysis.plan(recipe.parameters, recipe.outputs, dict.fromkeys(recipe.slots, schema))
    raw = analysis.run(plan, Inputs(cohorts, read_blocks(asked.bed, rows, variants), asked.seed))
    print(json.dumps({name: rounded(result) for name, result in raw.items()}))
    return 0


def read_table(path: Path, table) -> tuple[pd.DataFrame, dict]:
    """Return a frame and the columns of bits, as an enclave's cohort has them."""
    text = {column.name for column in table.columns if column.kind not in {"integer", "decimal"}}
    frame = pd.read_csv(path, dtype=dict.fromkeys(text, "str")).set_index(table.subject.name).rename_axis(SUBJECT)
    bits = {}
    for column in table.columns:
        match column.kind:
            case "category":
                frame[column.name] = pd.Categorical(frame[column.name], [level.code for level in column.levels])
            case "digest":
                frame[column.name] = [bytes.fromhex(cell) for cell in frame[column.name]]
            case "bits":
                cells = bytes.fromhex("".join(frame.pop(column.name)))
                bits[column.name] = np.frombuffer(cells, np.uint8).reshape(len(frame), -1)
    return frame, bits


def read_blocks(paths: Sequence[Path], rows: Sequence[int], variants: int) -> Iterator[GenotypeBlock]:
    """Read .bed files side by side, in the blocks that the enclave has."""
    widths = [-(-count // 4) for count in rows]
    size = max(1, min(BLOCK_VARIANTS, BLOCK_BYTES // sum(widths)))
    files = [path.open("rb") for path in paths]
    for file in files:
        file.seek(len(BED_HEAD))
    for start in range(0, variants, size):
        count = min(size, variants - start)
        read = (np.fromfile(file, np.uint8, count * width) for file, width in zip(files, widths, strict=True))
        yield GenotypeBlock(
            start, tuple(block.reshape(count, width) for block, width in zip(read, widths, strict=True))
        )


def rounded(raw: RawResult) -> dict:
    """Return a result as the gate rounds it."""
    match raw:
        case RawRegression():
            design = raw.design
            subjects = to_base(with_few_left_out(len(design.matrix), raw.left_out, FEW), BASE)
            events = None if design.event is None else to_base(int(design.event.sum()), BASE)
            terms = [
                {
                    "label": label,
                    "coefficient": significant(term.coefficient, 4),
                    "standard_error": significant(term.standard_error, 4),
                    "p": p_value(term.p),
                }
                for label, term in enumerate(raw.terms)
            ]
            sizes = {"subjects": subjects, "events": events}
            return {"type": "regression", "effect": raw.effect, **sizes, "terms": terms}
        case RawTest():
            numbers = {"statistic": significant(raw.statistic, 4), "df": raw.df, "p": p_value(raw.p)}
            return {"type": "test", "label": 0, **numbers}
        case RawSurvival():
            return {"type": "survival", "groups": [group(raw, place) for place in range(len(raw.curves))]}
        case RawCounts():
            counts = [to_base(cell.support.total, BASE) for cell in raw.cells]
            cells = [{"label": label, "count": count} for label, count in enumerate(counts)]
            return {"type": "counts", "cells": cells, "total": sum(counts)}
        case RawMetrics():
            names = ("value", "lower", "upper")
            entries = [
                {"label": label} | {name: significant(getattr(entry, name), 3) for name in names}
                for label, entry in enumerate(raw.entries)
            ]
            events = None if raw.events is None else to_base(raw.events.total, BASE)
            left_out = raw.left_out or Support({})
            subjects = to_base(with_few_left_out(raw.subjects.total, left_out, FEW), BASE)
            sizes = {"subjects": subjects, "events": events}
            return {"type": "metrics", **sizes, "entries": entries}
        case RawHits():
            entries = [
                {
                    "variant": hit.variant,
                    "effect": significant(hit.effect, 2),
                    "log10p": math.floor(-math.log10(max(hit.p, 1e-300))),
                }
                for hit in raw.entries
            ]
            subjects = to_base(with_few_left_out(len(raw.trait), raw.left_out, FEW), BASE)
            return {"type": "hits", "label": 0, "subjects": subjects, "entries": entries}
        case _:
            raise NotImplementedError(f"How the gate rounds results of type {raw.type} is not written here.")


def group(raw: RawSurvival, place: int) -> dict:
    """Return one curve."""
    points = [
        {
            "label": label,
            "survival": decimals(point.survival, 2),
            "at_risk": midpoint(point.at_risk.total),
        }
        for label, point in enumerate(raw.curves[place].points, len(raw.curves))
    ]
    return {"label": place, "points": points}


if __name__ == "__main__":
    sys.exit(main())
