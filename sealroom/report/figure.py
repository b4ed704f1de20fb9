"""From a matplotlib figure to inline SVG: deterministic, without scripts, metadata or outside references."""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from xml.etree import ElementTree as ET

from markupsafe import Markup
from matplotlib import style as styles
from matplotlib.figure import Figure

__all__ = ["GRID", "INK", "PALETTE", "QUIET", "alternative", "short", "style", "to_svg"]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
"""Okabe and Ito's colours, told apart by the colour-blind; line styles and markers differ too."""
INK = "#1b2530"
QUIET = "#5c6975"
GRID = "#d9dfe5"
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
LONGEST_LABEL = 34
LONGEST_WORDS = 4000


@contextmanager
def style() -> Iterator[None]:
    """Draw as reports look: text stays text, dollar signs stay dollar signs, ids do not change from run to run."""
    settings = {
        "svg.hashsalt": "sealroom",
        "svg.fonttype": "none",
        "text.parse_math": False,
        "font.family": "sans-serif",
        "font.size": 9.5,
        "text.color": INK,
        "axes.edgecolor": QUIET,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
    }
    with styles.context(settings, after_reset=True), warnings.catch_warnings():
        # The reader's browser has its own fonts: what the font that measures text lacks is not lacking there.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def to_svg(figure: Figure, prefix: str, words: str) -> Markup:
    """Return ``<svg>`` markup; ids begin with ``prefix``, ``words`` describe the figure to those who do not see it."""
    sink = io.BytesIO()
    figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ET.fromstring(sink.getvalue())  # noqa: S314 - matplotlib wrote it a moment ago
    for element in root.iter():
        _rename(element, prefix)
    title = ET.Element(f"{{{_SVG}}}title")
    title.text = words
    root.insert(0, title)
    root.set("role", "img")
    root.set("aria-label", words)
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - ElementTree escaped every text in it


def short(label: str) -> str:
    """Shorten a label for a figure; tables show it whole."""
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1].rstrip() + "…"


def alternative(what: str, rows: Sequence[str]) -> str:
    """Describe a plot row by row to those who do not see it; beyond ``LONGEST_WORDS`` the table has the rest."""
    words, length = [], len(what)
    for row in rows:
        length += len(row) + 2
        if length > LONGEST_WORDS:
            words.append("the rest is in the table")
            break
        words.append(row)
    return f"{what}: {'; '.join(words)}."


def _rename(element: ET.Element, prefix: str) -> None:
    if "id" in element.attrib:
        element.set("id", f"{prefix}-{element.attrib['id']}")
    if _XLINK in element.attrib:
        element.set(_XLINK, f"#{prefix}-{element.attrib[_XLINK].removeprefix('#')}")
    for name in ("clip-path", "style"):
        if "url(#" in element.attrib.get(name, ""):
            element.set(name, element.attrib[name].replace("url(#", f"url(#{prefix}-"))
