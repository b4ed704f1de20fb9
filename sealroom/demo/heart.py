"""Heart disease in four hospitals (UCI), each with a schema of its own that the recipes map to one.

The data is not shipped: the user names a folder with the four files ``processed.*.data`` of the UCI archive. There all
hospitals use one schema already. To show what mappings are for, three of them are written as if by a system of their
own: other codes, another unit, another word for what is missing.
"""

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from protocol.errors import StorageError
from sealroom.demo.study import DemoStudy, Question, data_of

__all__ = ["CLINICAL", "export_hospitals"]

_FIELDS = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak")
"""Columns 1 to 10 of the files; the last of their 14 is the grade of disease."""
_GRADE = 13
_MG_PER_MMOL = 38.67
"""Of cholesterol: mg/dL in one mmol/L."""
_RECIPES = ("glm", "table1", "feasibility", "prediction", "prediction-pooled")
_SEXES = {"0": "f", "1": "m"}
_CELL = re.compile(r"\?|-?[0-9]*\.?[0-9]+")
_ANSWERS = {"0": "nein", "1": "ja"}
Export = Callable[[dict[str, str]], dict[str, str]]


def export_hospitals(data: Path | None, folder: Path) -> dict[str, int]:
    """Write ``<folder>/<party>/heart.csv`` for each hospital; returns rows by party.

    Raises
    ------
    StorageError
        ``DATA_MISSING`` where no folder is named, or a file is not there or does not have the 14 columns.
    """
    counts = {}
    for party, found in _files(data).items():
        rows = [_HOSPITALS[party][2](row) for row in found]
        with (folder / party / "heart.csv").open("w", encoding="utf-8", newline="") as sink:
            writer = csv.DictWriter(sink, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        counts[party] = len(rows)
    return counts


def _read(path: Path) -> Iterator[dict[str, str]]:
    try:
        lines = path.read_text("ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise _missing(f"no readable file {path}") from error
    if not lines:
        raise _missing(f"an empty file {path}")
    for number, line in enumerate(lines, 1):
        cells = line.split(",")
        if len(cells) != _GRADE + 1 or not all(_CELL.fullmatch(cell) for cell in cells):
            raise _missing(f"other content in row {number} of {path}")
        cells = [_plain(cell) for cell in cells]
        yield {"patient": f"{path.suffixes[0][1:].upper()}-{number:03d}"} | dict(
            zip(_FIELDS, cells, strict=False), grade=cells[_GRADE]
        )


def _plain(cell: str) -> str:
    """Write numbers one way: some files say 63.0, others 63, and .7 for 0.7."""
    return cell if cell == "?" else f"{float(cell):g}"


def _as_it_is(row: dict[str, str]) -> dict[str, str]:
    return row


def _budapest(row: dict[str, str]) -> dict[str, str]:
    chol = row["chol"] if row["chol"] == "?" else f"{float(row['chol']) / _MG_PER_MMOL:.4f}"
    return row | {"sex": _SEXES.get(row["sex"], row["sex"]), "chol": chol}


def _switzerland(row: dict[str, str]) -> dict[str, str]:
    return row | {"exang": _ANSWERS.get(row["exang"], "unbekannt")}


def _long_beach(row: dict[str, str]) -> dict[str, str]:
    return {name: "-9" if value == "?" else value for name, value in row.items()}


def _missing(found: str) -> StorageError:
    return StorageError(
        "DATA_MISSING",
        f"Found {found}; wanted a folder with the files {', '.join(source for _, source, _ in _HOSPITALS.values())} of "
        "14 columns. Download UCI Heart Disease (CC BY 4.0, https://archive.ics.uci.edu/dataset/45/heart+disease), "
        "unpack it and name the folder with --data.",
    )


_HOSPITALS: dict[str, tuple[str, str, Export]] = {
    "a": ("Cleveland Clinic", "processed.cleveland.data", _as_it_is),
    "b": ("Institute of Cardiology, Budapest", "processed.hungarian.data", _budapest),
    "c": ("University hospitals, Zurich and Basel", "processed.switzerland.data", _switzerland),
    "d": ("V.A. Medical Center, Long Beach", "processed.va.data", _long_beach),
}
"""Name, file, and how the hospital writes a row."""


def _require(data: Path | None) -> None:
    _files(data)


def _files(data: Path | None) -> dict[str, list[dict[str, str]]]:
    """Return each hospital's rows as the archive has them."""
    if data is None:
        raise _missing("no --data")
    return {party: list(_read(data / source)) for party, (_, source, _) in _HOSPITALS.items()}


def _prepare(folder: Path, data: Path | None) -> dict[str, int]:
    counts = export_hospitals(data, folder)
    shipped = data_of("clinical")
    for party in counts:
        (folder / party / "schema.toml").write_text(
            shipped.joinpath(f"schema-{party}.toml").read_text("utf-8"), "utf-8"
        )
        (folder / party / "policy.toml").write_text(shipped.joinpath("policy.toml").read_text("utf-8"), "utf-8")
    for recipe in _RECIPES:
        (folder / f"{recipe}.toml").write_text(shipped.joinpath(f"{recipe}.toml").read_text("utf-8"), "utf-8")
    return counts


CLINICAL = DemoStudy(
    name="clinical",
    profile="clinical",
    intro="Heart disease in four hospitals, each with a schema of its own",
    parties={party: name for party, (name, _, _) in _HOSPITALS.items()},
    dataset="heart",
    title="UCI Heart Disease",
    prepare=_prepare,
    require=_require,
    questions=(
        Question("glm", "What goes with heart disease, once hospitals are taken into account?"),
        Question("table1", "How do patients with and without heart disease differ?"),
        Question("feasibility", "Are there enough older patients with pain on exertion for a trial?"),
        Question(
            "prediction",
            "Does a model that two hospitals trained tell disease in a third?",
            parties=("a", "b", "d"),
            reader="d",  # it is about d's patients, so d alone learns it
        ),
        Question("prediction-pooled", "And one that three hospitals trained together?", parties=("a", "b", "d")),
    ),
)
