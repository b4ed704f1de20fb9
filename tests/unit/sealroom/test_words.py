"""Contracts in plain words: column mappings, and outputs that are about one institution alone."""

from dataclasses import replace

import factories
import pytest
from factories import TABLE, make_study

from protocol.documents.dataset import DatasetSchema, Level
from protocol.documents.study import ColumnMapping, LevelMapping, OutputType
from protocol.dsse import sign
from protocol.errors import AnalysisError
from protocol.presets import PRESETS
from sealroom.labels import shortened, spoken
from sealroom.local_enclave import plan
from sealroom.mapped import mapping_words, mappings_words
from sealroom.studies import judge_study
from sealroom.trust import Trust
from sealroom.words import column_words, contract_fields, contract_words, released_as

SEX = TABLE.column("sex")
AGE = TABLE.column("age")


def mapping(column="age", source="age", **more):
    return ColumnMapping(column=column, source=source, **more)


def level(code, becomes, label):
    return LevelMapping(code=code, level=Level(code=becomes, label=label))


@pytest.mark.parametrize(
    ("given", "source", "words"),
    [
        (mapping(), AGE, "age of va is taken"),
        (mapping("years"), AGE, "age of va is taken for years"),
        (mapping(factor="38.67", unit="mg/dL"), None, "age of va is taken times 38.67 as mg/dL"),
        (mapping(factor="12", unit="mo"), AGE, "age of va is taken times 12 as mo (its owner says a)"),
        (mapping(unit="a"), AGE, "age of va is taken as a"),
        (mapping(offset="1.5"), AGE, "age of va is taken plus 1.5"),
        (mapping(offset="-1.5"), AGE, "age of va is taken minus 1.5"),
        (mapping(missing=("0", "-9")), AGE, "age of va is taken; 0 counts as missing; -9 counts as missing"),
        (
            mapping("sex", "sex", levels=(level("1", "m", "male"), level("2", "x", "x"))),
            SEX,
            "sex of va is taken; level male (code 1) becomes male (code m); level female (code 2) becomes x",
        ),
        (
            mapping("sex", "sex", levels=(level("1", "m", "male"),)),
            None,
            "sex of va is taken; level 1 becomes male (code m)",
        ),
        (
            mapping("ill", "grade", levels=(level("0", "0", "no"), level("1", "1", "yes"), level("2", "1", "yes"))),
            None,
            "grade of va is taken for ill; level 0 becomes no (code 0); levels 1, 2 become yes (code 1)",
        ),
    ],
)
def test_a_mapping_says_what_becomes_of_the_column(given, source, words):
    assert mapping_words("va", given, source) == words


def test_mappings_are_said_by_slot_whether_or_not_the_dataset_is_known():
    mappings = {"a": (mapping("years"),), "b": (mapping(unit="mo"), mapping("sex", "status"))}
    assert mappings_words(mappings, {"b": DatasetSchema(table=TABLE)}) == {
        "a": ("age of a is taken for years",),
        "b": ("age of b is taken as mo (its owner says a)", "status of b is taken for sex"),
    }


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (AGE, "age (years)"),
        (SEX, "sex"),
        (AGE.model_copy(update={"missing_codes": ("?", "-9")}), "age (years; ? and -9 mean missing)"),
        (SEX.model_copy(update={"missing_codes": ("unbekannt",)}), "sex (unbekannt means missing)"),
        (AGE.model_copy(update={"unit": "1"}), "age"),
    ],
)
def test_a_column_is_named_with_its_unit_and_its_codes_for_missing_values(column, words):
    assert column_words(column) == words


