"""Recipes as people write them: TOML with an analysis, its slots, parameters and outputs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from protocol.documents.dataset import TableSchema
from protocol.documents.study import Parameter, Recipe
from protocol.errors import AnalysisError
from protocol.types import Document, Name, Text
from sealroom.local_enclave import Plan, describe_analyses, plan
from sealroom.times import now
from sealroom.typed import read_toml, typed

__all__ = ["RecipeDraft", "analysis_named", "check_recipe", "load_recipe", "recipe_example", "sign_ready"]

WIDTH = 110


class RecipeDraft(Document):
    """A recipe before it is signed."""

    title: Text
    analysis: Name
    slots: Annotated[tuple[Name, ...], Field(min_length=1, max_length=50)]
    parameters: Annotated[dict[Name, Parameter], Field(max_length=50)]
    outputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=50)]


def load_recipe(path: Path) -> RecipeDraft:
    """Read a recipe; ``DocumentError`` names the first field that is wrong."""
    return typed(RecipeDraft, read_toml(path), where=str(path))


def sign_ready(draft: RecipeDraft, *, author: str, analyst: str) -> Recipe:
    """Return the document that an analyst signs."""
    fields = draft.model_dump(mode="json") | {"author": author, "analyst": analyst, "created": now()}
    return typed(Recipe, fields, where="recipe")


def check_recipe(draft: RecipeDraft, tables: Mapping[str, TableSchema]) -> Plan:
    """Plan a recipe on the schemas of its slots.

    Raises
    ------
    AnalysisError
        ``SLOTS`` where slots and datasets do not match, and whatever the analysis finds in the schemas.
    """
    if set(tables) != set(draft.slots):
        raise AnalysisError(
            "SLOTS",
            f"The recipe's slots are {', '.join(draft.slots)}; datasets were given for {', '.join(tables) or 'none'}.",
        )
    in_order = {slot: tables[slot] for slot in draft.slots}
    return plan(draft.analysis, draft.parameters, draft.outputs, in_order)


def analysis_named(name: str) -> dict[str, Any]:
    """Return an analysis's descriptor; ``AnalysisError`` with code ``ANALYSIS_UNKNOWN`` names those that exist."""
    found = {descriptor["name"]: descriptor for descriptor in describe_analyses()}
    if name not in found:
        raise AnalysisError("ANALYSIS_UNKNOWN", f"There is no analysis {name}; there is {', '.join(found)}.")
    return found[name]


def recipe_example(descriptor: Mapping[str, Any]) -> str:
    """Return a commented recipe for an analysis, to be filled in."""
    outputs = descriptor["outputs"]
    lines = [
        *_comment(f"{descriptor['title']} ({descriptor['name']}). {descriptor['estimand']}"),
        *_comment("Estimates are compared with: " + descriptor["outside_answer"]),
        "",
        'title = "What partners will read first"',
        f"analysis = {_value(descriptor['name'])}",
        "",
        "# One slot for each dataset; a contract puts a dataset into each. Names are yours.",
        'slots = ["a", "b"]',
        "",
        "# Take out what you do not need: each output tells its recipients something.",
        "outputs = [",
    ]
    for output in outputs:
        lines += [f"    {line}" for line in _comment(f"{output['description']} It reveals: {output['reveals']}")]
        lines.append(f"    {_value(output['name'])},")
    lines += ["]", "", "[parameters]"]
    for parameter in descriptor["parameters"]:
        needed = "all outputs" if len(parameter["needed_by"]) == len(outputs) else ", ".join(parameter["needed_by"])
        lines += _comment(f"{parameter['description']} ({parameter['kind']}; needed by {needed})")
        lines += [f"{parameter['name']} = {_blank(parameter['kind'])}", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _blank(kind: str) -> str:
    match kind:
        case "columns":
            return '["a column", "another"]'
        case "whole numbers":
            return "[1, 2, 3]"
        case "whole number":
            return "1"
        case _:
            return f'"a {kind}"'


def _comment(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _value(value: str | Sequence[str]) -> str:
    return json.dumps(value, ensure_ascii=False)
