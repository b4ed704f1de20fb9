"""The page: verification first, then what was agreed, then the released outputs."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from protocol.catalogue import Variant
from protocol.documents.outputs import ReleasedOutput
from protocol.presets import PRESETS
from sealroom.labels import spoken
from sealroom.report.facts import facts_of
from sealroom.report.section import Context
from sealroom.report.sections import section_of
from sealroom.verification import VerifiedBundle

__all__ = ["render_report"]

FOLDER = Path(__file__).parent


def render_report(
    verified: VerifiedBundle,
    released: Mapping[str, ReleasedOutput],
    variants: Mapping[int, Variant] | None = None,
) -> str:
    """Return one HTML file: no scripts, nothing loaded from anywhere, the same bytes for the same input.

    ``released`` holds what ``sealroom.result.open_outputs`` opened from the same bundle, ``variants`` what
    ``sealroom.variants.read_variants`` found of its hits.
    """
    contract = verified.study.contract
    preset = PRESETS[contract.document.preset]
    units = "compounds" if contract.document.profile == "discovery" else "subjects"
    scanned = max((m.document.genotypes.variants for m in verified.study.manifests if m.document.genotypes), default=0)
    context = Context("", (), preset, "", units, variants or {}, scanned)
    sections = [
        section_of(
            agreed,
            released,
            replace(context, name=agreed.output, labels=spoken(agreed.labels, agreed.type), prefix=f"plot{number}"),
        )
        for number, agreed in enumerate(contract.document.outputs, start=1)
    ]
    return _template().render(
        css=(FOLDER / "report.css").read_text(encoding="utf-8"),
        verified=verified,
        checks=verified.verification.checks,
        title=contract.document.title,
        contract=contract.name,
        facts=facts_of(verified.study),
        sections=sections,
        predicate=verified.receipt.document.predicate,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")
