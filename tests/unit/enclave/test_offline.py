import json
import subprocess
import sys

import lung
import pytest

from enclave.offline import MAX_REQUEST, describe, plan
from enclave.profiles import PROFILES, load_profile
from protocol.canonical import canonical_bytes, parse_canonical
from protocol.documents.dataset import DatasetSchema


def request(**changes):
    content = {
        "analysis": "clinical.survival",
        "parameters": {
            name: list(value) if isinstance(value, tuple) else value for name, value in lung.PARAMETERS.items()
        },
        "outputs": list(lung.OUTPUTS),
        "mappings": {},
        "datasets": {slot: DatasetSchema(table=lung.SCHEMA).model_dump(mode="json") for slot in "abc"},
        "sizes": {},
    }
    return canonical_bytes({**content, **changes})


def problem(data):
    answer, status = plan(data)
    assert status == 7
    return json.loads(answer)["code"]


def test_describe_is_canonical_and_complete():
    found = {item["name"]: item for item in parse_canonical(describe(), limit=2**20)["analyses"]}
    assert list(found) == [item.descriptor.name for profile in PROFILES for item in load_profile(profile).listed]
    survival = found["clinical.survival"]
    assert set(survival) == {
        "name",
        "title",
        "estimand",
        "profile",
        "parameters",
        "outputs",
        "references",
        "outside_answer",
    }
    assert [parameter["name"] for parameter in survival["parameters"]] == list(lung.PARAMETERS)
    assert [output["name"] for output in survival["outputs"]] == list(lung.OUTPUTS)


def test_plan_answers_with_profile_and_outputs():
    answer, status = plan(request())
    found = parse_canonical(answer, limit=2**20)
    assert status == 0
    assert found["profile"] == "clinical"
    assert [output["output"] for output in found["outputs"]] == list(lung.OUTPUTS)
    assert set(found["outputs"][0]) == {"output", "type", "labels", "reveals", "about", "apart"}
    assert found["outputs"][0]["labels"] == ["age (per a)", "sex: female against male", "ph.ecog (per 1)"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b'{"analysis": "clinical.survival"}', "CANONICAL"),
        (b'{"a":1,"a":2}', "JSON"),
        (b'{"analysis":"clinical.survival"}', "DOCUMENT"),
        (b" " * (MAX_REQUEST + 1), "SIZE"),
        (request(more=1), "DOCUMENT"),
        (request(datasets={}), "DOCUMENT"),
        (request(outputs=[]), "DOCUMENT"),
        (request(parameters={"time": {"expression": "age * 2"}}), "DOCUMENT"),
        (request(parameters={"time": True}), "DOCUMENT"),
        (request(analysis="clinical.magic"), "ANALYSIS_UNKNOWN"),
        (request(parameters={}), "PARAMETER_MISSING"),
        (request(outputs=["median"]), "OUTPUT_UNKNOWN"),
        (request(sizes={"a": {"rows": -1, "size": 0}}), "DOCUMENT"),
        (request(sizes={"a": {"rows": 1, "size": 2**31}, "b": {"rows": 1, "size": 1}}), "ROW_LIMIT"),
        (request(sizes={"a": {"rows": 5_000_000, "size": 1}, "b": {"rows": 1, "size": 1}}), "ROW_LIMIT"),
    ],
)
def test_problems(data, code):
    assert problem(data) == code


def test_tables_as_large_as_the_profile_reads_are_planned():
    sizes = {"a": {"rows": 4_999_999, "size": 2**31 - 1}, "b": {"rows": 1, "size": 1}}
    assert plan(request(sizes=sizes)) == plan(request())


def program(*arguments, data=b""):
    return subprocess.run(
        [sys.executable, "-I", "-m", "enclave", *arguments], input=data, capture_output=True, timeout=60, check=False
    )


def test_the_program_describes_and_plans():
    described = program("--describe")
    assert (described.returncode, described.stdout, described.stderr) == (0, describe(), b"")
    planned = program("--plan", data=request())
    assert (planned.returncode, planned.stdout, planned.stderr) == (0, plan(request())[0], b"")
    refused = program("--plan", data=request(outputs=["median"]))
    assert refused.returncode == 7
    assert json.loads(refused.stdout)["code"] == "OUTPUT_UNKNOWN"


def test_planning_loads_no_statistics():
    script = (
        "import sys; from enclave.offline import describe, plan; describe(); plan(sys.stdin.buffer.read());"
        "print(sorted({'pandas', 'scipy', 'sklearn', 'statsmodels'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], input=request(), capture_output=True, timeout=60, check=True)
    assert done.stdout.strip() == b"[]"