def judged(recipe, owners=2, recipients=None):
    """Judge a study that is planned as the installed enclave plans it; ``recipients`` of outputs, all else to all."""
    policy = {"analyses": ("clinical.survival", "clinical.prediction")}
    study = make_study(owners=owners, recipe=recipe, policy=policy)
    document = study.recipe.document
    datasets = {slot: DatasetSchema(table=TABLE) for slot in document.slots}
    planned = plan(document.analysis, document.parameters, document.outputs, datasets, document.mappings)
    everybody = tuple(range(owners))
    outputs = tuple(
        factories.ContractOutput(
            output=output.output,
            type=output.type,
            labels=output.labels,
            recipients=tuple(
                factories.recipient_of(study.parties[party])
                for party in (recipients or {}).get(output.output, everybody)
            ),
        )
        for output in planned.outputs
    )
    contract = sign(
        factories.changed(study.contract.document, {"outputs": outputs, "profile": planned.profile}),
        study.parties[0].people["analyst"].contract,
    )
    study = replace(study, contract=contract, approvals=())
    return judge_study(study.pack, Trust(), own_root=study.parties[0].key, current=False)


SURVIVAL = {
    "outputs": ("cox",),
    "parameters": {"time": "time", "event": "status", "event_level": "2", "covariates": ("months",)},
    "mappings": {
        "site-north": (mapping("months", factor="12", unit="mo"),),
        "site-south": (mapping("months", factor="12", unit="mo", missing=("999",)),),
    },
}


def test_owners_read_the_mappings_beside_the_dataset():
    found = judged(SURVIVAL)
    lines = contract_words(found).splitlines()
    north, south = (next(place for place, line in enumerate(lines) if line.startswith(f"  {slot}: ")) for slot in SLOTS)
    assert lines[north + 1] == "    age of site-north is taken for months times 12 as mo (its owner says a)"
    assert lines[south + 1].endswith("as mo (its owner says a); 999 counts as missing")
    fields = contract_fields(found)
    assert fields["mappings"]["site-north"] == [
        "age of site-north is taken for months times 12 as mo (its owner says a)"
    ]
    assert list(fields["mappings"]) == list(SLOTS)
    assert "about: months (per month)" in contract_words(found)


SLOTS = ("site-north", "site-south")
PREDICTION = {
    "analysis": "clinical.prediction",
    "outputs": ("validation", "pooled"),
    "parameters": {
        "outcome": "status",
        "outcome_level": "2",
        "covariates": ("age",),
        "models": ("logistic regression",),
        "train": ("site-north",),
        "validate": ("site-south",),
    },
}


def test_an_output_about_one_institution_is_said_to_be_for_it_alone():
    found = judged(PREDICTION, recipients={"validation": (1,)})
    lines = contract_words(found).splitlines()
    assert "  validation (metrics), for south alone: it is about their data only" in lines
    assert "  pooled (metrics)" in lines
    alone = {output["output"]: output["about_alone"] for output in contract_fields(found)["outputs"]}
    assert alone == {"validation": "south", "pooled": None}
    assert contract_fields(found)["mappings"] == {}


def test_an_output_about_one_institution_and_for_others_is_refused():
    with pytest.raises(AnalysisError) as caught:
        judged(PREDICTION)
    assert caught.value.code == "RECIPIENTS"


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("kind", OutputType.__args__)
def test_every_type_of_output_says_how_it_leaves(kind, preset):
    words = released_as(kind, PRESETS[preset])
    assert "{" not in words
    assert len(words) > 40
    if kind != "hits":
        assert str(PRESETS[preset].k) in words


def test_units_are_words_at_the_end_of_means_and_coefficients_only():
    labels = ("all, age (a)", "all, stay (d)", "all, chol (mg/dL)", "all, score (1)", "(a) b", "age(a)")
    assert spoken(labels, "means") == ("all, age (years)", "all, stay (days)", *labels[2:])
    assert spoken(labels, "counts") == labels
    assert spoken(("age (per a)", "age (per 1)"), "regression") == ("age (per year)", "age (per unit)")


def test_many_labels_are_counted():
    labels = tuple(f"x{place} (per a)" for place in range(14))
    assert shortened(labels[:12], "regression").endswith("x11 (per year)")
    assert shortened(labels, "regression").endswith("x11 (per year) and 2 more")
