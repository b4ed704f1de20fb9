"""Heart disease in four hospitals (UCI), as cohorts that went through the canonical layout.

Two forms of the same patients: in one schema, and as hospitals would have them, in units, codes and missing codes of
their own, beside the recipe's mappings that bring these back to the schema.

::

    heart.sites(reference)                  # a data frame for each hospital, categories as text, numbers as float
    heart.cohorts(reference)                # four cohorts of one schema: 303, 294, 123, 200 rows
    heart.cohorts(reference, mapped=True)   # the hospitals' own schemas, mapped; cholesterol of 0 is missing
    heart.inputs(reference)                 # these as what an analysis runs on
    heart.SITE_SCHEMAS, heart.MAPPINGS      # what a recipe for the second form is checked against, and names
"""

import hashlib

import lung
import numpy as np
import pandas as pd

from enclave.analyses.base import Inputs
from enclave.mapping import map_cohort, map_schemas
from protocol.documents import Column, Level, TableSchema
from protocol.documents.dataset import DatasetSchema
from protocol.documents.study import ColumnMapping, LevelMapping

SITES = ("cleveland", "hungarian", "switzerland", "va")
OWNERS = {site: hashlib.sha256(site.encode()).hexdigest() for site in SITES}
_FILE = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal")
TEN = _FILE[:10]
"""The covariates of R's models: rows complete in these are 303, 261, 46 and 130."""
_NO_YES = (("0", "no"), ("1", "yes"))
_ABSENT_PRESENT = (("0", "absent"), ("1", "present"))
_GRADES = tuple((str(grade), f"grade {grade}") for grade in range(5))
_MG_PER_MMOL = "38.67"
"""Of cholesterol: mg/dL in one mmol/L."""

_SUBJECT = Column(name="subject", description="Subject", kind="subject")
_MISSING = {"missing_allowed": True, "missing_codes": ("?",)}
_COLUMNS = {
    "age": lung.number("age", "a"),
    "sex": lung.category("sex", ("0", "female"), ("1", "male")),
    "cp": lung.category(
        "cp", ("1", "typical angina"), ("2", "atypical angina"), ("3", "non-anginal pain"), ("4", "asymptomatic")
    ),
    "trestbps": lung.number("trestbps", "mm[Hg]", **_MISSING),
    "chol": lung.number("chol", "mg/dL", "decimal", scale=1, **_MISSING),
    "fbs": lung.category("fbs", *_NO_YES, **_MISSING),
    "restecg": lung.category(
        "restecg", ("0", "normal"), ("1", "ST-T wave abnormality"), ("2", "left ventricular hypertrophy"), **_MISSING
    ),
    "thalach": lung.number("thalach", "/min", **_MISSING),
    "exang": lung.category("exang", *_NO_YES, **_MISSING),
    "oldpeak": lung.number("oldpeak", "mm", "decimal", scale=1, **_MISSING),
    "slope": lung.category("slope", ("1", "up"), ("2", "flat"), ("3", "down"), **_MISSING),
    "ca": lung.number("ca", **_MISSING),
    "thal": lung.category("thal", ("3", "normal"), ("6", "fixed defect"), ("7", "reversible defect"), **_MISSING),
    "num": lung.category("num", *_GRADES),
}
_DISEASE = lung.category("disease", *_ABSENT_PRESENT)
SCHEMA = TableSchema(columns=(_SUBJECT, *_COLUMNS.values(), _DISEASE))


def _site_schema(*changed):
    """A hospital's own schema: some columns in its own way, and the grade of disease only."""
    return TableSchema(columns=(_SUBJECT, *(_COLUMNS | {column.name: column for column in changed}).values()))


SITE_SCHEMAS = {
    "cleveland": _site_schema(),
    "hungarian": _site_schema(
        lung.category("sex", ("m", "male"), ("f", "female")),
        lung.number("chol", "mmol/L", "decimal", scale=9, missing_allowed=True, missing_codes=("?", "n/a")),
    ),
    "switzerland": _site_schema(
        lung.category("fbs", ("J", "ja"), ("N", "nein"), missing_allowed=True, missing_codes=("unbekannt",)),
        lung.number("chol", "mg/dL", "decimal", scale=1),
    ),
    "va": _site_schema(
        lung.number("chol", "mg/dL", "decimal", scale=1, missing_allowed=True, missing_codes=("-9",)),
        lung.number("oldpeak", "um", missing_allowed=True, missing_codes=("-9",)),
    ),
}


