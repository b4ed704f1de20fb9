"""Tables of the report: Table 1, overlap of libraries, bounds, and text that partners made."""

import pytest
from factories_bundle import make_bundle, make_study
from pydantic import ValidationError
from report_page import Page, agreed, counts, hits, laid_out, means, metrics

from protocol.documents.outputs import Metric
from sealroom.report import render_report
from sealroom.report.section import MOST_ROWS, with_interval
from sealroom.result import open_outputs
from sealroom.verification import verify_bundle

SEXES = ("sex: male", "sex: female")


def test_means_stand_as_a_table_1():
    section = laid_out(
        means(
            ("sex: male, age (a)", 510, "53.4", "9.2"),
            ("sex: female, age (a)", 190, "54.1", "9.4"),
            ("sex: male, chol (mg/dL)", None, "233", "52.1"),
            ("sex: female, chol (mg/dL)", None, None, None),
        )
    )
    (table,) = section.tables
    assert table.groups == (("", 1), ("sex: male", 2), ("sex: female", 2))
    assert table.head == ("", "Mean (SD)", "n", "Mean (SD)", "n")
    assert table.rows == (
        ("age (years)", "53.4 (9.2)", "510", "54.1 (9.4)", "190"),
        ("chol (mg/dL)", "233 (52.1)", "not told", "suppressed", "suppressed"),
    )
    assert any(note.startswith("not told") for note in section.notes)
    assert any(note.startswith("Suppressed") for note in section.notes)


def test_means_without_groups_are_a_table_1_of_one_column():
    section = laid_out(means(("all, age (a)", 700, "53.5", "9.3")))
    assert section.tables[0].rows == (("age (years)", "53.5 (9.3)", "700"),)
    assert len(section.notes) == 1


@pytest.mark.parametrize("label", ["age", "age (a)", "height of all (cm)", "sex: male, Age (a)"])
def test_means_of_no_known_form_are_a_row_each(label):
    section = laid_out(means((label, 700, "53.5", "9.3"), ("all, age (d)", 700, "53.5", "9.3")))
    assert section.tables[0].head == ("Of", "Mean (SD)", "n")
    assert len(section.tables[0].rows) == 2


def test_more_groups_than_a_page_holds_are_a_row_each():
    wide = means(*((f"site: {place}, age (a)", 700, "53.5", "9.3") for place in range(7)))
    assert len(laid_out(wide).tables[0].rows) == 7
    narrow = means(*((f"site: {place}, age (a)", 700, "53.5", "9.3") for place in range(6)))
    assert len(laid_out(narrow).tables[0].rows) == 1


def test_counts_stand_as_a_table_1_with_percentages_of_what_is_shown():
    cells = [
        (f"{sex}, cp: {level}", count) for sex, level, count in zip(SEXES * 2, "aabb", (150, 25, 50, 75), strict=True)
    ]
    hidden = [("sex: male, fbs: no", 180), ("sex: male, fbs: yes", 20), ("sex: female, fbs: no", None)]
    section = laid_out(counts(*cells, *hidden, ("sex: female, fbs: yes", None)))
    (table,) = section.tables
    assert table.head == ("", *SEXES)
    assert table.rows == (
        ("cp: a", "150 (75 %)", "25 (25 %)"),
        ("cp: b", "50 (25 %)", "75 (75 %)"),
        ("fbs: no", "180 (90 %)", "suppressed"),
        ("fbs: yes", "20 (10 %)", "suppressed"),
    )
    assert not any("add up" in note for note in section.notes)


def test_a_level_that_a_group_has_not_is_suppressed_and_gives_no_percentages():
    section = laid_out(counts(("sex: male, cp: a", 150), ("sex: female, cp: a", 25), ("sex: female, cp: b", 75)))
    assert section.tables[0].rows == (("cp: a", "150 (100 %)", "25 (25 %)"), ("cp: b", "suppressed", "75 (75 %)"))


def test_a_part_of_a_variable_gives_no_percentages():
    section = laid_out(counts(("all, cp: a", 150), ("all, cp: b", None), ("all, fbs: no", 0)))
    assert [row[1] for row in section.tables[0].rows] == ["150", "suppressed", "0"]


def test_counts_of_no_known_form_are_a_row_each_with_their_sum():
    section = laid_out(counts(("matching", 150), ("not matching or missing", 550)), units="compounds")
    assert section.tables[0].head == ("Group", "Compounds")
    assert section.tables[0].rows == (("matching", "150"), ("not matching or missing", "550"))
    assert "The cells shown add up to 700." in section.notes[0]


