import tomllib

import pytest
from factories import TABLE, make_study
from partner_desk import Desk

import sealroom.local_enclave as local_enclave
from enclave.analyses.parameters import ParameterKind, ParameterSpec, check_parameters
from protocol.documents.dataset import DatasetSchema
from protocol.errors import AnalysisError, DocumentError, TransportError
from sealroom.choose import choose_contract, choose_dataset
from sealroom.listing import ContractEntry, DatasetEntry, RunEntry
from sealroom.recipes import check_recipe, load_recipe, output_names, recipe_example

DATASETS = {slot: DatasetSchema(table=TABLE) for slot in ("a", "b")}
KINDS = ParameterKind.__args__


@pytest.fixture(scope="module")
def analyses():
    return local_enclave.describe_analyses()


def described(analyses, name):
    return next(analysis for analysis in analyses if analysis["name"] == name)


def commented(text):
    """The words of all comments, in a row."""
    return " ".join(line.strip().lstrip("# ") for line in text.splitlines() if line.strip().startswith("#"))


def uncommented(text, start):
    """The text with its last comment, from the line ``start`` on, made part of it."""
    head, _, tail = text.partition(f"# {start}")
    assert tail
    return head + start + "\n".join(line.removeprefix("#").removeprefix(" ") for line in tail.splitlines())


def test_analyses_are_listed_and_shown(tmp_path, analyses):
    desk = Desk(tmp_path)
    assert desk.run("recipe", "list", "--json").json == analyses
    listed = desk.run("recipe", "list").out
    for found in analyses:
        assert found["name"] in listed
        shown = desk.run("recipe", "show", found["name"]).out
        for output in found["outputs"]:
            assert output["reveals"] in shown
        for parameter in found["parameters"]:
            assert parameter["description"] in shown
    found = described(analyses, "clinical.survival")
    assert desk.run("recipe", "show", "clinical.survival", "--json").json == found
    assert desk.run("recipe", "show", "clinical.magic", "--json", code=7).json["code"] == "ANALYSIS_UNKNOWN"


def test_outputs_per_slot_choices_and_what_may_be_left_out_are_shown(tmp_path):
    desk = Desk(tmp_path)
    shown = desk.run("recipe", "show", "discovery.qsar").out
    assert "  uplift-SLOT (metrics, one for each slot, for its owner alone): " in shown
    assert "  pooled (metrics): " in shown
    assert "  models (list of ridge, random forest, gradient boosting): " in shown
    assert "pooled uplift-SLOT" in desk.run("recipe", "list").out
    assert "  group (column, may be left out): " in desk.run("recipe", "show", "clinical.table1").out


def test_a_new_recipe_of_each_analysis_can_be_read(tmp_path, analyses):
    assert len(analyses) > 5
    for found in analyses:
        text = recipe_example(found)
        path = tmp_path / f"{found['name']}.toml"
        path.write_text(text)
        draft = load_recipe(path)
        assert draft.analysis == found["name"]
        assert draft.outputs == tuple(name for output in found["outputs"] for name in output_names(output, ("a", "b")))
        needed = {parameter["name"] for parameter in found["parameters"] if parameter["needed_by"]}
        assert set(draft.parameters) == needed
        assert not draft.mappings
        for parameter in found["parameters"]:
            assert f"{parameter['name']} = " in text
        for output in found["outputs"]:
            assert output["reveals"] in commented(text)


def test_what_a_new_recipe_leaves_out_can_be_put_in(tmp_path, analyses):
    path = tmp_path / "recipe.toml"
    text = recipe_example(described(analyses, "clinical.table1"))
    path.write_text(text.replace('# group = "a column"', 'group = "a column"'))
    assert load_recipe(path).parameters["group"] == "a column"
    path.write_text(uncommented(text, "[[mappings.b]]"))
    number, category = load_recipe(path).mappings["b"]
    assert (number.column, number.source) == ("cholesterol", "chol")
    assert (number.factor, number.unit, number.missing) == ("38.67", "mg/dL", ("0",))
    assert [(item.code, item.level.label) for item in category.levels] == [("m", "male"), ("f", "female")]


