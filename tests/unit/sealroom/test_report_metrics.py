"""Performance of models in the report: predictions, own against pooled data, and what has no form of its own."""

import re
from itertools import pairwise

import pytest
from report_page import laid_out, metrics

from sealroom.report.dumbbell import dumbbell_plot
from sealroom.report.prediction import PREDICTION, read_predictions
from sealroom.report.roc import roc_plot
from sealroom.report.uplift import UPLIFT

SPECIFICITIES = tuple(f"0.{tenths}" for tenths in range(9, 0, -1))
GROUPS = ("0.0 to 0.2", "0.2 to 0.4", "0.4 to 0.6", "0.6 to 0.8", "0.8 to 1.0")


def prediction(model, hidden=()):
    entries = [
        (f"{model}: AUROC", "0.85", "0.79", "0.9"),
        (f"{model}: Brier score", "0.167", "0.14", "0.194"),
        (f"{model}: calibration intercept", "-0.113", "-0.41", "0.18"),
        (f"{model}: calibration slope", "0.912", "0.7", "1.12"),
    ]
    for place, at in enumerate(SPECIFICITIES):
        entries.append(
            (f"{model}: sensitivity at specificity {at}", f"0.{50 + 5 * place}", f"0.{40 + 5 * place}", "0.97")
        )
    for place, group in enumerate(GROUPS):
        entries.append(
            (f"{model}: observed at predicted {group}", f"0.{11 + 18 * place}", f"0.{10 + 18 * place}", "0.95")
        )
        entries.append((f"{model}: mean predicted at predicted {group}", f"0.{12 + 19 * place}", "0.1", "0.9"))
    return [entry[:1] if entry[0] in hidden else entry for entry in entries]


def uplift(model, figure="RMSE", own="0.98", pooled="0.83", difference="-0.15"):
    return [
        (f"{model} on own data: {figure}", own, "0.9", "1.1"),
        (f"{model} on pooled data: {figure}", pooled, "0.7", "0.9"),
        (f"{model}, pooled minus own: {figure}", difference, "-0.2", "-0.1"),
    ]


def test_a_prediction_has_its_figures_a_roc_and_a_calibration_plot_for_each_model():
    section = laid_out(metrics(*prediction("logistic regression"), *prediction("gradient boosting")))
    main, sensitivity, calibration = section.tables
    assert section.kind == "Prediction"
    assert section.lead == "Tested on about 200 subjects, about 95 of them with the event."
    assert main.head == ("Figure", "logistic regression", "gradient boosting")
    assert main.rows[0] == ("AUROC", "0.85 (0.79 to 0.9)", "0.85 (0.79 to 0.9)")
    assert main.rows[2][0] == "calibration intercept"
    assert [row[0] for row in sensitivity.rows] == list(SPECIFICITIES)
    assert sensitivity.rows[0] == ("0.9", "0.50 (0.40 to 0.97)", "0.50 (0.40 to 0.97)")
    assert calibration.rows[2] == ("logistic regression", "0.4 to 0.6", "0.50 (0.1 to 0.9)", "0.47 (0.46 to 0.95)")
    titles = [re.search(r"<title>(\w+)", plot)[1] for plot in section.plots]
    assert titles == ["ROC", "Calibration"] * 2
    assert "sensitivity 0.50 (0.40 to 0.97) at specificity 0.9" in section.plots[0]
    assert "predicted 0.4 to 0.6: mean 0.50, observed 0.47 (0.46 to 0.95)" in section.plots[1]
    assert not any("Suppressed" in note for note in section.notes)


def test_the_labels_of_the_installed_analyses_have_the_forms_that_the_report_knows():
    from sealroom.local_enclave import describe_analyses

    found = {analysis["name"]: analysis for analysis in describe_analyses()}
    assert {output["type"] for output in found["clinical.prediction"]["outputs"]} == {"metrics"}
    assert {output["type"] for output in found["discovery.qsar"]["outputs"]} == {"metrics"}
    for model in (*choices(found, "clinical.prediction"), *choices(found, "discovery.qsar")):
        assert PREDICTION.fullmatch(f"{model}: AUROC")["model"] == model
        assert UPLIFT.fullmatch(f"{model}, pooled minus own: R2")["model"] == model


def choices(found, name):
    (models,) = [parameter for parameter in found[name]["parameters"] if parameter["kind"] == "choices"]
    return models["choices"]


