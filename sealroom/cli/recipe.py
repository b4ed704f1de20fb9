"""``sealroom recipe``: list, show, new, check."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sealroom.cli.options import AsJson, AsMember, HomeOption, PassphraseFile, examples, noun, open_client
from sealroom.cli.output import print_json, print_rows, print_text, say

__all__ = ["MaxRuns", "Simulation", "SlotDatasets", "app"]

app = noun("Choose an analysis and write it down.")

SlotDatasets = Annotated[
    list[str],
    typer.Option(
        "--dataset", help="SLOT=DATASET, once for each slot; a dataset is named short, OWNER/SHORT or digits."
    ),
]

Simulation = Annotated[bool, typer.Option("--simulation", help="Allow a SIMULATED platform.")]
MaxRuns = Annotated[int, typer.Option(help="Runs; each tells something.", min=1, max=1000)]


@app.command("list", epilog=examples("recipe list", "recipe list --json"))
def list_analyses(*, as_json: AsJson = False) -> None:
    """List the analyses that the installed enclave program offers."""
    from sealroom.local_enclave import describe_analyses
    from sealroom.recipes import output_names

    found = describe_analyses()
    if as_json:
        print_json(found)
    else:
        rows = [
            (a["name"], a["profile"], " ".join(" ".join(output_names(o, ["SLOT"])) for o in a["outputs"]), a["title"])
            for a in found
        ]
        print_rows(("analysis", "profile", "outputs", "title"), rows)


@app.command("show", epilog=examples("recipe show clinical.survival"))
def show(*, analysis: Annotated[str, typer.Argument(help="Name of an analysis.")], as_json: AsJson = False) -> None:
    """Say what an analysis estimates, what it takes and what its outputs reveal."""
    from sealroom.recipes import analysis_named

    found = analysis_named(analysis)
    if as_json:
        print_json(found)
    else:
        print_text("\n".join(_words(found)))


@app.command("new", epilog=examples("recipe new clinical.survival --out recipe.toml"))
def new(
    *,
    analysis: Annotated[str, typer.Argument(help="Name of an analysis.")],
    out: Annotated[Path | None, typer.Option(help="Where to write the recipe [default: standard output].")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a commented recipe for you to fill in."""
    from sealroom.files import write_new
    from sealroom.recipes import analysis_named, recipe_example

    text = recipe_example(analysis_named(analysis))
    if out is not None:
        write_new(out, text.encode("utf-8"))
    if as_json:
        print_json({"recipe": text, "file": None if out is None else str(out)})
    else:
        print_text(text.rstrip("\n") if out is None else str(out))


@app.command(
    "check", epilog=examples("recipe check recipe.toml --dataset a=hospital-a/lung --dataset b=hospital-b/lung")
)
def check(
    *,
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="TOML, as `sealroom recipe new` writes it.")],
    dataset: SlotDatasets,
    max_runs: MaxRuns = 1,
    simulation: Simulation = False,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """Find everything that signed datasets decide, before anybody signs anything.

    Schemas, sizes and owners' terms are checked as `contract propose` checks them, for as many runs and the platform
    that you name here.
    """
    from datetime import UTC, datetime

    from sealroom.labels import shortened
    from sealroom.recipe_files import load_recipe
    from sealroom.recipes import check_recipe

    draft = load_recipe(recipe)
    with open_client(home, passphrase_file, as_member) as client:
        manifests = client.datasets_for(dataset)
        institutions = client.institutions()
    names = {root: institution.document.short for root, institution in institutions.items()}
    owners = {slot: names[manifest.document.owner] for slot, manifest in manifests.items()}
    planned = check_recipe(
        draft, manifests, institutions, simulation=simulation, max_runs=max_runs, at=datetime.now(UTC)
    )
    if as_json:
        alone = [{"about_alone": output.only(owners)} for output in planned.outputs]
        answer = planned.model_dump(mode="json")
        print_json(answer | {"outputs": [o | who for o, who in zip(answer["outputs"], alone, strict=True)]})
    else:
        rows = [(o.output, o.type, o.only(owners) or "any", shortened(o.labels, o.type)) for o in planned.outputs]
        print_rows(("output", "type", "may go to", "about"), rows)
        say(f"The recipe fits. It runs in the enclave program {planned.profile}.")


def _words(found: dict[str, Any]) -> list[str]:
    from sealroom.recipes import kind_words, output_names

    lines = [
        f"{found['title']} ({found['name']}), enclave program {found['profile']}",
        found["estimand"],
        "",
        "Outputs",
    ]
    for output in found["outputs"]:
        (name,) = output_names(output, ["SLOT"])
        kind = output["type"] + (", one for each slot, for its owner alone" if output["per_slot"] else "")
        lines.append(f"  {name} ({kind}): {output['description']} It reveals: {output['reveals']}")
    lines += ["", "Parameters"]
    for parameter in found["parameters"]:
        kind = kind_words(parameter) + ("" if parameter["needed_by"] else ", may be left out")
        lines.append(f"  {parameter['name']} ({kind}): {parameter['description']}")
    return [*lines, "", f"Compared with: {found['outside_answer']}", *(f"  {text}" for text in found["references"])]