def test_an_output_per_slot_is_asked_for_by_slot(tmp_path, analyses):
    path = tmp_path / "recipe.toml"
    path.write_text(recipe_example(described(analyses, "discovery.qsar")))
    assert load_recipe(path).outputs == ("pooled", "uplift-a", "uplift-b")
    assert "for the owner of its dataset alone" in commented(path.read_text())


def test_two_lists_of_slots_have_none_in_common(tmp_path, analyses):
    path = tmp_path / "recipe.toml"
    path.write_text(recipe_example(described(analyses, "clinical.prediction")))
    parameters = load_recipe(path).parameters
    assert (parameters["train"], parameters["validate"]) == (("a",), ("b",))


def test_a_new_recipe_is_commented_and_needs_only_its_columns(tmp_path, analyses):
    desk = Desk(tmp_path)
    out = tmp_path / "recipe.toml"
    assert desk.run("recipe", "new", "clinical.survival", "--out", out, "--json").json["file"] == str(out)
    text = out.read_text()
    assert text.rstrip("\n") == desk.run("recipe", "new", "clinical.survival").out.rstrip("\n")
    assert desk.run("recipe", "new", "clinical.survival", "--out", out, code=9)
    for old, new in (
        ('time = "a column"', 'time = "time"'),
        ('event = "a column"', 'event = "status"'),
        ('"a level"', '"2"'),
        ('["a column", "another"]', '["age"]'),
        ('group = "a column"', 'group = "sex"'),
        ("[1, 2, 3]", "[90, 180]"),
    ):
        assert old in text
        text = text.replace(old, new)
    out.write_text(text)
    planned = check_recipe(load_recipe(out), DATASETS)
    assert [output.output for output in planned.outputs] == [
        output["name"] for output in described(analyses, "clinical.survival")["outputs"]
    ]
    assert planned.profile == "clinical"


def test_every_kind_of_parameter_has_a_blank_that_is_of_its_kind():
    output = {"name": "x", "description": "d", "reveals": "r", "per_slot": False}
    parameters = [
        {"name": f"p{place}", "kind": kind, "description": "d", "needed_by": ["x"], "choices": [], **more}
        for place, kind in enumerate(KINDS)
        for more in ([{"choices": ["one", "two"]}] if kind == "choices" else [{}])
    ]
    descriptor = {"title": "t", "name": "n", "estimand": "e", "outside_answer": "o", "outputs": [output]}
    found = tomllib.loads(recipe_example(descriptor | {"parameters": parameters}))["parameters"]
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    specs = [ParameterSpec(p["name"], p["kind"], "d", ("x",), tuple(p["choices"])) for p in parameters]
    assert len(check_parameters(specs, given, ["x"])) == len(KINDS)


@pytest.mark.parametrize("text", ["title = 1", "title = 'x'", "[", "parameters = { x = 1.5 }"])
def test_a_recipe_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(DocumentError):
        load_recipe(path)


def test_units_that_differ_are_found_from_schemas_alone(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(
        'title = "t"\nanalysis = "clinical.survival"\nslots = ["a", "b"]\noutputs = ["cox"]\n[parameters]\n'
        'time = "time"\nevent = "status"\nevent_level = "2"\ncovariates = ["age"]\n'
    )
    columns = tuple(c.model_copy(update={"unit": "mo"}) if c.name == "age" else c for c in TABLE.columns)
    months = DatasetSchema(table=TABLE.model_copy(update={"columns": columns}))
    with pytest.raises(AnalysisError) as caught:
        check_recipe(load_recipe(path), DATASETS | {"b": months})
    assert caught.value.code == "UNIT"
    with path.open("a") as more:
        more.write('[[mappings.b]]\ncolumn = "age"\nsource = "age"\nunit = "a"\n')
    (output,) = check_recipe(load_recipe(path), DATASETS | {"b": months}).outputs
    assert output.labels == ("age (per a)",)


RECIPE = 'title = "t"\nanalysis = "clinical.survival"\nslots = ["a", "b"]\noutputs = ["cox"]\nparameters = { time = "time" }\n'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["a", "b"]', '["a", "a"]', "each slot is named once"),
        ('["cox"]', '["cox", "cox"]', "each output is named once"),
        ("parameters", '[[mappings.c]]\ncolumn = "x"\nsource = "x"\n[parameters]\n#', "there are mappings of slot c"),
        ("parameters", '[[mappings.a]]\ncolumn = "x"\n[parameters]\n#', "mappings.a.0.source"),
        (
            "parameters",
            '[[mappings.a]]\ncolumn = "x"\nsource = "x"\nfactor = "1e3"\n[parameters]\n#',
            "mappings.a.0.factor",
        ),
    ],
)
def test_what_could_not_be_signed_is_found_when_it_is_read(tmp_path, old, new, said):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    assert load_recipe(path)
    path.write_text(RECIPE.replace(old, new))
    with pytest.raises(DocumentError) as caught:
        load_recipe(path)
    assert caught.value.code == "DOCUMENT"
    assert said in caught.value.detail