def drawn(svg, width="1.5"):
    """The pieces of a curve: x and y of both ends."""
    found = re.findall(
        rf'<path d="M (\S+) (\S+) +\s*L (\S+) (\S+) +\s*"[^>]*stroke: #0072b2; stroke-width: {width}', svg
    )
    return [tuple(map(float, line)) for line in found]


def dotted(svg):
    return re.findall(
        r'<path d="M \S+ \S+ +\s*L \S+ \S+ +\s*"[^>]*stroke-dasharray[^>]*stroke: #0072b2; stroke-width: 0.9', svg
    )


def test_a_suppressed_point_is_passed_over_and_is_said():
    hidden = {"m: sensitivity at specificity 0.5", "m: observed at predicted 0.2 to 0.4", "m: AUROC"}
    whole, gap = laid_out(metrics(*prediction("m"))), laid_out(metrics(*prediction("m", hidden)))
    assert [len(drawn(section.plots[0])) for section in (whole, gap)] == [10, 8]
    # a mark, and the band on either side of it
    assert whole.plots[0].count("<use") - gap.plots[0].count("<use") == 3
    assert whole.plots[1].count("<use") - gap.plots[1].count("<use") == 1
    assert "sensitivity suppressed at specificity 0.5" in gap.plots[0]
    assert "predicted 0.2 to 0.4: suppressed" in gap.plots[1]
    assert [len(dotted(section.plots[0])) for section in (whole, gap)] == [0, 1]
    assert gap.tables[0].rows[0] == ("AUROC", "suppressed")
    assert any(note.startswith("Suppressed") for note in gap.notes)


def test_a_group_of_which_only_half_was_released_is_not_drawn():
    section = laid_out(metrics(*prediction("m", {"m: mean predicted at predicted 0.8 to 1.0"})))
    assert "predicted 0.8 to 1.0: suppressed" in section.plots[1]
    assert section.tables[2].rows[4][2:] == ("suppressed", "0.83 (0.82 to 0.95)")


def test_a_model_of_which_no_point_and_no_group_was_released_has_no_plots():
    hidden = {f"m: sensitivity at specificity {at}" for at in SPECIFICITIES}
    hidden |= {f"m: observed at predicted {group}" for group in GROUPS[:3]}
    hidden |= {f"m: mean predicted at predicted {group}" for group in GROUPS[3:]}
    section = laid_out(metrics(*prediction("m", hidden), *prediction("other")))
    assert [re.search("(ROC|Calibration)[^,]+of ([^,]+),", plot)[2] for plot in section.plots] == ["other", "other"]
    assert laid_out(metrics(*prediction("m", hidden))).plots == ()
    assert section.tables[1].rows[0] == ("0.9", "suppressed", "0.50 (0.40 to 0.97)")


def test_a_prediction_of_figures_alone_has_no_plots():
    section = laid_out(metrics(*prediction("m")[:4]))
    assert section.plots == ()
    assert len(section.tables) == 1
    assert not any("ROC" in note or "Calibration" in note for note in section.notes)


def test_the_curve_goes_from_corner_to_corner_in_the_order_of_specificity():
    _, labels, value = metrics(*reversed(prediction("m")))
    (model,) = read_predictions(value, labels)
    plot = roc_plot("m", model.sensitivity, "p", {})
    lines = drawn(plot)
    assert len(lines) == 10
    for (_, _, right, up), (left, low, _, _) in pairwise(lines):
        assert (right, up) == (left, low)
    assert all(left < right for left, _, right, _ in lines)
    assert "AUROC" not in plot


def test_many_models_are_in_the_table_and_six_in_plots():
    section = laid_out(metrics(*(entry for place in range(9) for entry in prediction(f"m{place}"))))
    assert len(section.plots) == 12
    assert len(section.tables[0].head) == 1 + 9
    assert "Plots: the first 6 of 9 models." in section.notes


