"""TOML as people write it, refused before it is parsed where it would cost the parser its stack or its memory."""

import re
import tomllib
from typing import Any, Final

from protocol.errors import DocumentError

__all__ = ["MAX_TOML_DEPTH", "load_flat_toml"]

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


def load_flat_toml(text: str, *, where: str) -> dict[str, Any]:
    """Parse TOML; bound the length of ``text`` before.

    Raises
    ------
    DocumentError
        ``TOML`` says line and column of what is wrong; ``TOML_DEPTH`` the line of what is nested too deep. Both begin
        with ``where``.
    """
    _require_flat(text, where)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError("TOML", f"{where}: {error}.") from error


def _require_flat(text: str, where: str) -> None:
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
            f"{where}: line {line}: found {MAX_TOML_DEPTH} or more brackets within brackets, or dots in a key; wanted "
            "tables and lists as flat as in the examples.",
        )
