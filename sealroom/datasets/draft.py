"""Guessing a schema from a CSV or SD file, as TOML to edit."""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pandas as pd

from protocol.documents.dataset import MAX_BITS
from protocol.errors import DocumentError, StorageError
from protocol.layout.form import DIGEST_SIZE
from sealroom.datasets.molecules.columns import FEATURES, NOT_DRAFTED, RESERVED, Feature, is_sdf
from sealroom.datasets.sample import csv_sample, sdf_sample

__all__ = ["draft_schema"]

MOST_LEVELS = 12
_SUBJECT = re.compile(r"(subject|patient|participant|usubjid|person|sample|id)", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d{1,15}", re.ASCII)
_POINT = re.compile(r"[+-]?\d{1,15}\.(\d{1,9})", re.ASCII)
_HEX = re.compile(r"[0-9a-fA-F]{32,}", re.ASCII)
_MISSING = ("NA", "N/A", "NaN", "null", ".")
HEAD = """\
# Schema of {name}. Everything but `header`, `left_out` and `molecules` is signed and shown to your partners.
#   kind         subject (exactly one column, one row a subject), integer, decimal, category;
#                bits and digest as hex text (bits: width / 4 digits, the lowest bit of each byte first; digest: 32)
#   unit         of numbers, UCUM: a, d, kg, mmol/L; "1" for pure numbers
#   scale        decimals of a decimal column
#   minimum      plausible limits, as text; not the extremes of your data, which are your patients'
#   levels       of categories: code in the data, label for people. Levels are public: a code that only a few
#                subjects have must come from a public code list
#   missing_allowed, missing_codes   an empty cell is missing, and so are these codes
#   header       heading in the file, where it is not the name
#   left_out     headings of the file that are not read
"""
MOLECULES = """\
#   molecules    heading of the column of SMILES; an SD file's own structures are read where it is not said
# Columns under `molecule:` are computed from the structure, in a standard form: counter-ions cut off, charges neutral.
# Keep those that your study needs, as they are: partners' columns must be made alike. There are also: {others}.
# The compound is the subject here, so that it may stand in one row only. Where it was measured several times, take the
# mean, or make another column, of identifiers, the subject.
"""


def draft_schema(path: Path, molecules: str | None = None) -> str:
    """Return a schema in TOML, guessed from the first rows; ``molecules`` is the heading of a column of SMILES.

    Raises
    ------
    StorageError
        ``FILE_MISSING``.
    DocumentError
        As ``csv_sample`` and ``sdf_sample`` where there is nothing to guess from; ``SCHEMA_COLUMN_ABSENT`` where there
        is no such heading.
    """
    if not path.is_file():
        raise StorageError("FILE_MISSING", f"There is no file {path}.")
    headings, frame = sdf_sample(path) if is_sdf(path.name) else csv_sample(path)
    head = HEAD.format(name=ascii(path.name)[1:-1])
    if molecules is not None or is_sdf(path.name):
        return head + _with_molecules(headings, frame, path, molecules)
    subject = _guess_subject(headings, frame)
    blocks = [_column(heading, frame[place], is_subject=place == subject) for place, heading in enumerate(headings)]
    return head + "\n" + "\n".join(blocks)


def _with_molecules(headings: Sequence[str], frame: pd.DataFrame, path: Path, molecules: str | None) -> str:
    if molecules is not None and molecules not in headings:
        raise DocumentError("SCHEMA_COLUMN_ABSENT", f"{path} has no column {molecules!a}.")
    others = [place for place, heading in enumerate(headings) if heading != molecules]
    left_out = [
        headings[place] for place in others if _is_text(frame[place]) or _names_rows(headings[place], frame[place])
    ]
    top = [] if molecules is None else [f"molecules = {_text(molecules)}"]
    top += [f"left_out = [{', '.join(map(_text, left_out))}]"] if left_out else []
    blocks = [_computed(name, feature) for name, feature in FEATURES.items() if name not in NOT_DRAFTED]
    blocks += [
        _column(headings[place], frame[place], is_subject=False, taken=FEATURES)
        for place in others
        if headings[place] not in left_out
    ]
    return MOLECULES.format(others=", ".join(RESERVED + name for name in NOT_DRAFTED)) + "\n".join(
        ["", *top, "", *blocks]
    )


def _computed(name: str, feature: Feature) -> str:
    lines = ["[[columns]]", f"name = {_text(name)}", f"header = {_text(RESERVED + name)}"]
    lines += [f"description = {_text(feature.description)}", *feature.lines]
    return "\n".join(lines) + "\n"


def _guess_subject(headings: Sequence[str], frame: pd.DataFrame) -> int:
    places = range(len(headings))
    unique = [place for place in places if frame[place].is_unique and (frame[place] != "").all()]
    named = [place for place in unique if _SUBJECT.search(headings[place])]
    return (named or unique or [0])[0]


def _column(heading: str, values: "pd.Series[str]", *, is_subject: bool, taken: Collection[str] = ()) -> str:
    name = re.sub(r"[^a-z0-9._-]+", "-", heading.lower()).strip("-._")[:64] or "column"
    if name in taken:
        name = f"given-{name}"
    lines = ["[[columns]]", f"name = {_text(name)}"]
    if name != heading:
        lines.append(f"header = {_text(heading)}")
    lines.append(f"description = {_text(heading or name)}")
    lines += ['kind = "subject"'] if is_subject else list(_value_lines(values))
    return "\n".join(lines) + "\n"


def _value_lines(values: "pd.Series[str]") -> Iterator[str]:
    codes = [code for code in _MISSING if (values == code).any()]
    distinct = _distinct(values)
    if len(distinct) <= MOST_LEVELS:
        yield 'kind = "category"'
        levels = ", ".join(f"{{ code = {_text(text)}, label = {_text(text)} }}" for text in distinct or ["?"])
        yield f"levels = [{levels}]"
    elif width := _hex_width(values):
        yield 'kind = "digest"' if width == DIGEST_SIZE else f'kind = "bits"\nwidth = {8 * width}'
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


def _distinct(values: "pd.Series[str]") -> list[str]:
    """Return the texts that are not missing, short ones first."""
    present = values[(values != "") & ~values.isin(_MISSING)]
    return sorted(present.unique(), key=lambda text: (len(text), text))


def _is_text(values: "pd.Series[str]") -> bool:
    """Say whether a column holds nothing that can be sealed."""
    distinct = _distinct(values)
    numbers = all(_WHOLE.fullmatch(text) or _POINT.fullmatch(text) for text in distinct)
    return len(distinct) > MOST_LEVELS and not numbers and not _hex_width(values)


def _names_rows(heading: str, values: "pd.Series[str]") -> bool:
    """Say whether a column of whole numbers is one of identifiers: beside the compound, nothing else is needed."""
    return bool(_SUBJECT.search(heading)) and values.is_unique and all(_WHOLE.fullmatch(text) for text in values)


def _hex_width(values: "pd.Series[str]") -> int:
    """Return the bytes that each cell spells in hex, or 0 where cells differ in length or spell none."""
    lengths = values.str.len().unique()
    if len(lengths) != 1 or lengths[0] % 2 or lengths[0] > MAX_BITS // 4 or not values.str.fullmatch(_HEX).all():
        return 0
    return int(lengths[0]) // 2


def _limits() -> Iterator[str]:
    yield 'unit = "1"  # which?'
    yield '# minimum = "0"'
    yield '# maximum = "100"'


def _text(text: str) -> str:
    """Write a TOML basic string."""
    safe = "".join(character if character.isprintable() else " " for character in text)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'