def test_own_and_pooled_data_stand_side_by_side_with_their_difference():
    output = metrics(
        *uplift("ridge"),
        *uplift("ridge", "R2", "0.31", "0.48", "0.17"),
        *uplift("random forest"),
        events=None,
        subjects=185,
    )
    section = laid_out(output, units="compounds")
    (table,) = section.tables
    assert section.kind == "Own against pooled data"
    assert section.lead == "Tested on about 185 compounds."
    assert table.head == ("Figure", "Model", "Own data", "Pooled data", "Pooled minus own")
    assert table.rows[0] == ("RMSE", "ridge", "0.98 (0.9 to 1.1)", "0.83 (0.7 to 0.9)", "-0.15 (-0.2 to -0.1)")
    assert [row[:2] for row in table.rows] == [("RMSE", "ridge"), ("RMSE", "random forest"), ("R2", "ridge")]
    rmse, r2 = section.plots
    assert "RMSE (lower is better)" in rmse
    assert "R2 (higher is better)" in r2
    assert "ridge own data 0.98 (0.9 to 1.1); ridge pooled data 0.83 (0.7 to 0.9); ridge pooled minus own -0.15" in rmse
    assert "(below 0: pooling helps)" in rmse
    assert "(above 0: pooling helps)" in r2
    assert "RMSE: lower is better; R2: higher is better." in section.notes
    assert "RMSE: in the unit of what was measured." in section.notes


def test_a_suppressed_difference_is_told_from_none():
    entries = uplift("ridge")
    section = laid_out(metrics(*entries[:2], entries[2][:1]))
    assert section.tables[0].rows[0][4] == "suppressed"
    assert "ridge pooled minus own suppressed" in section.plots[0]


def test_figures_of_pooled_models_stand_by_figure_and_model():
    section = laid_out(metrics(("ridge: RMSE", "0.83", "0.75", "0.91"), ("ridge: R2", "0.61", "0.53", "0.69")))
    (table,) = section.tables
    assert section.kind == "Model performance"
    assert table.head == ("Figure", "Model", "Value")
    assert table.rows == (("RMSE", "ridge", "0.83 (0.75 to 0.91)"), ("R2", "ridge", "0.61 (0.53 to 0.69)"))
    assert len(section.plots) == 2
    assert "Pooled data" not in section.plots[0]
    assert "pooling helps" not in section.plots[0]
    assert "RMSE: in the unit of what was measured." in section.notes
    other = laid_out(metrics(*uplift("m", "kappa")))
    assert "pooling helps" not in other.plots[0]
    assert not any("unit" in note for note in other.notes)


@pytest.mark.parametrize(
    "entries",
    [
        [("concordance", "0.7", "0.6", "0.8")],
        [*prediction("m"), ("concordance", "0.7", "0.6", "0.8")],
        [*uplift("m"), ("concordance", "0.7", "0.6", "0.8")],
    ],
)
def test_figures_of_no_known_form_are_a_plain_table(entries):
    section = laid_out(metrics(*entries))
    (table,) = section.tables
    assert table.head == ("Figure", "Value (95 % interval)")
    assert table.rows[-1] == ("concordance", "0.7 (0.6 to 0.8)")
    assert len(table.rows) == len(entries)
    assert section.plots == ()


def test_a_model_may_have_any_name():
    name = "on own data: AUROC, pooled minus own: x"
    (table, *_) = laid_out(metrics(*prediction(name))).tables
    assert table.head == ("Figure", name)
    assert table.rows[0] == ("AUROC", "0.85 (0.79 to 0.9)")
    (table,) = laid_out(metrics(("a: b: RMSE", "1", "0.5", "2"))).tables
    assert table.rows == (("RMSE", "a: b", "1 (0.5 to 2)"),)


def test_a_thousand_figures_and_models_are_bounded():
    section = laid_out(metrics(*((f"m{place}: RMSE", "0.83", "0.75", "0.91") for place in range(1000))))
    assert len(section.tables[0].shown) == 1000
    assert "The plot shows the first 40 of 1,000 models." in section.notes
    assert "m39" in section.plots[0]
    assert "m40" not in section.plots[0]
    section = laid_out(metrics(*((f"m: figure {place}", "0.83", "0.75", "0.91") for place in range(1000))))
    assert len(section.plots) == 6
    assert "Plots: the first 6 of 1000 figures." in section.notes


@pytest.mark.parametrize("value", ["999999999999999999", "-999999999999999999", "0", "0.000000000000000001"])
def test_figures_of_any_size_can_be_drawn(value):
    entries = uplift("m", own=value, pooled=value, difference=value)
    assert len(laid_out(metrics(*((label, value, value, value) for label, *_ in entries))).plots) == 1
    assert laid_out(metrics(*((label, value, value, value) for label, *_ in prediction("m")))).plots


def test_a_difference_without_the_two_is_drawn_alone():
    section = laid_out(metrics(uplift("m")[2]))
    assert section.tables[0].rows[0][2:] == ("suppressed", "suppressed", "-0.15 (-0.2 to -0.1)")
    assert dumbbell_plot("RMSE", "", ["m"], {}, "p").count("<svg") == 1