@pytest.mark.parametrize("program", ["exit 3", "echo nothing", "sleep 5"])
def test_an_enclave_program_that_misbehaves_is_said(tmp_path, monkeypatch, program):
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\n{program}\n")
    fake.chmod(0o755)
    monkeypatch.setattr("sealroom.local_enclave.sys.executable", str(fake))
    monkeypatch.setattr(local_enclave, "SECONDS", 0.5)
    with pytest.raises(TransportError) as caught:
        local_enclave.describe_analyses()
    assert caught.value.code == "ENCLAVE_PROGRAM"


@pytest.fixture(scope="module")
def study():
    return make_study(owners=2)


def entries(study):
    owners = [party.institution.document.short for party in study.parties]
    return [DatasetEntry(d.manifest, owner, "complete") for d, owner in zip(study.datasets, owners, strict=True)]


def test_datasets_are_chosen_by_short_name_owner_or_digits(study):
    listed = entries(study)
    wanted = listed[1]
    document = wanted.manifest.document
    for named in (wanted.manifest.name, wanted.manifest.name[:6], f"{wanted.owner}/{document.short}", document.short):
        assert choose_dataset(listed, named) is wanted
    for named in ("nothing", wanted.manifest.name[:5], ""):
        with pytest.raises(DocumentError) as caught:
            choose_dataset(listed, named)
        assert caught.value.code == "DATASET_UNKNOWN"


def test_the_newest_version_is_meant_and_a_choice_is_never_guessed(study):
    from dataclasses import replace

    (first, _) = entries(study)
    document = first.manifest.document
    newer = document.model_copy(update={"lineage": document.lineage.model_copy(update={"version": 7})})
    second = replace(first, manifest=replace(first.manifest, document=newer, name="0" * 64))
    assert choose_dataset([second, first], document.short) is second
    assert choose_dataset([first, second], document.short) is second
    stranger = document.model_copy(update={"owner": "0" * 64})
    third = replace(first, owner="other", manifest=replace(first.manifest, document=stranger, name="1" * 64))
    with pytest.raises(DocumentError) as caught:
        choose_dataset([first, third], document.short)
    assert caught.value.code == "DATASET_CHOICE"
    assert choose_dataset([first, third], f"other/{document.short}") is third


def test_contracts_are_chosen_by_their_digits(study):
    entry = ContractEntry(study.contract, "a", "proposed")
    assert choose_contract([entry], study.contract.name[:8]) is entry
    for listed, named, code in (
        ([entry], "0" * 64, "CONTRACT_UNKNOWN"),
        ([entry, entry], study.contract.name, "CONTRACT_CHOICE"),
    ):
        with pytest.raises(DocumentError) as caught:
            choose_contract(listed, named)
        assert caught.value.code == code


@pytest.mark.parametrize(
    "item", [{}, {"run": 1, "contract": "c", "state": "s", "created": "t"}, {"run": "r", "contract": "c", "state": "s"}]
)
def test_an_answer_that_is_no_run_is_an_error(item):
    with pytest.raises(TransportError):
        RunEntry.from_answer(item)


def test_a_run_says_why_it_ended():
    item = {"run": "r", "contract": "c" * 64, "state": "refused", "created": "t", "code": "EXPIRED", "detail": "d"}
    run = RunEntry.from_answer(item)
    assert run.ended
    assert run.row()[-1] == "EXPIRED: d"
    assert run.fields() == item
