import re
from dataclasses import replace

import factories
import factories_bundle
import pytest
from report_page import Page

from protocol.documents import CountTable, Regression, ReleasedOutput, SurvivalCurve
from protocol.documents.outputs import CountCell, SurvivalGroup, SurvivalPoint
from sealroom.frames import Interval, ratio_text
from sealroom.report import render_report
from sealroom.report.forest import ForestRow, forest_plot
from sealroom.report.survival import read_grid, survival_plot
from sealroom.result import open_outputs
from sealroom.verification import verify_bundle

LUNG = factories_bundle.LUNG
HOSTILE = "<script>alert(1)</script>\" onload='x' $\\frac{1}{2}$ {{ 7*7 }} &amp;"


def report(made, party=1):
    verified = verify_bundle(made.data, made.trust, now=made.now)
    return render_report(verified, open_outputs(verified, made.study.parties[party].people["analyst"].recipient))


@pytest.fixture(scope="module")
def made():
    return factories_bundle.make_bundle()


@pytest.fixture(scope="module")
def html(made):
    return report(made)


def test_the_page_is_well_formed_and_ids_are_unique(html):
    page = Page(html)
    assert page.open == []
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids)) > 50
    for _, name, value in page.attributes:
        if name in {"aria-labelledby", "xlink:href"}:
            assert value.removeprefix("#") in ids
        for target in re.findall(r"url\(#([^)]*)\)", value):
            assert target in ids


