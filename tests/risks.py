"""Made-up cohorts for models of risk, through the canonical layout: two numbers, a category, an outcome."""

import lung
import numpy as np
import pandas as pd

from enclave.analyses.base import Inputs
from enclave.analyses.clinical.prediction import Prediction
from enclave.disclosure import release
from protocol.documents import Column, TableSchema
from protocol.documents.dataset import DatasetSchema

SCHEMA = TableSchema(
    columns=(
        Column(name="subject", description="Subject", kind="subject"),
        lung.category("outcome", ("0", "no"), ("1", "yes")),
        lung.number("first", kind="decimal", scale=6, missing_allowed=True),
        lung.number("second", kind="decimal", scale=6),
        lung.category("group", ("0", "no"), ("1", "yes")),
    )
)
BOTH = ("logistic regression", "gradient boosting")
PARAMETERS = {
    "outcome": "outcome",
    "outcome_level": "1",
    "covariates": ("first", "second", "group"),
    "models": BOTH,
    "train": ("a",),
    "validate": ("b", "c"),
}


def rows(n=200, seed=1, strength=1.0):
    """A frame in which risk grows with both numbers."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({"first": generator.normal(size=n), "second": generator.normal(size=n)}).round(6)
    frame["group"] = np.where(generator.random(n) < 0.5, "1", "0")
    risk = 1 / (1 + np.exp(-strength * (frame["first"] + frame["second"])))
    frame["outcome"] = np.where(generator.random(n) < risk, "1", "0")
    return frame


def cohort(frame, slot, **more):
    return lung.cohort(frame, slot, SCHEMA, **more)


def cohorts(n=200, **more):
    return [cohort(rows(n, seed, **more), slot) for seed, slot in enumerate("abc")]


def plan(outputs=("validation", "pooled"), slots="abc", **changes):
    """Plan; without a word on it both models are trained, or, as trees are not for ``pooled``, the first one."""
    changes.setdefault("models", BOTH[:1] if "pooled" in outputs else BOTH)
    parameters = {name: value for name, value in {**PARAMETERS, **changes}.items() if value is not None}
    return Prediction().plan(parameters, outputs, dict.fromkeys(slots, DatasetSchema(table=SCHEMA)))


def run(data=None, seed=bytes(32), **changes):
    """Plan and run; ``data`` is a list of cohorts."""
    data = cohorts() if data is None else data
    return Prediction().run(plan(slots=[item.slot for item in data], **changes), Inputs(tuple(data), iter(()), seed))


def judge(raw, recipients="abc", owners="abc", preset="sacro", **changes):
    """What leaves of a result of ``validation``."""
    planned = plan(("validation",), **changes).outputs[0]
    entry = lung.contract_output(planned, recipients)
    return release(raw, entry, preset=preset, owners=[lung.OWNERS[slot] for slot in owners])


def figures(raw):
    return {entry.label: entry for entry in raw.entries}
