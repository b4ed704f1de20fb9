"""Recipes as people write them: TOML with an analysis, its slots, parameters and outputs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from protocol.documents.dataset import DatasetSchema
from protocol.documents.study import Mappings, Parameter, Recipe
from protocol.errors import AnalysisError
from protocol.types import Document, Name, Text
from sealroom.local_enclave import Plan, describe_analyses, plan
from sealroom.times import now
from sealroom.typed import read_toml, typed

__all__ = [
    "RecipeDraft",
    "analysis_named",
    "check_recipe",
    "kind_words",
    "load_recipe",
    "output_names",
    "recipe_example",
    "sign_ready",
]

WIDTH = 110
SLOTS: Final = ("a", "b")
"""Slots of an example."""
MAPPINGS: Final = """
# Where a dataset has other names, units or codes than the analysis wants, say so for its slot: owners read it in the
# contract, and the dataset does not change. A number is taken times factor plus offset; of a category map every level.
#
# [[mappings.b]]
# column = "cholesterol"
# source = "chol"
# unit = "mg/dL"
# factor = "38.67"
# offset = "0"
# missing = ["0"]
#
# [[mappings.b]]
# column = "sex"
# source = "gender"
# levels = [
#     { code = "m", level = { code = "1", label = "male" } },
#     { code = "f", level = { code = "0", label = "female" } },
# ]
"""


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
    return typed(RecipeDraft, read_toml(path), where=str(path))


def sign_ready(draft: RecipeDraft, *, author: str, analyst: str) -> Recipe:
    """Return the document that an analyst signs."""
    fields = draft.model_dump(mode="json") | {"author": author, "analyst": analyst, "created": now()}
    return typed(Recipe, fields, where="recipe")


def check_recipe(draft: RecipeDraft, datasets: Mapping[str, DatasetSchema]) -> Plan:
    """Plan a recipe on the schemas of its slots.

    Raises
    ------
    AnalysisError
        ``SLOTS`` where slots and datasets do not match, and whatever the analysis finds in the schemas.
    """
    if set(datasets) != set(draft.slots):
        raise AnalysisError(
            "SLOTS",
            f"The recipe's slots are {', '.join(draft.slots)}; datasets came for {', '.join(datasets) or 'none'}.",
        )
    in_order = {slot: datasets[slot] for slot in draft.slots}
    return plan(draft.analysis, draft.parameters, draft.outputs, in_order, draft.mappings)


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
        f"slots = {_value(SLOTS)}",
        "",
        "# Take out what you do not need: each output tells its recipients something.",
        "outputs = [",
    ]
    for output in outputs:
        words = f"{output['description']} It reveals: {output['reveals']}"
        if output["per_slot"]:
            words += " One for each slot, for the owner of its dataset alone."
        lines += [f"    {line}" for line in _comment(words)]
        lines += [f"    {_value(name)}," for name in output_names(output, SLOTS)]
    lines += ["]", "", "[parameters]"]
    apart = cycle(SLOTS)  # two lists of slots, one to train on and one to validate on, have none in common
    for parameter in descriptor["parameters"]:
        needed = "all outputs" if len(parameter["needed_by"]) == len(outputs) else ", ".join(parameter["needed_by"])
        lines += _comment(f"{parameter['description']} ({kind_words(parameter)}; needed by {needed or 'none'})")
        # What may be left out is left out.
        lines += [f"{'' if needed else '# '}{parameter['name']} = {_blank(parameter, apart)}", ""]
    return "\n".join(lines).rstrip("\n") + "\n" + MAPPINGS


def output_names(output: Mapping[str, Any], slots: Sequence[str]) -> tuple[str, ...]:
    """Return the names under which a recipe asks for an output: one for each slot where it is made for each."""
    return tuple(f"{output['name']}-{slot}" for slot in slots) if output["per_slot"] else (output["name"],)


def kind_words(parameter: Mapping[str, Any]) -> str:
    """Say what a parameter takes.

    >>> kind_words({"kind": "choices", "choices": ["ridge", "random forest"]})
    'list of ridge, random forest'
    """
    choices = parameter.get("choices", ())
    return f"list of {', '.join(choices)}" if choices else str(parameter["kind"])


def _blank(parameter: Mapping[str, Any], slots: Iterator[str]) -> str:
    match kind := parameter["kind"]:
        case "columns" | "texts":
            return f'["a {kind.removesuffix("s")}", "another"]'
        case "whole numbers":
            return "[1, 2, 3]"
        case "slots":
            return _value([next(slots)])
        case "choices":
            return _value(parameter["choices"])
        case "whole number":
            return "1"
        case _:
            return f'"a {kind}"'


def _comment(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _value(value: str | Sequence[str]) -> str:
    return json.dumps(value, ensure_ascii=False)