def test_nothing_is_loaded_and_nothing_runs(html):
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "a", "image", "foreignobject"} & set(
        page.elements
    )
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name in {"src", "href", "action"}]
    assert all(value.startswith("#") for _, name, value in page.attributes if name == "xlink:href")
    assert "@import" not in html
    assert set(re.findall(r"https?://[^\"\s<]+", html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    (policy,) = [value for _, name, value in page.attributes if name == "content" and "default-src" in value]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_the_same_input_gives_the_same_bytes(made, html):
    assert report(made) == html


def test_simulation_then_verification_come_first(made, html):
    words = Page(html).words
    places = [
        words.index(text)
        for text in ("SIMULATED The platform", "Verified: all 16 checks hold", "What was agreed", "Results")
    ]
    assert places == sorted(places)
    for check in verify_bundle(made.data, made.trust, now=made.now).verification.checks:
        assert check.found in words


def test_the_terms_are_said_in_words(html):
    words = Page(html).words
    for text in (
        "To test",
        "analyst of the tests, Institute of the north",
        "10: counts below it, zeros too, are not shown (preset sacro)",
        "at most 1, until",
        "a simulated one is allowed",
        "90, 180, 365, 540, 730",
        "cox, cox-stratified, kaplan-meier, log-rank, log-rank-stratified, subjects",
    ):
        assert text in words


def test_numbers_stand_as_they_were_released(html):
    page = Page(html)
    cells = {text.strip() for text in page.text}
    assert {
        "0.01107",
        "0.009267",
        "0.23",
        "0.575",
        "0.414 to 0.799",
        "<0.001",
        "10.33",
        "9.76",
        "0.0013",
        "0.93",
        "117",
    } <= cells
    assert "225 subjects, 165 events." in page.words


def test_suppressed_cells_are_told_from_zeros(html):
    words = Page(html).words
    assert "fewer than 10 subjects (<10)" in words
    assert len(re.findall(r'class="number suppressed">suppressed<', html)) == 2


def test_plots_have_words_for_those_who_do_not_see_them(html):
    labels = [value for tag, name, value in Page(html).attributes if tag == "svg" and name == "aria-label"]
    assert len(labels) == 3
    assert labels[0].startswith(
        "Forest plot of cox. Hazard ratio, 95 % confidence interval: age (per year) 1.01, 0.993 to 1.03;"
    )
    assert "sex: male: 0.85 at 90, 0.64 at 180" in labels[2]


def test_refused_outputs_are_said_plainly():
    made = factories_bundle.make_bundle(outputs=factories_bundle.refused(LUNG, "cox", "kaplan-meier"))
    words = Page(report(made)).words
    assert "cox was not released: the output gate would not let it out" in words
    assert "kaplan-meier was not released" in words
    assert "cox-stratified was not released" not in words


def test_outputs_of_others_are_named():
    study = factories_bundle.make_study()
    outputs = list(study.contract.document.outputs)
    outputs[0] = factories.changed(outputs[0], {"recipients": (factories.recipient_of(study.parties[0]),)})
    made = factories_bundle.make_bundle(factories_bundle.with_contract(study, outputs=tuple(outputs)))
    assert "This output was sealed to other recipients." in Page(report(made)).words
    assert "This output was sealed to other recipients." not in Page(report(made, 0)).words


def hostile_bundle():
    outputs = {
        "cox": ("regression", tuple(f"{HOSTILE} {place}" for place in range(3)), LUNG["cox"][2]),
        "kaplan-meier": ("survival", tuple(f"{HOSTILE} {place}" for place in range(7)), LUNG["kaplan-meier"][2]),
        "log-rank": ("test", (HOSTILE,), LUNG["log-rank"][2]),
        "subjects": ("counts", tuple(f"{HOSTILE} {place}" for place in range(4)), LUNG["subjects"][2]),
    }
    study = factories_bundle.make_study(
        outputs, institution={"name": HOSTILE}, manifest={"title": HOSTILE}, recipe={"parameters": {"note": HOSTILE}}
    )
    party = study.parties[0]
    members = tuple(factories.changed(member, {"name": HOSTILE}) for member in party.institution.document.members)
    study = replace(study, parties=(party.reissue(members=members), *study.parties[1:]))
    return factories_bundle.make_bundle(
        factories_bundle.with_contract(study, title=HOSTILE, purpose=HOSTILE), outputs=outputs
    )


def test_partner_text_stays_text():
    made = hostile_bundle()
    html = report(made, 0)
    page = Page(html)
    assert page.open == []
    assert "script" not in page.elements
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert "<script" not in html
    assert page.words.count(HOSTILE) > 15


def test_letters_that_the_measuring_font_lacks_raise_no_warning():
    outputs = {"cox": ("regression", ("年齢", "性別", "𓀀"), LUNG["cox"][2])}
    made = factories_bundle.make_bundle(factories_bundle.make_study(outputs), outputs=outputs)
    assert "性別" in Page(report(made)).words


def test_labels_without_numbers_stand_evenly():
    grid = read_grid(("a", "b", "early", "late"), 2)
    assert grid.at == {2: 1.0, 3: 2.0}
    assert grid.title == "Time"
    assert read_grid(("a", "90", "180"), 1).title == "Time"
    assert read_grid(("a", "90 days", "6 months"), 1).at == {1: 1.0, 2: 2.0}
    assert read_grid(("a", "180 days", "90 days"), 1).at == {1: 1.0, 2: 2.0}
    assert read_grid(("a", "0.5 years", "1 years"), 1).words == {1: "0.5", 2: "1"}


def test_a_curve_of_which_nothing_was_released_is_drawn_empty():
    curve = SurvivalCurve(groups=tuple(SurvivalGroup(label=label, points=()) for label in range(9)))
    svg = survival_plot(curve, (*(f"g{label}" for label in range(9)), "90 days"), "p", "km")
    assert "nothing released" in svg


def test_a_gap_in_the_grid_stays_a_gap():
    points = (SurvivalPoint(label=1, survival="0.90", at_risk=93), SurvivalPoint(label=3, survival="0.50", at_risk=33))
    svg = survival_plot(
        SurvivalCurve(groups=(SurvivalGroup(label=0, points=points),)), ("all", "1 d", "2 d", "3 d"), "p", "km"
    )
    assert svg.count("\N{EN DASH}") == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.00"),
        (0.5754, "0.575"),
        (12.345, "12.3"),
        (123.4, "123"),
        (0.01, "0.0100"),
        (1234.0, "1.23e+03"),
        (0.0, "0.00e+00"),
        (float("inf"), "∞"),
    ],
)
def test_ratios_have_three_digits(value, text):
    assert ratio_text(value) == text


