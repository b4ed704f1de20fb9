"""The strongest variants of a scan: a table, and effects beside the powers of ten of p.

A Manhattan plot would need all variants, which the output gate does not release.
"""

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from protocol.catalogue import Variant
from protocol.documents.outputs import Hit, Hits
from sealroom.report.figure import GRID, INK, PALETTE, QUIET, alternative, short, style, to_svg
from sealroom.report.section import MOST_DRAWN, Context, Section, Table

__all__ = ["hits_plot", "hits_section"]

PLACES = (
    "Variants are named by their places in the catalogue, counted from 0. To see which they are, give the catalogue "
    "that lies beside each sealed dataset: sealroom result open BUNDLE --variants CATALOGUE."
)
NAMES = "Names were put in here from the catalogue whose digest the datasets' owners signed."
NAMED = ("Chromosome", "Position", "Identifier", "First allele (counted)", "Second allele")
NO_IDENTIFIER = "."
LONGEST_ALLELE = 12
CHOSEN = (
    "Effects are of one copy of the first allele. These variants were chosen for being the strongest, so expect "
    "smaller effects in new data. Standard errors and frequencies do not leave the enclave."
)


FAMILY_WISE = 0.05
"""Chance of any variant beyond the line where none has an effect (Bonferroni)."""


def hits_section(value: Hits, context: Context) -> Section:
    """Lay hits out, in the catalogue's order; with the catalogue, by chromosome, position, identifier and alleles."""
    variants = context.variants
    lead = (
        f"{context.labels[value.label]}: a scan of {context.scanned:,} variants over about {value.subjects:,} "
        f"{context.units}"
    )
    if not value.entries:
        return Section(context.name, "Hits", f"{lead} of which no variant was released.")
    named = {hit.variant: _named(variants[hit.variant]) for hit in value.entries if hit.variant in variants}
    names = NAMED if named else ()
    rows = tuple(
        (*named.get(hit.variant, ("",) * len(names)), str(hit.variant), hit.effect, str(hit.log10p))
        for hit in value.entries
    )
    numeric = frozenset({1, 5, 6, 7}) if named else frozenset({0, 1, 2})
    strongest = sorted(sorted(value.entries, key=lambda hit: -hit.log10p)[:MOST_DRAWN], key=lambda hit: hit.variant)
    left = len(value.entries) - len(strongest)
    return Section(
        context.name,
        "Hits",
        f"{lead}; {len(value.entries):,} variants were released.",
        (Table((*names, "Place", "Effect", "\N{MINUS SIGN}log10 p"), rows, numeric),),
        (hits_plot(strongest, context),),
        (
            _against_chance(value.entries, context.scanned),
            NAMES if named else PLACES,
            CHOSEN,
            "Effects have 2 significant digits; of p only its power of ten is told.",
            *((f"The plot shows the {MOST_DRAWN} strongest of {len(value.entries):,}.",) if left else ()),
        ),
    )


def hits_plot(hits: Sequence[Hit], context: Context) -> Markup:
    """Draw the effect of each hit and, beside it, a bar for the power of ten of its p value.

    A dashed line is where chance among all variants ends; what is surely beyond it is filled.
    """
    labels = [_label(hit, context.variants) for hit in hits]
    line, places = _line(context.scanned), range(len(hits))
    beyond = [hit.log10p >= line for hit in hits]
    with style():
        figure = Figure(figsize=(7.2, 0.27 * len(hits) + 1.0), layout="constrained")
        effects, bars = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
        effects.axvline(0, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        values = [float(hit.effect) for hit in hits]
        effects.hlines(places, [0.0] * len(hits), values, color=PALETTE[0], linewidth=1.2, zorder=2)
        inside = [PALETTE[0] if there else "white" for there in beyond]
        effects.scatter(values, places, s=26, c=inside, edgecolors=PALETTE[0], zorder=3)
        effects.set_xlabel("Effect of one copy of the first allele")
        inside = [PALETTE[6] if there else "white" for there in beyond]
        bars.barh(places, [hit.log10p for hit in hits], height=0.55, color=inside, edgecolor=PALETTE[0])
        bars.axvline(line, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        bars.set_xlabel("\N{MINUS SIGN}log10 p (whole powers)")
        bars.set_xlim(0, 1.05 * max(line, *(hit.log10p for hit in hits)))
        for axes in (effects, bars):
            axes.set_ylim(len(hits) - 0.4, -0.6)
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            axes.grid(axis="x", color=GRID, linewidth=0.6)
            axes.set_axisbelow(True)
            axes.xaxis.set_major_locator(MaxNLocator(5))
        bars.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        effects.set_yticks(places, [short(label) for label in labels])
        rows = [
            f"{label} effect {hit.effect}, p about 10^-{hit.log10p}" for label, hit in zip(labels, hits, strict=True)
        ]
        return to_svg(figure, context.prefix, alternative(f"Effects of the variants of {context.name}", rows))


def _line(scanned: int) -> float:
    return math.log10(scanned / FAMILY_WISE)


def _against_chance(hits: Sequence[Hit], scanned: int) -> str:
    """Say how many are beyond chance. A power of ten k says that p is from 10^-k down to 10^-(k+1)."""
    line = _line(scanned)
    beyond = sum(hit.log10p >= line for hit in hits)
    near = sum(hit.log10p < line < hit.log10p + 1 for hit in hits)
    unknown = f", and of {near:,} more the power of ten does not tell" if near else ""
    return (
        f"The dashed line is p = {FAMILY_WISE} / {scanned:,} (Bonferroni): {beyond:,} of the {len(hits):,} variants "
        f"are beyond it (filled){unknown}. Any other may be there by chance."
    )


def _named(variant: Variant) -> tuple[str, ...]:
    position = f"{variant.position:,}" if variant.position else "unknown"
    return (variant.chromosome, position, short(variant.identifier), _allele(variant.first), _allele(variant.second))


def _allele(text: str) -> str:
    """Shorten an allele, so that effects stay on the page; ``outputs.json`` has it whole."""
    return text if len(text) <= LONGEST_ALLELE else f"{text[:LONGEST_ALLELE]}… ({len(text)} letters)"


def _label(hit: Hit, variants: Mapping[int, Variant]) -> str:
    if hit.variant not in variants:
        return f"place {hit.variant}"
    variant = variants[hit.variant]
    return variant.identifier if variant.identifier != NO_IDENTIFIER else f"{variant.chromosome}:{variant.position}"
