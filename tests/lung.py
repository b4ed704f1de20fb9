"""The lung trial in three partners, as cohorts that went through the canonical layout; and the recipe of the demo.

::

    lung.cohorts()                    # three cohorts; A 73, B 87, C 68 rows
    lung.cohort(frame, "a")           # any data frame of these columns, as one cohort
    lung.plan(), lung.contract(plan)  # the demo's recipe, planned, and the part of a contract that the gate reads
"""

import csv
import hashlib
import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from enclave.analyses.base import Inputs
from enclave.analyses.clinical.survival import Survival
from enclave.ingest import read_cohort
from protocol.documents import Column, ContractOutput, Level, Recipient, TableSchema
from protocol.documents.dataset import DatasetSchema
from protocol.layout import TableReader, write_table

DATA = Path(__file__).resolve().parents[1] / "sealroom" / "demo" / "data" / "survival" / "lung.csv"
OWNERS = {slot: hashlib.sha256(slot.encode()).hexdigest() for slot in "abcdefgh"}
PARAMETERS = {
    "time": "time",
    "event": "status",
    "event_level": "1",
    "covariates": ("age", "sex", "ph.ecog"),
    "group": "sex",
    "grid": (90, 180, 365, 540, 730),
}
OUTPUTS = ("cox", "cox-stratified", "kaplan-meier", "log-rank", "log-rank-stratified", "subjects")


def category(name, *levels, **more):
    pairs = tuple(Level(code=code, label=label) for code, label in levels)
    return Column(name=name, description=name, kind="category", levels=pairs, **more)


def number(name, unit="1", kind="integer", **more):
    return Column(name=name, description=name, kind=kind, unit=unit, **more)


SCHEMA = TableSchema(
    columns=(
        Column(name="subject", description="Subject", kind="subject"),
        number("time", "d"),
        category("status", ("0", "censored"), ("1", "dead")),
        number("age", "a"),
        category("sex", ("1", "male"), ("2", "female")),
        number("ph.ecog", missing_allowed=True),
    )
)


def rows():
    """All 228 rows with the column ``partner``; categories as text, numbers as float."""
    found = list(csv.DictReader(DATA.read_text("utf-8").splitlines()))
    frame = pd.DataFrame(
        {
            "inst": [float(row["inst"] or "nan") for row in found],
            "time": [int(row["time"]) for row in found],
            "status": [row["status"] for row in found],
            "age": [int(row["age"]) for row in found],
            "sex": [row["sex"] for row in found],
            "ph.ecog": [float(row["ph.ecog"] or "nan") for row in found],
        }
    )
    frame["partner"] = np.where(frame.inst <= 5, "a", np.where(frame.inst <= 13, "b", "c"))
    return frame


def encode(column, values):
    if column.kind == "category":
        codes = [level.code for level in column.levels]
        return np.array([-1 if pd.isna(value) else codes.index(value) for value in values], dtype="<i4")
    scaled = [-(2**63) if pd.isna(value) else round(float(value) * 10**column.scale) for value in values]
    return np.array(scaled, dtype="<i8")


def table_bytes(frame, slot, schema=SCHEMA, subjects=None):
    """Write a frame in the canonical layout."""
    identifiers = subjects or [f"{slot}-{number}" for number in range(len(frame))]
    pseudonyms = b"".join(hashlib.sha256(text.encode()).digest()[:16] for text in identifiers)
    columns = {
        column.name: np.frombuffer(pseudonyms, dtype="u1").reshape(-1, 16)
        if column.kind == "subject"
        else encode(column, frame[column.name])
        for column in schema.columns
    }
    sink = io.BytesIO()
    write_table(schema, columns, sink)
    return sink.getvalue()


def cohort(frame, slot, schema=SCHEMA, owner=None, subjects=None):
    """Write a frame in the canonical layout, read it back, make a cohort."""
    table = TableReader.read(table_bytes(frame, slot, schema, subjects), schema, row_limit=len(frame))
    return read_cohort(slot, owner or OWNERS[slot], table, DatasetSchema(table=schema))


def cohorts(frame=None, schema=SCHEMA):
    """One cohort for each value of the column ``partner``."""
    frame = rows() if frame is None else frame
    return [cohort(part, slot, schema) for slot, part in frame.groupby("partner")]


def plan(schema=SCHEMA, outputs=OUTPUTS, slots="abc", **changes):
    parameters = {name: value for name, value in {**PARAMETERS, **changes}.items() if value is not None}
    return Survival().plan(parameters, outputs, dict.fromkeys(slots, DatasetSchema(table=schema)))


def run(data=None, schema=SCHEMA, outputs=OUTPUTS, **changes):
    """Plan and run; ``data`` is a list of cohorts."""
    data = cohorts() if data is None else data
    slots = [item.slot for item in data]
    return Survival().run(plan(schema, outputs, slots, **changes), Inputs(tuple(data), iter(()), bytes(32)))


def contract_output(planned, recipients="abc"):
    return ContractOutput(
        output=planned.output,
        type=planned.type,
        labels=planned.labels,
        recipients=tuple(
            Recipient(institution=OWNERS[slot], member="analyst", key=hashlib.sha256(slot.encode() * 2).hexdigest())
            for slot in recipients
        ),
    )


def contract(planned, preset="sacro", owners="abc", recipients="abc"):
    """The fields of a contract that the gate reads."""
    return SimpleNamespace(
        profile=planned.profile,
        outputs=tuple(contract_output(output, recipients) for output in planned.outputs),
        preset=preset,
        owners=tuple(OWNERS[slot] for slot in owners),
        datasets=tuple(SimpleNamespace(slot=slot, owner=OWNERS[slot]) for slot in owners),
    )
