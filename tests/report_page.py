"""Reports for tests: a page parsed, released outputs by hand, one of them laid out alone, a study with genotypes.

::

    Page(html).words                                   # text as it is read; elements and attributes beside it
    metrics(("ridge: RMSE", "0.8", "0.7", "0.9"))      # labels and value, as a bundle of the tests takes them
    laid_out(metrics(...))                             # its section of the report
    genotype_bundle(outputs, catalogue)                # a bundle whose datasets have this catalogue of variants
"""

from html.parser import HTMLParser

import factories
import factories_bundle

from protocol.catalogue import CatalogueDigest
from protocol.documents.dataset import GenotypeSchema, SealedFile, sealed_size
from protocol.documents.outputs import CountCell, CountTable, Hit, Hits, Mean, Means, Metric, Metrics, ReleasedOutput
from protocol.documents.study import ContractOutput, Recipient
from protocol.presets import PRESETS
from sealroom.labels import spoken
from sealroom.report.section import Context
from sealroom.report.sections import section_of

VOID = {"meta", "br", "link", "img", "input", "hr"}
DIGEST = "ab" * 32
ROOT = "cd" * 32


class Page(HTMLParser):
    """Collects elements, attributes and text, and whether every element was closed in order."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.attributes, self.text, self.open = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    @property
    def words(self):
        return " ".join("".join(self.text).split())


def counts(*cells):
    entries = tuple(CountCell(label=label, count=count) for label, (_, count) in enumerate(cells))
    table = CountTable(cells=entries, total=sum(count or 0 for _, count in cells))
    return ("counts", tuple(label for label, _ in cells), table)


def means(*cells):
    """Take label, subjects, mean, deviation."""
    entries = tuple(
        Mean(label=label, subjects=subjects, mean=mean, sd=sd) for label, (_, subjects, mean, sd) in enumerate(cells)
    )
    return ("means", tuple(cell[0] for cell in cells), Means(cells=entries))


def metrics(*entries, subjects=200, events=95):
    """Take label, value and bounds of each figure; a label alone is suppressed."""
    found = tuple(
        Metric(label=label, value=value, lower=lower, upper=upper)
        for label, (_, value, lower, upper) in enumerate((*entry, None, None, None)[:4] for entry in entries)
    )
    return ("metrics", tuple(entry[0] for entry in entries), Metrics(subjects=subjects, events=events, entries=found))


def hits(*entries, label="height (cm) per copy of the first allele"):
    """Take place, effect, power of ten of p."""
    found = tuple(Hit(variant=variant, effect=effect, log10p=log10p) for variant, effect, log10p in entries)
    return ("hits", (label,), Hits(label=0, subjects=950, entries=found))


def agreed(output, name="output"):
    kind, labels, _ = output
    recipient = Recipient(institution=ROOT, member="ada", key=DIGEST)
    return ContractOutput(output=name, type=kind, labels=labels, recipients=(recipient,))


def laid_out(output, *, variants=None, units="subjects", preset="sacro", scanned=2000):
    entry, value = agreed(output), output[2]
    labels = spoken(entry.labels, entry.type)
    context = Context(entry.output, labels, PRESETS[preset], "plot1", units, variants or {}, scanned)
    return section_of(entry, {entry.output: ReleasedOutput(output=entry.output, value=value)}, context)


def sealed(name, size):
    return SealedFile(name=name, plain_size=size, sealed_size=sealed_size(size), parts=(DIGEST,))


def genotype_bundle(outputs, catalogue, at=factories.NOW):
    """Make a bundle over datasets of 20 samples with the variants of ``catalogue``; nobody opens their data."""
    digest = CatalogueDigest()
    for variant in catalogue:
        digest.add(variant)
    genotypes = GenotypeSchema(variants=digest.variants, catalogue=digest.finish(), assembly="GRCh38")
    files = (sealed("table", 400), sealed("genotypes", genotypes.plain_size(20)))
    study = factories_bundle.make_study(outputs, manifest={"genotypes": genotypes, "files": files}, at=at)
    return factories_bundle.make_bundle(study, outputs=outputs, at=at)
