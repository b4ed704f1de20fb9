"""``sealroom profile lint``: check any Gramine manifest that an owner is given."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sealroom.cli.options import AsJson
from sealroom.cli.output import print_json, print_text, say, wrapped

if TYPE_CHECKING:
    from sealroom.profiles.lint import Linted

__all__ = ["LINT_EXAMPLES", "lint"]

LINT_EXAMPLES = (
    "profile lint build/enclave/clinical/enclave.manifest",
    "profile lint enclave.manifest.sgx --json",
)
PLACES = 20
"""Places shown of one rule; --json shows all."""
NAME_WIDTH = 40

ManifestFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A Gramine manifest, rendered: NAME.manifest or NAME.manifest.sgx.")
]


def lint(*, manifest: ManifestFile, as_json: AsJson = False) -> None:
    """Say what is wrong with a Gramine manifest, why it matters and what to do; of a clean room or any other enclave.

    A measurement tells you that an enclave was made from this manifest, not that the manifest keeps the host out.
    Exit status 0 if there is nothing for which it must be refused; 5 if there is; 4 if it is no manifest.
    """
    from sealroom.profiles.lint import lint_file

    linted = lint_file(manifest)
    if as_json:
        _print_as_json(linted)
        return
    width = min(max(map(len, linted.facts)), NAME_WIDTH)
    for name, value in linted.facts.items():
        print_text(wrapped(f"{name.ljust(width)}  ", value))
    for rule, found in linted.grouped():
        print_text(f"\n{rule.severity.upper()} {rule.name}: {rule.wrong}\n  {rule.why}\n  {rule.do}")
        for finding in found[:PLACES]:
            print_text(f"    {_plain(finding.where)}: found {finding.found}")
        if len(found) > PLACES:
            print_text(f"    and {len(found) - PLACES} more; --json lists all")
    linted.require_accepted()
    warned = len(linted.findings)
    say("Nothing to refuse." + (f" Think about {warned} warning{'s' * (warned > 1)}." if warned else ""))


def _print_as_json(linted: "Linted") -> None:
    from sealroom.profiles.lint import ManifestRefused

    answer: dict[str, Any] = {
        "refused": bool(linted.refused),
        "facts": linted.facts,
        "findings": [
            {
                "rule": rule.name,
                "severity": rule.severity,
                "wrong": rule.wrong,
                "why": rule.why,
                "do": rule.do,
                "places": [{"where": _plain(finding.where), "found": finding.found} for finding in found],
            }
            for rule, found in linted.grouped()
        ],
    }
    try:
        linted.require_accepted()
    except ManifestRefused as error:
        print_json(error.problem() | answer)
        raise typer.Exit(error.exit_code) from error
    print_json(answer)


def _plain(where: str) -> str:
    from sealroom.datasets.findings import plain

    return plain(where, 200)