def test_libraries_in_common_stand_by_pair_and_say_that_there_is_noise():
    cells = [
        ("scaffolds of a and b in common", 65),
        ("scaffolds of a and b with a compound in common", 40),
        ("scaffolds of a and c in common", None),
        ("scaffolds of a and c with a compound in common", None),
    ]
    section = laid_out(counts(*cells), preset="cms")
    assert section.kind == "Overlap"
    assert section.tables[0].rows == (("a and b", "65", "40"), ("a and c", "suppressed", "suppressed"))
    assert "all acyclic compounds being one, with noise" in section.notes[0]
    assert "fewer than 21" in section.notes[1]
    assert len(laid_out(counts(*cells[:2])).notes) == 1
    assert laid_out(counts(*cells, ("another", 5))).kind == "Counts"


def test_the_labels_of_the_installed_overlap_have_the_form_that_the_report_knows():
    from factories import Column, TableSchema

    from protocol.documents.dataset import DatasetSchema
    from sealroom.local_enclave import plan

    columns = [Column(name=name, description=name, kind="digest") for name in ("scaffold", "compound")]
    table = TableSchema(columns=(Column(name="subject", description="Subject", kind="subject"), *columns))
    datasets = dict.fromkeys(("a", "b", "c"), DatasetSchema(table=table))
    parameters = {"scaffold": "scaffold", "compound": "compound"}
    (planned,) = plan("discovery.overlap", parameters, ("overlap",), datasets, {}).outputs
    section = laid_out(counts(*((label, 50) for label in planned.labels)))
    assert section.kind == "Overlap"
    assert [row[0] for row in section.tables[0].rows] == ["a and b", "a and c", "b and c"]


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (None, "suppressed"),
        (Metric(label=0, value=None, lower=None, upper=None), "suppressed"),
        (Metric(label=0, value="0.5", lower=None, upper=None), "0.5"),
        (Metric(label=0, value="0.5", lower="0.4", upper=None), "0.5"),
        (Metric(label=0, value="0.5", lower="0.4", upper="0.6"), "0.5 (0.4 to 0.6)"),
    ],
)
def test_a_figure_is_written_with_what_there_is_of_its_interval(entry, text):
    assert with_interval(entry) == text


def report(outputs):
    made = make_bundle(make_study(outputs, owners=1), outputs=outputs)
    verified = verify_bundle(made.data, made.trust, now=made.now)
    return render_report(verified, open_outputs(verified, made.study.parties[0].people["analyst"].recipient))


def test_ten_thousand_cells_are_bounded_and_what_is_left_out_is_said():
    page = report({"subjects": counts(*((f"cell {place}", 1000 + place) for place in range(10_000)))})
    cells = [text for text in Page(page).text if text.startswith("cell ")]
    assert cells == [f"cell {place}" for place in range(MOST_ROWS)]
    assert "The first 1000 rows; 9,000 more are in outputs.json." in Page(page).words
    assert len(page) < 300_000


HOSTILE = "</td><script>alert(1)</script>\" onload='x' ]]> &amp; {{ 7*7 }} $x$"
HEBREW = "\u05d0\u05d1\u05d2 5 \u05d3"


@pytest.mark.parametrize("text", [HOSTILE, HEBREW, "x" * 450, "W " * 220 + "W"])
def test_whatever_a_label_holds_stays_text_in_every_layout(text):
    outputs = {
        "table1": counts((f"sex: {text}, cp: {text}", 50), (f"sex: {text}, cp: b", 20)),
        "flat": counts((text, 50)),
        "baseline": means((f"sex: {text}, age (a)", 50, "1", "2")),
        "flat-means": means((text, 50, "1", "2")),
        "validation": metrics(
            (f"{text}: AUROC", "0.8", "0.7", "0.9"),
            (f"{text}: sensitivity at specificity 0.9", "0.8", "0.7", "0.9"),
            (f"{text}: observed at predicted 0.0 to 0.2", "0.8", "0.7", "0.9"),
        ),
        "uplift": metrics((f"{text} on own data: {text.replace(':', '')}", "0.8", "0.7", "0.9")),
        "plain": metrics((text.replace(":", ""), "0.8", "0.7", "0.9")),
        "hits": hits(label=text),
    }
    html = report(outputs)
    page = Page(html)
    assert page.open == []
    assert "script" not in page.elements
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert page.words.count(" ".join(text.split())) >= 8
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("text", ["a\u202eb", "a\u2067b", "a\u200bb", "a\nb", "a\x00b", "e\u0301", "x" * 1001])
def test_letters_that_turn_or_hide_others_never_reach_a_report(text):
    with pytest.raises(ValidationError):
        agreed(counts((text, 50)))
