"""Models in the report: what their coefficients are decides words, axis and numbers."""

import math
import re

import pytest
from factories_bundle import LUNG, Regression, Term
from report_page import laid_out

from protocol.documents.outputs import Effect
from sealroom.frames import Interval, difference_text
from sealroom.report.forest import ForestRow, forest_plot
from sealroom.report.section import MOST_DRAWN

ROWS = (("age (per a)", "0.5", "0.1"), ("sex: male against female", "-1.25", "0.5"))


def model(effect, rows=ROWS, **more):
    terms = tuple(
        Term(label=label, coefficient=b, standard_error=error, p="0.01") for label, (_, b, error) in enumerate(rows)
    )
    fields = {"subjects": 740, "events": 385} | more
    return ("regression", tuple(row[0] for row in rows), Regression(effect=effect, terms=terms, **fields))


@pytest.mark.parametrize(
    ("effect", "kind", "head"),
    [
        ("hazard ratio", "Cox regression", "Hazard ratio"),
        ("odds ratio", "Logistic regression", "Odds ratio"),
    ],
)
def test_a_ratio_is_drawn_on_a_logarithmic_axis(effect, kind, head):
    section = laid_out(model(effect))
    (table,) = section.tables
    assert section.kind == kind
    assert table.head == ("Term", "Coefficient", "Standard error", head, "95 % interval", "p")
    # exp(0.5) = 1.6487, exp(0.5 -+ 0.196) = 1.3553, 2.0057
    assert table.rows[0] == ("age (per year)", "0.5", "0.1", "1.65", "1.36 to 2.01", "0.01")
    assert section.lead == "740 subjects, 385 events."
    (plot,) = section.plots
    assert f"{head} (logarithmic), 95 % confidence interval" in plot
    assert "age (per year) 1.65, 1.36 to 2.01" in plot


def test_a_difference_is_drawn_on_a_linear_axis_and_is_not_exponentiated():
    section = laid_out(model("difference", events=None))
    (table,) = section.tables
    assert section.kind == "Linear regression"
    assert table.head == ("Term", "Difference", "Standard error", "95 % interval", "p")
    assert table.rows[1] == ("sex: male against female", "-1.25", "0.5", "-2.23 to -0.270", "0.01")
    assert section.lead == "740 subjects."
    (plot,) = section.plots
    assert "logarithmic" not in plot
    assert "ratio" not in plot
    assert any("outcome's unit" in note for note in section.notes)
    assert not any("events" in note for note in section.notes)


def test_every_effect_of_a_released_model_has_its_words():
    for effect in Effect.__args__:
        assert laid_out(model(effect)).kind.endswith("regression")


def places(svg):
    """Where squares are drawn, in the plot's order: x of the estimates."""
    return [
        float(x) for x in re.findall(r'<use xlink:href="#[^"]*" x="([0-9.]+)" y="[0-9.]+" style="fill: #0072b2', svg)
    ]


def nothing(svg):
    """Where the dashed line of no effect is drawn."""
    (line,) = re.findall(r'<path d="M (\S+) \S+ +\s*L (\S+) \S+ +\s*"[^>]*stroke-dasharray[^>]*stroke: #5c6975', svg)
    assert line[0] == line[1]
    return float(line[0])


def test_estimates_stand_where_the_axis_says():
    rows = [ForestRow(str(at), Interval(at, at - 1, at + 1)) for at in (-4.0, 0.0, 4.0)]
    plot = forest_plot(rows, "difference", "p", "linear")
    low, middle, high = places(plot)
    assert high - middle == pytest.approx(middle - low, abs=0.01)
    assert nothing(plot) == pytest.approx(middle, abs=0.01)
    rows = [ForestRow(str(at), Interval(at, at / 2, at * 2)) for at in (0.25, 1.0, 4.0)]
    plot = forest_plot(rows, "odds ratio", "p", "logistic")
    low, middle, high = places(plot)
    assert high - middle == pytest.approx(middle - low, abs=0.01)
    assert nothing(plot) == pytest.approx(middle, abs=0.01)
    assert low < middle < high


@pytest.mark.parametrize("at", [0.0, 1e-12, 1e18, -1e18])
def test_a_difference_of_any_size_can_be_drawn(at):
    assert forest_plot([ForestRow("x", Interval(at, at, at))], "difference", "p", "linear").count("<svg") == 1


def test_a_thousand_terms_are_in_the_table_and_forty_in_the_plot():
    rows = tuple((f"column-{place} " + "long " * 190, "0.5", "0.1") for place in range(1000))
    section = laid_out(model("odds ratio", rows))
    assert len(section.tables[0].shown) == 1000
    (plot,) = section.plots
    assert len(places(plot)) == MOST_DRAWN
    assert "column-39 " in plot
    assert "column-40 " not in plot
    assert "The plot shows the first 40 of 1,000 terms." in section.notes
    assert "the rest is in the table" in plot
    assert len(re.search(r'aria-label="([^"]*)"', plot)[1]) < 5000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.012345, "-0.0123"),
        (12.345, "12.3"),
        (-123.4, "-123"),
        (1234.5, "1230"),
        (999_999.0, "1000000"),
        (-2e9, "-2.00e+09"),
        (0.0, "0"),
        (-0.0, "0"),
        (1e-5, "1.00e-05"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
    ],
)
def test_differences_have_three_digits(value, text):
    assert difference_text(value) == text


def test_the_cox_model_of_the_lung_trial_is_worded_as_before():
    section = laid_out(LUNG["cox"])
    assert section.kind == "Cox regression"
    assert section.tables[0].rows[1][3:5] == ("0.575", "0.414 to 0.799")
    assert section.lead == "225 subjects, 165 events."
