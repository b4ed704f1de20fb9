"""From what people write (TOML, options) to typed documents, with errors that name the field."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from protocol.errors import DocumentError
from protocol.types import Name
from sealroom.files import read_bounded

__all__ = ["read_toml", "require_name", "typed"]

MAX_TOML: Final = 2**20
MAX_TOML_DEPTH: Final = 16
"""Brackets within brackets, and dots of a key: ``tomllib`` recurses, and a key of n parts costs it n squared."""
_TEXT_OR_COMMENT: Final = re.compile(
    r"""
    "{3}(?:[^"\\]+|\\.|"(?!""))*+(?:"{3,5}|\Z)    # ends with up to five: two may belong to the text
    | '{3}(?:[^']+|'(?!''))*+(?:'{3,5}|\Z)
    | "(?:[^"\\\n]+|\\.)*+(?:"|$|\Z)
    | '[^'\n]*+(?:'|$)
    | \#[^\n]*+
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
"""What may hold any character; one that does not end goes on to where ``tomllib`` gives up."""
_BRACKET: Final = re.compile(r"[\[\]{}]")
_DOTTED: Final = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{MAX_TOML_DEPTH}}}")
M = TypeVar("M", bound=BaseModel)


def typed(kind: type[M], content: Mapping[str, Any], *, where: str) -> M:
    """Read plain values as one kind of document.

    Raises
    ------
    DocumentError
        ``DOCUMENT`` with the first field that is wrong and where it stands.
    """
    try:
        return kind.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(step) for step in first["loc"])
        message = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise DocumentError("DOCUMENT", f"{where}: {field + ': ' if field else ''}{message}.") from error
    except (TypeError, ValueError) as error:  # TOML has dates and floats that are not finite; documents have neither
        raise DocumentError("DOCUMENT", f"{where}: write times as text and numbers as decimal text.") from error


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file of at most ``MAX_TOML`` bytes.

    Raises
    ------
    DocumentError
        ``TOML`` says line and column of what is wrong; ``TOML_DEPTH`` the line of what is nested too deep.
    StorageError
        As ``read_bounded``.
    """
    try:
        text = read_bounded(path, MAX_TOML).decode("utf-8")
        _require_flat(text, path)
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError("TOML", f"{path}: {error}.") from error


def _require_flat(text: str, path: Path) -> None:
    """Refuse, before it is parsed, what would cost the parser its stack or far more memory than the file has bytes."""
    bare = _TEXT_OR_COMMENT.sub(lambda found: "_" + "\n" * found[0].count("\n"), text)
    depth, place = 0, _DOTTED.search(bare)
    for bracket in _BRACKET.finditer(bare):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_TOML_DEPTH:
            place = bracket
            break
    if place is not None:
        line = bare.count("\n", 0, place.start()) + 1
        raise DocumentError(
            "TOML_DEPTH",
            f"{path}: line {line}: found {MAX_TOML_DEPTH} or more brackets within brackets, or dots in a key; wanted "
            "tables and lists as flat as in the examples.",
        )


def require_name(text: str, what: str) -> None:
    """Raise ``DocumentError`` with code ``NAME`` unless the text is a name for programs."""
    try:
        TypeAdapter(Name).validate_python(text)
    except ValidationError as error:
        raise DocumentError(
            "NAME", f"{what} is {text!a}; wanted up to 64 lower-case letters, digits, dots, dashes and underscores."
        ) from error
