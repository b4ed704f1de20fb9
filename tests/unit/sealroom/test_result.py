import json
import math

import factories
import factories_bundle
import pytest

from protocol import hpke
from protocol.canonical import canonical_bytes, parse_canonical
from protocol.documents import Refusal, ReleasedOutput
from protocol.errors import AccessDenied, DocumentError
from protocol.padding import pad, size_class
from sealroom.frames import frame_of, interval_of, text_frame_of
from sealroom.labels import spoken
from sealroom.result import open_outputs, outputs_to_bytes
from sealroom.verification import verify_bundle

LUNG = factories_bundle.LUNG


@pytest.fixture(scope="module")
def made():
    return factories_bundle.make_bundle()


@pytest.fixture(scope="module")
def verified(made):
    return verify_bundle(made.data, made.trust, now=made.now)


def recipient(made, party=0):
    return made.study.parties[party].people["analyst"].recipient


def class_of(made, name):
    agreed = next(item for item in made.study.contract.document.outputs if item.output == name)
    return size_class(agreed.type, len(agreed.labels))


def resealed(made, name, value=None, *, plain=None, output=None):
    """Put something else into one sealed output, as only a wrong enclave could, and verify the bundle."""
    plain = plain or pad(canonical_bytes({"output": output or name, "value": value}), class_of(made, name))
    sealed = factories_bundle.seal_outputs(made.study, made.receipt.predicate.run, made.released, {name: plain})
    made = made.again(outputs=sealed)
    return verify_bundle(made.data, made.trust, now=made.now)


@pytest.mark.parametrize("party", [0, 1, 2])
def test_each_recipient_opens_what_was_released(made, verified, party):
    opened = open_outputs(verified, recipient(made, party))
    assert list(opened) == list(LUNG)
    assert tuple(opened.values()) == made.released


def test_a_stranger_opens_nothing(verified):
    with pytest.raises(AccessDenied, match="NOT_RECIPIENT"):
        open_outputs(verified, hpke.RecipientKey.generate())


def test_a_recipient_of_one_output_opens_one():
    study = factories_bundle.make_study()
    outputs = list(study.contract.document.outputs)
    only = (factories.recipient_of(study.parties[2]),)
    outputs = [outputs[0], *(factories.changed(item, {"recipients": only}) for item in outputs[1:])]
    made = factories_bundle.make_bundle(factories_bundle.with_contract(study, outputs=tuple(outputs)))
    verified = verify_bundle(made.data, made.trust, now=made.now)
    assert list(open_outputs(verified, recipient(made, 1))) == ["cox"]
    assert list(open_outputs(verified, recipient(made, 2))) == list(LUNG)


def test_an_output_sealed_for_another_run_does_not_open(made):
    sealed = factories_bundle.seal_outputs(made.study, "00" * 16, made.released)
    again = made.again(outputs=sealed)
    verified = verify_bundle(again.data, again.trust, now=again.now)
    with pytest.raises(DocumentError, match="CAPSULE"):
        open_outputs(verified, recipient(made))


def test_an_output_that_calls_itself_otherwise(made):
    value = LUNG["log-rank"][2].model_dump(mode="json")
    verified = resealed(made, "log-rank", value, output="log-rank-stratified")
    with pytest.raises(DocumentError, match="OUTPUT_SWAPPED"):
        open_outputs(verified, recipient(made))


def test_an_output_of_another_type_than_agreed(made):
    verified = resealed(made, "cox", LUNG["log-rank"][2].model_dump(mode="json"))
    with pytest.raises(DocumentError, match="OUTPUT_TYPE: cox is of type test, not regression"):
        open_outputs(verified, recipient(made))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("cox", ("terms", 2, "label")),
        ("log-rank", ("label",)),
        ("subjects", ("cells", 0, "label")),
        ("kaplan-meier", ("groups", 1, "label")),
        ("kaplan-meier", ("groups", 0, "points", 3, "label")),
    ],
    ids=str,
)
def test_a_label_that_the_contract_does_not_have(made, name, path):
    value = LUNG[name][2].model_dump(mode="json")
    place = value
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = len(LUNG[name][1])
    verified = resealed(made, name, value)
    with pytest.raises(DocumentError, match="OUTPUT_LABEL"):
        open_outputs(verified, recipient(made))


def test_padding_with_something_in_it(made):
    padded = pad(canonical_bytes(made.released[0].model_dump(mode="json")), class_of(made, "cox"))
    verified = resealed(made, "cox", plain=padded[:-1] + b"\x01")
    with pytest.raises(DocumentError, match="PADDING"):
        open_outputs(verified, recipient(made))


