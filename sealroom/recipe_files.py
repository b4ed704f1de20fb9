"""Recipes as files: TOML, read into a draft that could be signed, with errors in the words of the file."""

import json
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from protocol.documents.study import Mappings, Parameter
from protocol.errors import DocumentError
from protocol.types import Document, Name, Text
from sealroom.typed import read_toml, typed

__all__ = ["RecipeDraft", "load_recipe"]

_PARAMETER: Final[TypeAdapter[Parameter]] = TypeAdapter(Parameter)
_WANTED: Final = (
    "wanted a whole number, a text of up to 1,000 characters, or a list of 1 to 200 of one of them. "
    "Leave the parameter out, or give it a value."
)


class RecipeDraft(Document):
    """A recipe before it is signed."""

    title: Text
    analysis: Name
    slots: Annotated[tuple[Name, ...], Field(min_length=1, max_length=50)]
    mappings: Annotated[Mappings, Field(default_factory=dict)]
    parameters: Annotated[dict[Name, Parameter], Field(max_length=50)]
    outputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _can_be_signed(self) -> Self:
        for what, names in (("slot", self.slots), ("output", self.outputs)):
            if len(set(names)) != len(names):
                raise ValueError(f"each {what} is named once")
        for slot in self.mappings:
            if slot not in self.slots:
                raise ValueError(f"there are mappings of slot {slot}; the recipe's slots are {', '.join(self.slots)}")
        return self


def load_recipe(path: Path) -> RecipeDraft:
    """Read a recipe; ``DocumentError`` names the first field that is wrong."""
    content = read_toml(path)
    parameters = content.get("parameters")
    if isinstance(parameters, dict):
        for name, value in parameters.items():
            _require_parameter(name, value, where=str(path))
    return typed(RecipeDraft, content, where=str(path))


def _require_parameter(name: str, value: Any, *, where: str) -> None:  # noqa: ANN401 - any TOML value
    """Say once what a parameter may be: the type's own message would be that of one of its kinds."""
    try:
        _PARAMETER.validate_json(json.dumps(value), strict=True)
    except (ValidationError, TypeError) as error:  # a TypeError for dates and times
        raise DocumentError("DOCUMENT", f"{where}: parameters.{name}: found {_found(value)}; {_WANTED}") from error


def _found(value: object) -> str:
    match value:
        case []:
            found = "an empty list"
        case list():
            found = f"a list of {len(value)} that are not all whole numbers, nor all texts, or too many"
        case "":
            found = "an empty text"
        case str():
            found = "a text that is too long or holds characters that do not show"
        case bool():
            found = "true or false"
        case int():
            found = "a whole number beyond 2^53"
        case float():
            found = "a number with decimals"
        case dict():
            found = "a table"
        case _:
            found = "a date or a time"
    return found
