"""Recipes before they are signed: checked on signed datasets, and as examples to fill in."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import cycle
from typing import Any, Final

from protocol.documents.dataset import DatasetManifest
from protocol.documents.study import Recipe
from protocol.dsse import Verified
from protocol.errors import AnalysisError
from protocol.governance import Institutions, require_apart, require_data_current, require_terms
from protocol.presets import strictest
from sealroom.local_enclave import Plan, describe_analyses, plan_signed
from sealroom.recipe_files import RecipeDraft
from sealroom.times import now
from sealroom.typed import typed

__all__ = [
    "analysis_named",
    "check_recipe",
    "kind_words",
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


def sign_ready(draft: RecipeDraft, *, author: str, analyst: str) -> Recipe:
    """Return the document that an analyst signs."""
    fields = draft.model_dump(mode="json") | {"author": author, "analyst": analyst, "created": now()}
    return typed(Recipe, fields, where="recipe")


def check_recipe(
    draft: RecipeDraft,
    datasets: Mapping[str, Verified[DatasetManifest]],
    institutions: Institutions,
    *,
    simulation: bool,
    max_runs: int,
    at: datetime,
) -> Plan:
    """Plan a recipe on the signed datasets of its slots and hold it against their owners' terms.

    Parameters
    ----------
    datasets
        By slot.
    institutions
        Those of all owners, by root; others may be among them.
    simulation, max_runs
        What a contract would ask for.
    at
        When.

    Raises
    ------
    AnalysisError
        ``SLOTS`` where slots and datasets do not match, and whatever the analysis finds in the schemas.
    AccessDenied
        ``ROW_LIMIT``, ``TERMS_*``, ``EXPIRED``, ``NOT_YET_VALID``: what a contract would be refused for.
    """
    _require_slots(draft, datasets)
    manifests = {slot: datasets[slot].document for slot in draft.slots}
    planned = plan_signed(draft.analysis, draft.parameters, draft.outputs, manifests, draft.mappings)
    for output in planned.outputs:
        require_apart(output.output, output.apart, {slot: manifest.owner for slot, manifest in manifests.items()})
    preset = strictest(manifest.policy.preset for manifest in manifests.values())
    for manifest in manifests.values():
        require_terms(
            manifest,
            analysis=draft.analysis,
            profile=planned.profile,
            preset=preset,
            simulation=simulation,
            max_runs=max_runs,
        )
    owners = dict.fromkeys(manifest.owner for manifest in manifests.values())
    require_data_current((institutions[root].document for root in owners), datasets.values(), at)
    return planned


def _require_slots(draft: RecipeDraft, datasets: Mapping[str, Verified[DatasetManifest]]) -> None:
    if set(datasets) != set(draft.slots):
        raise AnalysisError(
            "SLOTS",
            f"The recipe's slots are {', '.join(draft.slots)}; datasets came for {', '.join(datasets) or 'none'}.",
        )
    taken: dict[str, str] = {}
    for slot in draft.slots:
        dataset = datasets[slot]
        if dataset.name in taken:
            raise AnalysisError(
                "SLOTS",
                f"Slots {taken[dataset.name]} and {slot} both got the dataset {dataset.document.short}; a contract "
                "takes a dataset once. Name another, or take one of the slots out.",
            )
        taken[dataset.name] = slot


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
