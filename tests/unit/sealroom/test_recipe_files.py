import tomllib

import factories
import pytest
from factories import DAY, NOW, TABLE, make_study
from partner_desk import Desk

import sealroom.local_enclave as local_enclave
from enclave.analyses.parameters import ParameterKind, ParameterSpec, check_parameters
from enclave.profiles.clinical import PROFILE
from protocol.documents.dataset import PART_SIZE, SealedFile, sealed_size
from protocol.errors import AccessDenied, AnalysisError, DocumentError, SealroomError, TransportError
from protocol.governance import require_current, verify_proposal
from protocol.presets import strictest
from sealroom.choose import choose_contract, choose_dataset
from sealroom.listing import ContractEntry, DatasetEntry, RunEntry
from sealroom.recipe_files import load_recipe
from sealroom.recipes import check_recipe, output_names, recipe_example

CUSTODIAN = factories.CustodianPair().keys
PARTIES = {slot: factories.make_institution(short) for slot, short in (("a", "north"), ("b", "south"))}
KINDS = ParameterKind.__args__


def signed(slot, *, policy=None, at=NOW, **changes):
    """A dataset of the slot's owner, as its steward signed it."""
    return factories.make_dataset(PARTIES[slot], CUSTODIAN, policy=policy, at=at, changes=changes).manifest


DATASETS = {slot: signed(slot) for slot in PARTIES}


def check(draft, datasets=DATASETS, *, simulation=False, max_runs=1, at=NOW, parties=PARTIES):
    institutions = {party.key: party.institution for party in parties.values()}
    return check_recipe(draft, datasets, institutions, simulation=simulation, max_runs=max_runs, at=at)


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
    planned = check(load_recipe(out))
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
    months = DATASETS | {"b": signed("b", table=TABLE.model_copy(update={"columns": columns}))}
    with pytest.raises(AnalysisError) as caught:
        check(load_recipe(path), months)
    assert caught.value.code == "UNIT"
    with path.open("a") as more:
        more.write('[[mappings.b]]\ncolumn = "age"\nsource = "age"\nunit = "a"\n')
    (output,) = check(load_recipe(path), months).outputs
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


WANTED = (
    "wanted a whole number, a text of up to 1,000 characters, or a list of 1 to 200 of one of them. "
    "Leave the parameter out, or give it a value."
)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("[]", "an empty list"),
        ('""', "an empty text"),
        ("1.5", "a number with decimals"),
        ("true", "true or false"),
        ("2026-01-31", "a date or a time"),
        ("{ x = 1 }", "a table"),
        ('["age", 1]', "a list of 2 that are not all whole numbers, nor all texts, or too many"),
        ("[true]", "a list of 1 that are not all whole numbers, nor all texts, or too many"),
        (str([1] * 201), "a list of 201 that are not all whole numbers, nor all texts, or too many"),
        (str(2**53), "a whole number beyond 2^53"),
        ('"\\u202e"', "a text that is too long or holds characters that do not show"),
    ],
)
def test_what_is_no_parameter_is_said_once(tmp_path, value, found):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace('{ time = "time" }', f"{{ covariates = {value} }}"))
    with pytest.raises(DocumentError) as caught:
        load_recipe(path)
    assert caught.value.code == "DOCUMENT"
    assert caught.value.detail == f"{path}: parameters.covariates: found {found}; {WANTED}"


@pytest.mark.parametrize("value", ["1", "-7", '"a text"', "[1, 2]", '["one", "two"]', str([1] * 200)])
def test_every_form_of_a_parameter_is_read(tmp_path, value):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace('{ time = "time" }', f"{{ covariates = {value} }}"))
    read = load_recipe(path).parameters["covariates"]
    assert (list(read) if isinstance(read, tuple) else read) == tomllib.loads(f"x = {value}")["x"]


def test_parameters_that_are_no_table_are_refused(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace('{ time = "time" }', "[1]"))
    with pytest.raises(DocumentError, match=r"DOCUMENT: .*parameters: "):
        load_recipe(path)


COX = (
    'title = "t"\nanalysis = "clinical.survival"\nslots = ["a", "b"]\noutputs = ["cox"]\n[parameters]\n'
    'time = "time"\nevent = "status"\nevent_level = "2"\ncovariates = ["age"]\n'
)


@pytest.fixture(scope="module")
def draft(tmp_path_factory):
    path = tmp_path_factory.mktemp("cox") / "recipe.toml"
    path.write_text(COX)
    return load_recipe(path)