def _levels(becomes, to):
    labels = dict(to)
    return tuple(
        LevelMapping(code=code, level=Level(code=level, label=labels[level])) for code, level in becomes.items()
    )


_GRADES_TO_DISEASE = ColumnMapping(
    column="disease",
    source="num",
    levels=_levels({"0": "0", **dict.fromkeys("1234", "1")}, _ABSENT_PRESENT),
)
MAPPINGS = {
    "cleveland": (_GRADES_TO_DISEASE,),
    "hungarian": (
        _GRADES_TO_DISEASE,
        ColumnMapping(
            column="sex", source="sex", levels=_levels({"f": "0", "m": "1"}, (("0", "female"), ("1", "male")))
        ),
        ColumnMapping(column="chol", source="chol", unit="mg/dL", factor=_MG_PER_MMOL),
    ),
    "switzerland": (
        _GRADES_TO_DISEASE,
        ColumnMapping(column="fbs", source="fbs", levels=_levels({"N": "0", "J": "1"}, _NO_YES)),
        ColumnMapping(column="chol", source="chol", missing=("0",)),
    ),
    "va": (
        _GRADES_TO_DISEASE,
        ColumnMapping(column="chol", source="chol", missing=("0",)),
        ColumnMapping(column="oldpeak", source="oldpeak", unit="mm", factor="0.001"),
    ),
}


def sites(reference, *, zero_missing=False):
    """A frame for each hospital under ``SCHEMA``.

    Cholesterol of 0 stays a number, as in R's answers, unless ``zero_missing``.
    """
    found = {}
    for site in SITES:
        path = reference / "data/clinical" / f"processed.{site}.data"
        raw = pd.read_csv(path, header=None, names=(*_FILE, "num"), na_values="?").astype(float)
        frame = raw.copy()
        for name, column in _COLUMNS.items():
            if column.kind == "category":
                frame[name] = [None if pd.isna(value) else str(int(value)) for value in raw[name]]
        frame["disease"] = np.where(raw.num > 0, "1", "0")
        if zero_missing:
            frame["chol"] = frame.chol.where(frame.chol != 0)
        found[site] = frame
    return found


def own_frames(reference):
    """The same patients as each hospital would have them, under ``SITE_SCHEMAS``."""
    found = {site: frame.drop(columns="disease") for site, frame in sites(reference).items()}
    found["hungarian"]["sex"] = found["hungarian"].sex.map({"1": "m", "0": "f"})
    found["hungarian"]["chol"] /= float(_MG_PER_MMOL)
    found["switzerland"]["fbs"] = found["switzerland"].fbs.map({"1": "J", "0": "N"})
    found["va"]["oldpeak"] *= 1000
    return found


def cohort(frame, site, schema=SCHEMA):
    """Write a frame in the canonical layout, read it back, make the cohort of a hospital."""
    return lung.cohort(frame, site, schema, owner=OWNERS[site])


def cohorts(reference, mapped=False, *, zero_missing=False):
    """One cohort for each hospital, in the order of ``SITES``."""
    if not mapped:
        return [cohort(frame, site) for site, frame in sites(reference, zero_missing=zero_missing).items()]
    found = map_schemas({site: DatasetSchema(table=schema) for site, schema in SITE_SCHEMAS.items()}, MAPPINGS)
    return [
        map_cohort(cohort(frame, site, SITE_SCHEMAS[site]), found[site], MAPPINGS[site])
        for site, frame in own_frames(reference).items()
    ]


def inputs(reference, mapped=False, *, zero_missing=False, seed=bytes(32)):
    """The four cohorts as what an analysis runs on."""
    return Inputs(tuple(cohorts(reference, mapped, zero_missing=zero_missing)), iter(()), seed)
