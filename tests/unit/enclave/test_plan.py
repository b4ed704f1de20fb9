from typing import ClassVar

import lung
import numpy as np
import pytest

from enclave.analyses.base import Analysis, Descriptor, Inputs, OutputSpec
from enclave.analyses.clinical.survival import Survival
from enclave.analyses.parameters import ParameterSpec, check_parameters, names
from enclave.analyses.results import Unavailable
from enclave.profiles import PROFILES, load_profile
from protocol.documents import ContractOutput, TableSchema
from protocol.documents.dataset import DatasetSchema
from protocol.errors import AnalysisError

SURVIVAL = Survival()
ANALYSES = {found.descriptor.name: found for name in PROFILES for found in load_profile(name).listed}


def schema(**replacements):
    """The lung schema with columns replaced by name (``ph_ecog`` for ``ph.ecog``), or left out where None."""
    columns = [replacements.get(column.name.replace(".", "_"), column) for column in lung.SCHEMA.columns]
    return TableSchema(columns=tuple(column for column in columns if column is not None))


def described(tables):
    return {slot: DatasetSchema(table=table) for slot, table in tables.items()}


def code(*, tables=None, outputs=lung.OUTPUTS, **changes):
    parameters = {name: value for name, value in {**lung.PARAMETERS, **changes}.items() if value is not None}
    with pytest.raises(AnalysisError) as caught:
        SURVIVAL.plan(parameters, outputs, described(tables or dict.fromkeys("abc", lung.SCHEMA)))
    assert len(caught.value.detail) > 20
    return caught.value.code


def test_the_demos_plan():
    plan = lung.plan()
    assert (plan.analysis, plan.profile) == ("clinical.survival", "clinical")
    assert [(output.output, output.type) for output in plan.outputs] == [
        ("cox", "regression"),
        ("cox-stratified", "regression"),
        ("kaplan-meier", "survival"),
        ("log-rank", "test"),
        ("log-rank-stratified", "test"),
        ("subjects", "counts"),
    ]
    labels = {output.output: output.labels for output in plan.outputs}
    assert labels["cox"] == labels["cox-stratified"] == ("age (per a)", "sex: female against male", "ph.ecog (per 1)")
    assert labels["kaplan-meier"] == (
        "sex: male",
        "sex: female",
        "90 days",
        "180 days",
        "365 days",
        "540 days",
        "730 days",
    )
    assert labels["log-rank"] == ("Log-rank test of sex",)
    assert labels["log-rank-stratified"] == ("Stratified log-rank test of sex",)
    assert labels["subjects"] == (
        "sex: male, with the event",
        "sex: male, censored",
        "sex: female, with the event",
        "sex: female, censored",
    )


def test_labels_fit_a_contract():
    for output in lung.plan().outputs:
        entry = lung.contract_output(output)
        assert ContractOutput.model_validate(entry.model_dump()) == entry


def test_outputs_keep_the_recipes_order():
    assert [output.output for output in lung.plan(outputs=("subjects", "cox")).outputs] == ["subjects", "cox"]


