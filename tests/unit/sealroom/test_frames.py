"""Released outputs of every type as data frames, exact and to be read."""

import math

import pytest
from factories_bundle import LUNG, Regression, Term
from report_page import agreed, counts, hits, means, metrics

from protocol.catalogue import Variant
from protocol.documents.outputs import Refusal, ReleasedOutput
from sealroom.frames import frame_of, interval_of, text_frame_of

VARIANTS = {3: Variant("4", 10_003, "rs3", "A", "GT"), 7: Variant("X", 0, "rs7", "C", "T")}


def framed(output, variants=None, write=frame_of):
    return write(ReleasedOutput(output="output", value=output[2]), agreed(output), variants)


def model(effect):
    term = Term(label=0, coefficient="0.5", standard_error="0.1", p="<0.001")
    return ("regression", ("age (per a)",), Regression(effect=effect, subjects=740, events=None, terms=(term,)))


@pytest.mark.parametrize(("effect", "column"), [("hazard ratio", "hazard_ratio"), ("odds ratio", "odds_ratio")])
def test_a_ratio_has_a_column_of_its_name(effect, column):
    row = framed(model(effect)).iloc[0]
    assert row[column] == pytest.approx(1.6487212707)
    assert row.lower_95 == pytest.approx(math.exp(0.5 - 0.1959963985))
    assert row.upper_95 == pytest.approx(math.exp(0.5 + 0.1959963985))
    shown = framed(model(effect), write=text_frame_of).iloc[0]
    assert [shown.term, shown[column], shown.lower_95, shown.p] == ["age (per year)", "1.65", "1.36", "<0.001"]


def test_a_difference_has_bounds_alone():
    table = framed(model("difference"))
    assert list(table.columns) == ["term", "coefficient", "standard_error", "lower_95", "upper_95", "p"]
    assert table.iloc[0].lower_95 == pytest.approx(0.3040036015)
    shown = framed(model("difference"), write=text_frame_of).iloc[0]
    assert [shown.coefficient, shown.lower_95, shown.upper_95] == ["0.5", "0.304", "0.696"]


@pytest.mark.parametrize("effect", ["hazard ratio", "odds ratio"])
def test_a_ratio_beyond_floating_point_is_infinite_and_one_below_is_zero(effect):
    large, small = (Term(label=0, coefficient=b, standard_error="1", p="<0.001") for b in ("1000", "-1000"))
    assert interval_of(large, effect).upper == math.inf
    assert interval_of(small, effect).ratio == 0


def test_means_have_a_row_each_and_are_missing_where_suppressed():
    output = means(
        ("all, age (a)", 700, "53.5", "9.32"), ("all, chol (mg/dL)", None, "233", "52"), ("x", None, None, None)
    )
    table = framed(output)
    assert list(table.columns) == ["cell", "subjects", "mean", "sd"]
    assert table.cell[0] == "all, age (a)"
    assert table["mean"].isna().tolist() == [False, False, True]
    assert table.subjects.isna().tolist() == [False, True, True]
    shown = framed(output, write=text_frame_of)
    assert shown.iloc[0].tolist() == ["all, age (years)", 700, "53.5", "9.32"]
    assert shown.iloc[2]["mean"] == ""


def test_metrics_have_a_row_each_and_are_missing_where_suppressed():
    output = metrics(("m: AUROC", "0.850", "0.79", "0.9"), ("m: Brier score",))
    table = framed(output)
    assert list(table.columns) == ["figure", "value", "lower_95", "upper_95"]
    assert table.iloc[0].tolist() == ["m: AUROC", 0.85, 0.79, 0.9]
    assert table.iloc[1].isna().tolist() == [False, True, True, True]
    assert framed(output, write=text_frame_of).iloc[0].tolist() == ["m: AUROC", "0.850", "0.79", "0.9"]
    assert framed(output, write=text_frame_of).iloc[1].tolist() == ["m: Brier score", "", "", ""]


def test_hits_have_their_places_and_with_the_catalogue_their_names():
    output = hits((3, "0.30", 12), (7, "-0.058", 9))
    assert framed(output).iloc[0].tolist() == [3, 0.3, 12]
    named = framed(output, VARIANTS)
    assert named.iloc[0].tolist() == [3, 0.3, 12, "4", 10_003, "rs3", "A", "GT"]
    assert named.position.isna().tolist() == [False, True]
    assert framed(output, VARIANTS, text_frame_of).effect.tolist() == ["0.30", "-0.058"]
    assert framed(hits(), VARIANTS).empty


def test_the_catalogue_changes_no_other_output():
    for output in (counts(("a", 5)), means(("a", 50, "1", "2")), metrics(("a", "1", "0", "2")), *LUNG.values()):
        assert framed(output, VARIANTS).equals(framed(output))


def test_a_refusal_is_a_table_of_its_class():
    output = ("hits", ("height",), Refusal(refusal="POLICY"))
    assert framed(output, VARIANTS).refusal.tolist() == ["POLICY"]
    assert framed(output, VARIANTS, text_frame_of).refusal.tolist() == ["POLICY"]


def test_what_is_no_output_is_no_table():
    with pytest.raises(TypeError):
        frame_of(ReleasedOutput.model_construct(output="output", value="text"), agreed(counts(("a", 5))))
