"""The same analysis on plain files: CSV by pandas, the same functions, the same rounding; no keys, no gate, no network.

``python -I _plain_survival.py SCHEMA RECIPE CSV CSV CSV`` prints the outputs as JSON. Nothing is suppressed here, which
changes no number where the gate suppresses nothing.
"""

import json
import sys
from pathlib import Path

import pandas as pd

from enclave.analyses import find_analysis
from enclave.analyses.results import RawCounts, RawRegression, RawResult, RawSurvival, RawTest
from enclave.disclosure.rounding import decimals, midpoint, p_value, significant, to_base
from enclave.ingest import SUBJECT, Cohort
from protocol.presets import PRESETS
from sealroom.datasets.schema import load_schema
from sealroom.recipes import load_recipe

BASE = PRESETS["sacro"].base
DIGITS, DECIMALS = 4, 2


def main(schema_file: str, recipe_file: str, *tables: str) -> int:
    recipe, schema = load_recipe(Path(recipe_file)), load_schema(Path(schema_file)).table
    categories = {column.name: column for column in schema.columns if column.kind == "category"}
    kinds = dict.fromkeys(categories, "str") | {schema.subject.name: "str"}
    cohorts = []
    for slot, path in zip(recipe.slots, tables, strict=True):
        frame = pd.read_csv(path, dtype=kinds).set_index(schema.subject.name).rename_axis(SUBJECT)
        for name, column in categories.items():
            frame[name] = pd.Categorical(frame[name], categories=[level.code for level in column.levels])
        cohorts.append(Cohort(slot, slot, schema, frame))
    analysis = find_analysis(recipe.analysis)
    plan = analysis.plan(recipe.parameters, recipe.outputs, dict.fromkeys(recipe.slots, schema))
    print(json.dumps({name: rounded(raw) for name, raw in analysis.run(plan, cohorts).items()}))
    return 0


def rounded(raw: RawResult) -> dict:
    """Return a result as the gate rounds it."""
    match raw:
        case RawRegression():
            terms = [
                {
                    "label": label,
                    "coefficient": significant(term.coefficient, DIGITS),
                    "standard_error": significant(term.standard_error, DIGITS),
                    "p": p_value(term.p),
                }
                for label, term in enumerate(raw.terms)
            ]
            event = raw.design.event
            sizes = {"subjects": to_base(len(event), BASE), "events": to_base(int(event.sum()), BASE)}
            return {"type": "regression", **sizes, "terms": terms}
        case RawTest():
            numbers = {"statistic": significant(raw.statistic, DIGITS), "df": raw.df, "p": p_value(raw.p)}
            return {"type": "test", "label": 0, **numbers}
        case RawSurvival():
            return {"type": "survival", "groups": [group(raw, place) for place in range(len(raw.curves))]}
        case RawCounts():
            counts = [to_base(cell.support.total, BASE) for cell in raw.cells]
            cells = [{"label": label, "count": count} for label, count in enumerate(counts)]
            return {"type": "counts", "cells": cells, "total": sum(counts)}
    return {"type": "unavailable", "code": raw.code}


def group(raw: RawSurvival, place: int) -> dict:
    """Return one curve."""
    points = [
        {
            "label": label,
            "survival": decimals(point.survival, DECIMALS),
            "at_risk": midpoint(point.at_risk.total),
        }
        for label, point in enumerate(raw.curves[place].points, len(raw.curves))
    ]
    return {"label": place, "points": points}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
