"""The strongest variants of a scan: a table, and effects beside the powers of ten of p.

A Manhattan plot would need all variants, which the output gate does not release.
"""

from collections.abc import Mapping, Sequence

from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from protocol.catalogue import Variant
from protocol.documents.outputs import Hit, Hits
from sealroom.report.figure import GRID, PALETTE, QUIET, alternative, short, style, to_svg
from sealroom.report.section import MOST_DRAWN, Context, Section, Table

__all__ = ["hits_plot", "hits_section"]

PLACES = (
    "Variants are named by their places in the catalogue, counted from 0. To see which they are, give the catalogue "
    "that lies beside each sealed dataset: sealroom result open BUNDLE --variants CATALOGUE."
)
NAMES = "Names were put in here from the catalogue whose digest the datasets' owners signed."
NAMED = ("Chromosome", "Position", "Identifier", "First allele", "Second allele")
CHOSEN = (
    "Effects are of one copy of the first allele. These variants were chosen for being the strongest, so expect "
    "smaller effects in new data. Standard errors and frequencies do not leave the enclave."
)


def hits_section(value: Hits, context: Context) -> Section:
    """Lay hits out, in the catalogue's order; with the catalogue, by chromosome, position, identifier and alleles."""
    variants = context.variants
    lead = f"{context.labels[value.label]}: a scan over about {value.subjects:,} {context.units}"
    if not value.entries:
        return Section(context.name, "Hits", f"{lead} of which no variant was released.")
    named = {hit.variant: _named(variants[hit.variant]) for hit in value.entries if hit.variant in variants}
    names = NAMED if named else ()
    rows = tuple(
        (*named.get(hit.variant, ("",) * len(names)), str(hit.variant), hit.effect, str(hit.log10p))
        for hit in value.entries
    )
    numeric = frozenset({1, 5, 6, 7}) if named else frozenset({1, 2})
    strongest = sorted(sorted(value.entries, key=lambda hit: -hit.log10p)[:MOST_DRAWN], key=lambda hit: hit.variant)
    left = len(value.entries) - len(strongest)
    return Section(
        context.name,
        "Hits",
        f"{lead}; {len(value.entries):,} variants were released.",
        (Table((*names, "Place", "Effect", "\N{MINUS SIGN}log10 p"), rows, numeric),),
        (hits_plot(strongest, variants, context.prefix, context.name),),
        (
            NAMES if named else PLACES,
            CHOSEN,
            "Effects have 2 significant digits; of p only its power of ten is told.",
            *((f"The plot shows the {MOST_DRAWN} strongest of {len(value.entries):,}.",) if left else ()),
        ),
    )


def hits_plot(hits: Sequence[Hit], variants: Mapping[int, Variant], prefix: str, name: str) -> Markup:
    """Draw the effect of each hit and, beside it, a bar for the power of ten of its p value."""
    labels = [_label(hit, variants) for hit in hits]
    places = range(len(hits))
    with style():
        figure = Figure(figsize=(7.2, 0.27 * len(hits) + 1.0), layout="constrained")
        effects, bars = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
        effects.axvline(0, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        values = [float(hit.effect) for hit in hits]
        effects.hlines(places, [0.0] * len(hits), values, color=PALETTE[0], linewidth=1.2, zorder=2)
        effects.plot(values, places, color=PALETTE[0], marker="o", markersize=5, linestyle="none", zorder=3)
        effects.set_xlabel("Effect of one copy of the first allele")
        bars.barh(places, [hit.log10p for hit in hits], height=0.55, color=PALETTE[6], edgecolor=PALETTE[0])
        bars.set_xlabel("\N{MINUS SIGN}log10 p (whole powers)")
        bars.set_xlim(0, 1.05 * max(1, *(hit.log10p for hit in hits)))
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
        return to_svg(figure, prefix, alternative(f"Effects of the variants of {name}", rows))


def _named(variant: Variant) -> tuple[str, ...]:
    position = f"{variant.position:,}" if variant.position else "unknown"
    return (variant.chromosome, position, variant.identifier, variant.first, variant.second)


def _label(hit: Hit, variants: Mapping[int, Variant]) -> str:
    return variants[hit.variant].identifier if hit.variant in variants else f"place {hit.variant}"