def test_what_an_output_does_not_need_may_be_left_out():
    assert lung.plan(outputs=("cox",), group=None, grid=None).outputs[0].output == "cox"
    assert lung.plan(outputs=("log-rank",), covariates=None, grid=None).outputs[0].output == "log-rank"


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("time", "cox"),
        ("event", "subjects"),
        ("event_level", "log-rank"),
        ("covariates", "cox-stratified"),
        ("group", "kaplan-meier"),
        ("group", "subjects"),
        ("grid", "kaplan-meier"),
    ],
)
def test_what_an_output_needs_may_not(name, output):
    assert code(outputs=(output,), **{name: None}) == "PARAMETER_MISSING"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"strata": "sex"}, "PARAMETER_UNKNOWN"),
        ({"time": 7}, "PARAMETER_KIND"),
        ({"time": ("time",)}, "PARAMETER_KIND"),
        ({"covariates": "age"}, "PARAMETER_KIND"),
        ({"covariates": (1, 2)}, "PARAMETER_KIND"),
        ({"covariates": ("age", "age")}, "PARAMETER_TWICE"),
        ({"event_level": ("1",)}, "PARAMETER_KIND"),
        ({"grid": 90}, "PARAMETER_KIND"),
        ({"grid": ("90",)}, "PARAMETER_KIND"),
        ({"grid": (90, 90)}, "PARAMETER_TWICE"),
        ({"grid": (180, 90)}, "GRID"),
        ({"grid": (0, 90)}, "GRID"),
        ({"grid": (-5,)}, "GRID"),
        ({"grid": (90, 40_001)}, "GRID"),
        ({"time": "survival"}, "COLUMN_UNKNOWN"),
        ({"covariates": ("age", "weight")}, "COLUMN_UNKNOWN"),
        ({"time": "sex", "group": None, "covariates": ("age",), "outputs": ("cox",)}, "COLUMN_KIND"),
        ({"event": "subject"}, "COLUMN_KIND"),
        ({"covariates": ("subject",)}, "COLUMN_KIND"),
        ({"group": "age"}, "COLUMN_KIND"),
        ({"time": "age", "covariates": ("ph.ecog",)}, "UNIT"),
        ({"event_level": "2"}, "LEVEL_UNKNOWN"),
        ({"event_level": 1}, "LEVEL_UNKNOWN"),
        ({"event": "ph.ecog", "event_level": "1", "covariates": ("age",)}, "LEVEL_UNKNOWN"),
        ({"covariates": ("age", "time")}, "COLUMN_TWICE"),
        ({"covariates": ("status",)}, "COLUMN_TWICE"),
        ({"group": "status"}, "COLUMN_TWICE"),
        ({"event": "time"}, "COLUMN_TWICE"),
    ],
)
def test_what_schemas_decide(changes, wanted):
    assert code(**changes) == wanted


def test_a_group_needs_two_levels():
    single = schema(sex=lung.category("sex", ("1", "male")))
    assert code(tables={"a": single}) == "GROUPS"
    many = schema(sex=lung.category("sex", *((str(number), f"level {number}") for number in range(51))))
    assert code(tables={"a": many}) == "GROUPS"


@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        (schema(age=None), "COLUMN_UNKNOWN"),
        (schema(age=lung.number("age", "mo")), "UNIT"),
        (schema(age=lung.category("age", ("1", "young"), ("2", "old"))), "COLUMN_KIND"),
        (schema(sex=lung.number("sex")), "COLUMN_KIND"),
        (schema(sex=lung.category("sex", ("2", "female"), ("1", "male"))), "LEVELS_DIFFER"),
        (schema(sex=lung.category("sex", ("1", "female"), ("2", "male"))), "LEVELS_DIFFER"),
        (schema(sex=lung.category("sex", ("1", "male"), ("2", "female"), ("9", "other"))), "LEVELS_DIFFER"),
        (schema(status=lung.category("status", ("0", "alive"), ("1", "dead"))), "LEVELS_DIFFER"),
        (schema(time=lung.number("time", "days")), "UNIT"),
    ],
)
def test_slots_must_agree(other, wanted):
    assert code(tables={"a": lung.SCHEMA, "b": other}) == wanted
    assert code(tables={"a": other, "b": lung.SCHEMA}) == wanted


def test_the_message_names_slot_column_and_both_sides():
    with pytest.raises(AnalysisError) as caught:
        SURVIVAL.plan(
            lung.PARAMETERS, ("cox",), described({"left": lung.SCHEMA, "right": schema(age=lung.number("age", "mo"))})
        )
    for word in ("age", "left", "right", "mo"):
        assert word in caught.value.detail


def test_a_decimal_may_have_another_scale_elsewhere():
    coarse, fine = (schema(age=lung.number("age", "a", kind="decimal", scale=scale)) for scale in (1, 3))
    assert SURVIVAL.plan(lung.PARAMETERS, ("cox",), described({"a": coarse, "b": fine})).outputs[0].output == "cox"


def test_an_event_may_be_a_whole_number():
    assert lung.plan(schema(status=lung.number("status")), event_level=1).parameters["event_level"] == 1


@pytest.mark.parametrize(
    ("outputs", "wanted"), [((), "OUTPUT_TWICE"), (("cox", "cox"), "OUTPUT_TWICE"), (("median",), "OUTPUT_UNKNOWN")]
)
def test_outputs_are_known_and_stand_once(outputs, wanted):
    assert code(outputs=outputs) == wanted


