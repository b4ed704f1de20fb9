import tomllib

import pytest
from factories import TABLE, make_study
from partner_desk import Desk

import sealroom.local_enclave as local_enclave
from protocol.errors import AnalysisError, DocumentError, TransportError
from sealroom.choose import choose_contract, choose_dataset
from sealroom.listing import ContractEntry, DatasetEntry, RunEntry
from sealroom.recipes import check_recipe, load_recipe, recipe_example


def test_analyses_are_listed_and_shown(tmp_path):
    desk = Desk(tmp_path)
    (found,) = desk.run("recipe", "list", "--json").json
    assert found["name"] == "clinical.survival"
    assert "clinical.survival" in desk.run("recipe", "list").out
    shown = desk.run("recipe", "show", "clinical.survival").out
    for output in found["outputs"]:
        assert output["reveals"] in shown
    assert desk.run("recipe", "show", "clinical.survival", "--json").json == found
    assert desk.run("recipe", "show", "clinical.magic", "--json", code=7).json["code"] == "ANALYSIS_UNKNOWN"


def test_a_new_recipe_is_commented_and_needs_only_its_columns(tmp_path):
    desk = Desk(tmp_path)
    out = tmp_path / "recipe.toml"
    assert desk.run("recipe", "new", "clinical.survival", "--out", out, "--json").json["file"] == str(out)
    text = out.read_text()
    assert text.rstrip("\n") == desk.run("recipe", "new", "clinical.survival").out.rstrip("\n")
    assert desk.run("recipe", "new", "clinical.survival", "--out", out, code=9)
    (found,) = desk.run("recipe", "list", "--json").json
    parsed = tomllib.loads(text)
    assert parsed["outputs"] == [output["name"] for output in found["outputs"]]
    assert set(parsed["parameters"]) == {parameter["name"] for parameter in found["parameters"]}
    comments = " ".join(line.strip().lstrip("# ") for line in text.splitlines() if line.strip().startswith("#"))
    for output in found["outputs"]:
        assert output["reveals"] in comments
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
    planned = check_recipe(load_recipe(out), {"a": TABLE, "b": TABLE})
    assert [output.output for output in planned.outputs] == parsed["outputs"]
    assert planned.profile == "clinical"


def test_every_kind_of_parameter_has_a_blank():
    descriptor = {
        "title": "t",
        "name": "n",
        "estimand": "e",
        "outside_answer": "o",
        "outputs": [{"name": "x", "description": "d", "reveals": "r"}],
        "parameters": [
            {"name": f"p{n}", "kind": kind, "description": "d", "needed_by": []}
            for n, kind in enumerate(["column", "columns", "level", "whole number", "whole numbers"])
        ],
    }
    assert len(tomllib.loads(recipe_example(descriptor))["parameters"]) == 5


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
    with pytest.raises(AnalysisError) as caught:
        check_recipe(load_recipe(path), {"a": TABLE, "b": TABLE.model_copy(update={"columns": columns})})
    assert caught.value.code == "UNIT"


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
