"""The list of analyses for people: ``docs/analyses.md``, from what the enclave program says of itself.

``python -m sealroom.analyses_page`` prints it; ``make generated`` writes it, a test compares.
"""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from sealroom.local_enclave import describe_analyses

__all__ = ["main", "render_page"]

_HEAD = """\
# Analyses

Generated from the analyses' own descriptions by `make generated`; a test compares it. `sealroom recipe new NAME` writes
a commented recipe. How to add one: `writing-an-analysis.md`.
"""


def render_page(descriptors: Iterable[Mapping[str, Any]]) -> str:
    """Render the page for analyses as ``describe_analyses`` returns them."""
    return "\n".join((_HEAD, *(_section(descriptor) for descriptor in descriptors)))


def _section(found: Mapping[str, Any]) -> str:
    outputs = [
        f"| `{output['name']}{'-SLOT' if output['per_slot'] else ''}` | {output['type']} | {output['description']} | "
        f"{output['reveals']} |"
        for output in found["outputs"]
    ]
    parameters = [
        f"| `{parameter['name']}` | {parameter['kind']} | {parameter['description']} |"
        for parameter in found["parameters"]
    ]
    lines = [
        f"## {found['name']}",
        "",
        f"{found['title']}; profile {found['profile']}. {found['estimand']}",
        "",
        "| Output | Type | What it is | What it reveals |",
        "|---|---|---|---|",
        *outputs,
        "",
        "| Parameter | Kind | What it is |",
        "|---|---|---|",
        *parameters,
        "",
        f"Compared with: {found['outside_answer']}",
        "",
        *(f"- {reference}" for reference in found["references"]),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print the page."""
    sys.stdout.write(render_page(describe_analyses()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