def large(size):
    sealed = sealed_size(size)
    return SealedFile(name="table", plain_size=size, sealed_size=sealed, parts=("00" * 32,) * -(-sealed // PART_SIZE))


def contract_refusal(datasets, *, simulation, max_runs, at):
    """What the checks of a signed contract, as custodian and enclave run them, say to the same datasets."""
    slots = tuple(datasets)
    recipe = factories.make_recipe(PARTIES["a"], slots, changes={"parameters": {"time": "time"}, "outputs": ("cox",)})
    terms = {
        "datasets": tuple(
            factories.Binding(slot=slot, dataset=dataset.name, owner=dataset.document.owner)
            for slot, dataset in datasets.items()
        ),
        "simulation": simulation,
        "max_runs": max_runs,
        "preset": strictest(dataset.document.policy.preset for dataset in datasets.values()),
        "expires": factories.format_time(at + DAY),
    }
    bound = [factories.Dataset(dataset, b"", b"", b"") for dataset in datasets.values()]
    contract = factories.make_contract(PARTIES["a"], recipe, bound, list(PARTIES.values()), changes=terms)
    parts = factories.StudyParts(tuple(PARTIES.values()), None, tuple(bound), recipe, contract, ())
    with pytest.raises(SealroomError) as caught:
        study = verify_proposal(parts.pack)
        require_current(study, at)
        PROFILE.require_readable((item.document.rows, item.document.files[0].plain_size) for item in study.manifests)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "asked", "code"),
    [
        ({"policy": {"analyses": ("clinical.glm",)}}, {}, "TERMS_ANALYSIS"),
        ({"policy": {"profiles": ("genomics",)}}, {}, "TERMS_PROFILE"),
        ({"policy": {"simulation": False}}, {"simulation": True}, "TERMS_SIMULATION"),
        ({"policy": {"max_runs": 2}}, {"max_runs": 3}, "TERMS_RUNS"),
        ({"policy": {"expires": factories.format_time(NOW - DAY)}}, {}, "EXPIRED"),
        ({"policy": {"expires": factories.format_time(NOW + DAY)}}, {"at": NOW + 2 * DAY}, "EXPIRED"),
        ({"at": NOW + 2 * DAY}, {}, "NOT_YET_VALID"),
        ({"rows": 4_999_981}, {}, "ROW_LIMIT"),
        ({"files": (large(2**31),)}, {}, "ROW_LIMIT"),
        ({}, {"at": NOW + 400 * DAY}, "EXPIRED"),
    ],
)
def test_what_a_contract_would_be_refused_for_is_said_in_the_same_words(draft, changes, asked, code):
    policy = {"max_runs": 5} | changes.get("policy", {})
    datasets = {"a": signed("a", policy={"max_runs": 5}), "b": signed("b", **changes | {"policy": policy})}
    asked = {"simulation": False, "max_runs": 1, "at": NOW} | asked
    with pytest.raises(SealroomError) as caught:
        check(draft, datasets, **asked)
    assert caught.value.code == code
    assert str(caught.value) == contract_refusal(datasets, **asked)


def test_what_is_just_allowed_fits(draft):
    policy = {"max_runs": 3, "expires": factories.format_time(NOW + DAY)}
    datasets = {"a": signed("a", policy={"max_runs": 3, "preset": "cms"}), "b": signed("b", policy=policy)}
    assert check(draft, datasets, simulation=True, max_runs=3).profile == "clinical"
    datasets["b"] = signed("b", rows=5_000_000 - datasets["a"].document.rows)
    assert check(draft, datasets).profile == "clinical"


def test_an_owner_whose_institution_expired_is_named(draft):
    parties = PARTIES | {"b": PARTIES["b"].reissue(expires=factories.format_time(NOW - DAY / 2))}
    with pytest.raises(AccessDenied) as caught:
        check(draft, parties=parties)
    assert caught.value.code == "EXPIRED"
    assert caught.value.detail.startswith("The institution south expired at ")


def test_a_dataset_fills_one_slot(draft):
    with pytest.raises(AnalysisError) as caught:
        check(draft, dict.fromkeys(("a", "b"), DATASETS["a"]))
    assert caught.value.code == "SLOTS"
    assert "Slots a and b both got the dataset north-lung" in caught.value.detail
    with pytest.raises(AnalysisError, match="SLOTS: The recipe's slots are a, b; datasets came for a"):
        check(draft, {"a": DATASETS["a"]})


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
