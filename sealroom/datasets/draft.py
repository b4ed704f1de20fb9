"""Guessing a schema from a CSV file, as TOML to edit."""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from protocol.errors import DocumentError, StorageError
from sealroom.datasets.rows import open_csv

__all__ = ["draft_schema"]

LOOKED_AT = 10_000
"""Rows that the guess rests on."""
MOST_LEVELS = 12
_SUBJECT = re.compile(r"(subject|patient|participant|usubjid|person|sample|id)", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d{1,15}", re.ASCII)
_POINT = re.compile(r"[+-]?\d{1,15}\.(\d{1,9})", re.ASCII)
_MISSING = ("NA", "N/A", "NaN", "null", ".")
HEAD = """\
# Schema of {name}. Everything but `header` is signed and shown to your partners.
#   kind         subject (exactly one column, one row a subject), integer, decimal, category
#   unit         of numbers, UCUM: a, d, kg, mmol/L; "1" for pure numbers
#   scale        decimals of a decimal column
#   minimum      plausible limits, as text; not the extremes of your data, which are your patients'
#   levels       of categories: code in the data, label for people. Levels are public: a code that only a few
#                subjects have must come from a public code list
#   missing_allowed, missing_codes   an empty cell is missing, and so are these codes
#   header       heading in the file, where it is not the name
"""


def draft_schema(path: Path) -> str:
    """Return a schema in TOML, guessed from the first rows.

    Raises
    ------
    StorageError
        ``FILE_MISSING``.
    DocumentError
        ``FILE_EMPTY``, ``CSV_SYNTAX`` or ``CSV_ENCODING`` where there is nothing to guess from.
    """
    headings, frame = _read(path)
    subject = _guess_subject(headings, frame)
    blocks = [_column(heading, frame[place], is_subject=place == subject) for place, heading in enumerate(headings)]
    return HEAD.format(name=path.name) + "\n" + "\n".join(blocks)


def _read(path: Path) -> tuple[list[str], pd.DataFrame]:
    if not path.is_file():
        raise StorageError("FILE_MISSING", f"There is no file {path}.")
    try:
        with open_csv(path) as text:
            rows = [row for row in itertools.islice(csv.reader(text, strict=True), LOOKED_AT + 1) if row]
    except csv.Error as error:
        raise DocumentError("CSV_SYNTAX", f"{path} is no CSV: {error}.") from error
    except UnicodeDecodeError as error:
        raise DocumentError("CSV_ENCODING", f"{path} is not UTF-8; save it again as such.") from error
    if len(rows) < 2:  # noqa: PLR2004 - headings and a row
        raise DocumentError("FILE_EMPTY", f"{path} has no rows to guess from.")
    headings = [heading.strip() for heading in rows[0]]
    whole = [[cell.strip() for cell in row] for row in rows[1:] if len(row) == len(headings)]
    return headings, pd.DataFrame(whole, columns=range(len(headings)), dtype=object)


def _guess_subject(headings: Sequence[str], frame: pd.DataFrame) -> int:
    places = range(len(headings))
    unique = [place for place in places if frame[place].is_unique and (frame[place] != "").all()]
    named = [place for place in unique if _SUBJECT.search(headings[place])]
    return (named or unique or [0])[0]


def _column(heading: str, values: "pd.Series[str]", *, is_subject: bool) -> str:
    name = re.sub(r"[^a-z0-9._-]+", "-", heading.lower()).strip("-._")[:64] or "column"
    lines = ["[[columns]]", f"name = {_text(name)}"]
    if name != heading:
        lines.append(f"header = {_text(heading)}")
    lines.append(f"description = {_text(heading or name)}")
    lines += ['kind = "subject"'] if is_subject else list(_value_lines(values))
    return "\n".join(lines) + "\n"


def _value_lines(values: "pd.Series[str]") -> Iterator[str]:
    codes = [code for code in _MISSING if (values == code).any()]
    present = values[(values != "") & ~values.isin(codes)]
    distinct = sorted(present.unique(), key=lambda text: (len(text), text))
    if present.empty or len(distinct) <= MOST_LEVELS:
        yield 'kind = "category"'
        levels = ", ".join(f"{{ code = {_text(text)}, label = {_text(text)} }}" for text in distinct or ["?"])
        yield f"levels = [{levels}]"
    elif all(_WHOLE.fullmatch(text) for text in distinct):
        yield 'kind = "integer"'
        yield from _limits()
    elif all(_WHOLE.fullmatch(text) or _POINT.fullmatch(text) for text in distinct):
        yield 'kind = "decimal"'
        yield f"scale = {max(len(match.group(1)) for text in distinct if (match := _POINT.fullmatch(text)))}"
        yield from _limits()
    else:
        yield 'kind = "category"  # many different texts: give codes, or leave the column out of the file'
        yield "levels = []"
    if codes or (values == "").any():
        yield "missing_allowed = true"
    if codes:
        yield f"missing_codes = [{', '.join(map(_text, codes))}]"


def _limits() -> Iterator[str]:
    yield 'unit = "1"  # which?'
    yield '# minimum = "0"'
    yield '# maximum = "100"'


def _text(text: str) -> str:
    """Write a TOML basic string."""
    safe = "".join(character if character.isprintable() else " " for character in text)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'