def test_there_is_a_slot():
    with pytest.raises(AnalysisError, match="SLOTS"):
        SURVIVAL.plan(lung.PARAMETERS, ("cox",), {})


def test_texts_may_repeat_and_are_a_list_of_texts():
    spec = ParameterSpec("words", "texts", "Words.", ("one",))
    given = {"words": ("age", "age")}
    assert check_parameters([spec], given, ["one"]) == given
    assert names(given, "words") == ("age", "age")
    for wrong in ("age", ("age", 1), (1, 2), 7):
        with pytest.raises(AnalysisError, match=r"PARAMETER_KIND.*a list of texts"):
            check_parameters([spec], {"words": wrong}, ["one"])


def test_labels_must_fit_a_contract():
    long = schema(sex=lung.category("sex", ("1", "m" * 999), ("2", "f")))
    assert code(tables={"a": long}) == "LABELS"


def test_unknown_analysis():
    with pytest.raises(AnalysisError, match="ANALYSIS_UNKNOWN"):
        load_profile("clinical").find_analysis("clinical.magic")


def test_a_plan_is_compared_with_the_contract():
    plan = lung.plan()
    plan.require(lung.contract(plan))


@pytest.mark.parametrize("change", ["profile", "order", "labels", "type", "fewer"])
def test_a_contract_that_differs_from_the_plan_is_refused(change):
    plan = lung.plan()
    contract = lung.contract(plan)
    first, *rest = contract.outputs
    match change:
        case "profile":
            contract.profile = "genomics"
        case "order":
            contract.outputs = (*rest, first)
        case "labels":
            contract.outputs = (first.model_copy(update={"labels": first.labels[::-1]}), *rest)
        case "type":
            contract.outputs = (first.model_copy(update={"type": "test"}), *rest)
        case "fewer":
            contract.outputs = tuple(rest)
    with pytest.raises(AnalysisError, match="PLAN_DIFFERS"):
        plan.require(contract)


@pytest.mark.parametrize("analysis", ANALYSES.values(), ids=list(ANALYSES))
def test_every_analysis_says_what_it_is(analysis):
    descriptor = analysis.descriptor
    assert descriptor.title
    assert descriptor.estimand
    assert descriptor.references
    assert descriptor.outside_answer
    assert all(parameter.needed_by or "Left out," in parameter.description for parameter in descriptor.parameters)
    assert all(parameter.description for parameter in descriptor.parameters)
    offered = {output.name for output in descriptor.outputs}
    assert all(set(parameter.needed_by) <= offered for parameter in descriptor.parameters)
    assert all(output.description and output.reveals for output in descriptor.outputs)


class Twice(Analysis[None]):
    """An analysis whose two labels read the same, and which breaks in every way while it runs."""

    error: ClassVar[Exception]

    descriptor = Descriptor(
        name="test.twice",
        title="Twice",
        estimand="None",
        profile="clinical",
        parameters=(),
        outputs=(OutputSpec("one", "test", "One", "Nothing"),),
        references=(),
        outside_answer="",
    )

    def label(self, parameters, outputs, datasets):
        return {"one": ("same", "same")}

    def pool(self, plan, inputs):
        if not inputs.cohorts:
            raise self.error

    def estimate(self, output, data):
        raise self.error


def test_labels_that_read_the_same_are_refused():
    with pytest.raises(AnalysisError, match="LABELS"):
        Twice().plan({}, ("one",), {"a": DatasetSchema(table=lung.SCHEMA)})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("patient 17 has value 4711"), "INTERNAL"),
        (ZeroDivisionError("patient 17 has value 4711"), "NOT_ESTIMABLE"),
        (OverflowError("patient 17 has value 4711"), "NOT_ESTIMABLE"),
        (np.linalg.LinAlgError("Singular matrix"), "NOT_ESTIMABLE"),
    ],
)
@pytest.mark.parametrize("cohorts", [(), lung.cohorts()], ids=["pool", "estimate"])
def test_what_breaks_says_nothing(cohorts, error, code, capfd, monkeypatch):
    monkeypatch.setattr(Twice, "error", error, raising=False)
    plan = lung.plan(outputs=("cox",))
    assert Twice().run(plan, Inputs(tuple(cohorts), iter(()), bytes(32))) == {"cox": Unavailable(code)}
    assert capfd.readouterr() == ("", "")
