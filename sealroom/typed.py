"""From what people write (TOML, options) to typed documents, with errors that name the field."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from protocol.errors import DocumentError
from protocol.flat_toml import load_flat_toml
from protocol.types import Name
from sealroom.files import read_bounded

__all__ = ["parse_toml", "read_toml", "require_name", "typed"]

MAX_TOML: Final = 2**20
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
    except UnicodeDecodeError as error:
        raise DocumentError("TOML", f"{path} is not UTF-8: {error.reason}.") from error
    return parse_toml(text, path)


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """Parse the text of a TOML file; the errors are those of ``read_toml``."""
    return load_flat_toml(text, where=str(path))


def require_name(text: str, what: str) -> None:
    """Raise ``DocumentError`` with code ``NAME`` unless the text is a name for programs."""
    try:
        TypeAdapter(Name).validate_python(text)
    except ValidationError as error:
        raise DocumentError(
            "NAME", f"{what} is {text!a}; wanted up to 64 lower-case letters, digits, dots, dashes and underscores."
        ) from error