def test_intervals_beyond_the_axis_end_in_arrows():
    rows = (
        ForestRow("wide", Interval(1.0, 1e-9, 1e9)),
        ForestRow("beyond", Interval(float("inf"), 1e8, float("inf"))),
        ForestRow("tiny", Interval(0.0, 0.0, 0.0)),
        ForestRow("x" * 200, Interval(1.2, 0.9, 1.5)),
    )
    svg = forest_plot(rows, "hazard ratio", "p", "cox")
    assert svg.count("<svg") == 1
    assert "x" * 33 + "…" in svg


def test_a_model_of_one_term():
    value = Regression(subjects=100, events=50, terms=LUNG["cox"][2].terms[:1])
    outputs = {"cox": ("regression", ("age",), value)}
    made = factories_bundle.make_bundle(factories_bundle.make_study(outputs), outputs=outputs)
    assert made.released == (ReleasedOutput(output="cox", value=value),)
    assert "100 subjects, 50 events." in Page(report(made)).words


def test_hardware_is_not_called_simulated(made):
    """No hardware here signs quotes for tests: the verdict alone is changed, to see what the page says then."""
    verified = verify_bundle(made.data, made.trust, now=made.now)
    hardware = replace(verified, attestation=factories.changed(verified.attestation, {"simulated": False}))
    words = Page(render_report(hardware, {})).words
    assert "The platform was a software simulation" not in words
    assert "SIMULATED platform." not in words
    assert words.count("This output was sealed to other recipients.") == len(LUNG)


def test_the_preset_in_force_is_named():
    study = factories_bundle.with_contract(factories_bundle.make_study(), preset="cms", simulation=True, max_runs=1)
    words = Page(report(factories_bundle.make_bundle(study))).words
    assert "11: counts below it, zeros too, are not shown (preset cms)" in words


def test_counts_without_suppression_say_nothing_of_it():
    cells = (CountCell(label=0, count=25), CountCell(label=1, count=0))
    outputs = {"subjects": ("counts", ("a", "b"), CountTable(cells=cells, total=25))}
    made = factories_bundle.make_bundle(factories_bundle.make_study(outputs), outputs=outputs)
    page = Page(report(made))
    assert not {"suppressed", "Suppressed: fewer"} & {text.strip()[:17] for text in page.text}
    assert {"25", "0"} <= {text.strip() for text in page.text}


def test_mappings_are_among_what_was_agreed(html):
    assert "renamed, converted" not in Page(html).words
    mappings = {"site-south": ({"column": "months", "source": "age", "factor": "12", "unit": "mo"},)}
    study = factories_bundle.make_study(recipe={"mappings": mappings})
    words = Page(report(factories_bundle.make_bundle(study))).words
    assert "Columns that were renamed, converted or recoded" in words
    assert "age of site-south is taken for months times 12 as mo (its owner says a)" in words


def test_what_is_counted_is_said_by_the_profile():
    made = factories_bundle.make_bundle(outputs={"cox": LUNG["cox"]})
    verified = verify_bundle(made.data, made.trust, now=made.now)
    contract = verified.study.contract
    other = replace(contract, document=contract.document.model_copy(update={"profile": "discovery"}))
    changed = replace(verified, study=replace(verified.study, contract=other))
    opened = {item.output: item for item in made.released}
    assert "225 subjects, 165 events." in Page(render_report(verified, opened)).words
    assert "225 compounds, 165 events." in Page(render_report(changed, opened)).words