def test_a_float_in_an_output(made):
    verified = resealed(
        made, "cox", plain=pad(b'{"output":"cox","value":{"type":"regression","x":0.1}}', class_of(made, "cox"))
    )
    with pytest.raises(DocumentError, match="JSON"):
        open_outputs(verified, recipient(made))


def test_a_refusal_opens_like_any_output_and_has_the_same_size(made):
    refused = factories_bundle.make_bundle(outputs=factories_bundle.refused(LUNG, "cox"))
    verified = verify_bundle(refused.data, refused.trust, now=refused.now)
    assert open_outputs(verified, recipient(refused))["cox"].value == Refusal(refusal="POLICY")
    assert {len(item.sealed) for item in verified.bundle.outputs} == {len(item.sealed) for item in made.parts.outputs}


def test_outputs_are_written_canonically_with_their_labels(made, verified):
    opened = open_outputs(verified, recipient(made))
    data = outputs_to_bytes(verified, opened)
    value = parse_canonical(data, limit=2**20)
    assert value["bundle"] == verified.digest
    assert value["simulated"] is True
    assert [item["output"] for item in value["outputs"]] == list(LUNG)
    first = value["outputs"][0]
    assert first["labels"][first["value"]["terms"][0]["label"]] == "age (per a)"
    assert first["value"]["terms"][0]["coefficient"] == "0.01107"
    assert ReleasedOutput.model_validate_json(json.dumps({"output": "cox", "value": first["value"]})) == opened["cox"]
    assert data == outputs_to_bytes(verified, opened)


def frame(made, name):
    agreed = {item.output: item for item in made.study.contract.document.outputs}[name]
    return frame_of({item.output: item for item in made.released}[name], agreed)


def test_a_regression_as_a_table(made):
    table = frame(made, "cox").set_index("term")
    assert list(table.columns) == ["coefficient", "standard_error", "hazard_ratio", "lower_95", "upper_95", "p"]
    row = table.loc["sex: female against male"]
    # R 4.2.2, survival 3.5-3, full precision; what was released has four digits
    b, se = -0.552612395703631, 0.167739053787264
    wanted = [math.exp(b), math.exp(b - 1.959964 * se), math.exp(b + 1.959964 * se)]
    assert [row.hazard_ratio, row.lower_95, row.upper_95] == pytest.approx(wanted, rel=2e-4)
    assert row.p == "<0.001"


def test_a_curve_as_a_table(made):
    table = frame(made, "kaplan-meier")
    assert len(table) == 8
    assert table.iloc[5].to_dict() == {"group": "sex: female", "time": "180 days", "survival": 0.84, "at_risk": 69}


def test_counts_as_a_table(made):
    table = frame(made, "subjects")
    assert table["count"].isna().tolist() == [False, False, True, True]
    assert table["count"].tolist()[:2] == [110, 25]


def test_a_test_and_a_refusal_as_tables(made):
    assert frame(made, "log-rank").iloc[0].to_dict() == {
        "test": "log-rank: sex",
        "statistic": 10.33,
        "df": 1,
        "p": "0.0013",
    }
    agreed = made.study.contract.document.outputs[0]
    table = frame_of(ReleasedOutput(output="cox", value=Refusal(refusal="BUDGET")), agreed)
    assert table["refusal"].tolist() == ["BUDGET"]


def test_tables_to_be_read_have_decimals_as_they_were_released(made):
    shown = {}
    for agreed, released in zip(made.study.contract.document.outputs, made.released, strict=True):
        assert agreed.output == released.output
        shown[agreed.output] = text_frame_of(released, agreed)
    cox, curve = shown["cox"].set_index("term"), shown["kaplan-meier"]
    assert cox.loc["age (per year)"].tolist() == ["0.01107", "0.009267", "1.01", "0.993", "1.03", "0.23"]
    assert cox.loc["ph.ecog (per unit)"]["hazard_ratio"] == "1.59"
    assert curve["survival"].tolist()[5] == "0.84"
    assert shown["log-rank"]["statistic"].tolist() == ["10.33"]
    assert shown["subjects"]["count"].tolist()[:2] == [110, 25]


def test_only_a_unit_at_the_end_of_a_label_gets_a_word():
    labels = ("age (per a)", "dose (per mg)", "a (per a): b", "per a", "x (per d) (per mo)")
    assert spoken(labels, "regression") == (
        "age (per year)",
        "dose (per mg)",
        "a (per a): b",
        "per a",
        "x (per d) (per month)",
    )


def test_a_ratio_beyond_floating_point_is_infinite():
    term = factories_bundle.Term(label=0, coefficient="1000", standard_error="1", p="<0.001")
    interval = interval_of(term, "hazard ratio")
    assert interval.ratio == interval.lower == interval.upper == float("inf")
