"""The session's own steps: time, faults, several parts, libraries."""

import contextlib
import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import factories
import hostile_host
import lung
import numpy as np
import pytest
from hostile_host import Raw, host, make_host
from lung_study import make_lung_study

import enclave.session
from enclave.analyses.clinical.survival import Survival
from enclave.compute import compute, plan_study
from enclave.custody import EnclaveKeys
from enclave.profiles import Profile, load_profile
from enclave.relay import Relay
from enclave.session import _pad_time, run_session
from protocol.documents.outputs import Refusal
from protocol.errors import TransportError
from protocol.governance import verify_proposal
from protocol.layout import TableReader

__all__ = ["host", "make_host"]

ROWS = 350_000
CLINICAL = load_profile("clinical")


def computed(study, plan, tables):
    return compute(study, plan, CLINICAL, tables, iter(()), bytes(32))


@pytest.mark.parametrize("before", [0.0, 0.01, 0.049, 0.05, 0.12])
def test_time_is_padded_to_a_whole_number_of_quanta(monkeypatch, before):
    monkeypatch.setattr(enclave.session, "QUANTUM", 0.05)
    started = time.monotonic() - before
    _pad_time(started)
    # Never less than the next multiple; how much later a busy machine wakes up cannot be asserted.
    assert time.monotonic() - started >= math.floor(before / 0.05 + 1) * 0.05 - 1e-6


def test_a_host_that_cannot_even_be_told_ends_the_session_with_an_error(host):
    host.lies["assignment"] = host.lies["failure"] = lambda asked, honest: Raw()
    relay = Relay.connect(host.launch)
    with contextlib.closing(relay._client), pytest.raises(TransportError):
        run_session(relay, None, CLINICAL)


class Faulty(Survival):
    """Survival whose run fails, with rows in the message."""

    def run(self, plan, inputs):
        raise ValueError(repr(inputs.cohorts[0].frame))


@pytest.fixture
def study_and_tables():
    made = make_lung_study(factories.CustodianPair().keys)
    tables = [TableReader.read(dataset.plain, lung.SCHEMA, row_limit=100) for dataset in made.datasets]
    return verify_proposal(made.pack), tables


def test_a_fault_of_the_program_is_a_refusal_like_any_other(study_and_tables, monkeypatch):
    study, tables = study_and_tables
    plan = plan_study(study, CLINICAL)
    assert not any(isinstance(output.value, Refusal) for output in computed(study, plan, tables))
    monkeypatch.setattr(Profile, "find_analysis", lambda profile, name: Faulty())
    outputs = computed(study, plan, tables)
    assert [output.output for output in outputs] == list(lung.OUTPUTS)
    assert {output.value for output in outputs} == {Refusal(refusal="INTERNAL")}


def test_a_table_too_few_is_a_refusal_too(study_and_tables):
    study, tables = study_and_tables
    outputs = computed(study, plan_study(study, CLINICAL), tables[:2])
    assert {output.value for output in outputs} == {Refusal(refusal="INTERNAL")}


def test_keys_do_not_show_where_they_are_printed():
    assert repr(EnclaveKeys()) == "EnclaveKeys()"


LIBRARIES = """
import sys
sys.path.insert(0, sys.argv[1])
from enclave.profiles import load_profile
profile = load_profile("clinical")
profile.load_libraries()
import lung
import risks
from enclave.analyses.base import Inputs
from enclave.disclosure.gate import release_all
LINEAR, LOGISTIC = ("linear", "linear-by-site"), ("logistic", "logistic-by-site")
ASKED = [
    ("clinical.survival", lung.OUTPUTS, lung.PARAMETERS),
    ("clinical.glm", LINEAR, {"outcome": "age", "covariates": ("sex", "ph.ecog")}),
    ("clinical.glm", LOGISTIC, {"outcome": "status", "outcome_level": "1", "covariates": ("sex", "time")}),
    ("clinical.glm", LOGISTIC, {"outcome": "ph.ecog", "outcome_level": 3, "covariates": ("sex",)}),  # it separates
    ("clinical.table1", ("counts", "means"), {"group": "sex", "categories": ("status",), "numbers": ("age", "time")}),
    (
        "clinical.feasibility",
        ("matching",),
        {"where_columns": ("age",), "where_tests": ("at least",), "where_values": ("60",)},
    ),
]
cohorts = tuple(lung.cohorts())
schemas = {cohort.slot: cohort.schema for cohort in cohorts}
others = risks.cohorts()
before, ran = set(sys.modules), []
for name, outputs, parameters in ASKED:
    plan = profile.analyses[name].plan(parameters, outputs, schemas)
    raw = profile.analyses[name].run(plan, Inputs(cohorts, iter(()), bytes(32)))
    ran.extend((name, found.type, getattr(found, "penalised", None)) for found in raw.values())
    release_all(raw, lung.contract(plan))
raw = risks.run(others)
release_all(raw, lung.contract(risks.plan()))
ran.extend(("clinical.prediction", found.type, None) for found in raw.values())
print({name for name, *_ in ran} == set(profile.analyses))
print(sorted({type for _, type, _ in ran}), any(penalised for *_, penalised in ran))
print(sorted(set(sys.modules) - before))
"""


def test_an_analysis_imports_no_library_after_keys_are_open():
    """Imports take seconds: they would show the host whether an analysis ran."""
    tests = str(Path(hostile_host.__file__).parent)
    done = subprocess.run([sys.executable, "-c", LIBRARIES, tests], capture_output=True, check=True, timeout=120)
    types = ["counts", "means", "metrics", "regression", "survival", "test"]
    assert done.stdout.decode().splitlines() == ["True", f"{types} True", "[]"]


@pytest.fixture(scope="module")
def large():
    """A table of two parts, and how many of its rows are men with the event."""
    draw = np.random.default_rng(1)
    codes = {name: draw.integers(0, 2, ROWS, dtype=np.int32) for name in ("status", "sex")}
    numbers = {"time": draw.integers(1, 900, ROWS), "age": draw.integers(40, 80, ROWS), "ph.ecog": np.ones(ROWS, int)}
    columns = codes | {name: values.astype("<i8") for name, values in numbers.items()}
    columns["subject"] = draw.integers(0, 256, (ROWS, 16), dtype=np.uint8)
    sink = lung.io.BytesIO()
    lung.write_table(lung.SCHEMA, {column.name: columns[column.name] for column in lung.SCHEMA.columns}, sink)
    return sink.getvalue(), int(((codes["status"] == 1) & (codes["sex"] == 0)).sum())


@pytest.fixture
def large_host(make_host, large):
    rows = lung.rows()
    frames = [rows.iloc[:0], *(rows[rows.partner == slot] for slot in "bc")]

    def spoil(party, dataset):
        manifest = factories.resign(dataset.manifest.document, party.people["steward"].manifest, rows=ROWS)
        return replace(dataset, manifest=manifest)

    parameters = {name: lung.PARAMETERS[name] for name in ("time", "event", "event_level", "group")}
    return make_host(
        frames=frames, plains={0: large[0]}, spoil={0: spoil}, outputs=("subjects",), parameters=parameters
    )


def test_a_dataset_of_two_parts(large_host, large):
    assert large_host.run() is True
    assert [seen.path.rsplit("/", 1)[1] for seen in large_host.asked("part")] == ["0", "1", "0", "0"]
    others = lung.rows().query("partner != 'a' and status == '1' and sex == '1'")
    found = large_host.opened()["subjects"].value.cells[0].count
    assert abs(found - large[1] - len(others)) <= 5


def test_parts_of_a_dataset_in_another_order(large_host):
    sealed = large_host.study.datasets[0].sealed
    size = hostile_host.PART_SIZE
    large_host.lies["part"] = lambda asked, honest: sealed[size:] if asked.rest[2] == "0" else honest()
    large_host.refuses("PART_SIZE", before="commit")
    large_host.forget()
    large_host.again()
    large_host.lies["part"] = lambda asked, honest: (
        sealed[: large_host.study.datasets[0].manifest.document.files[0].part_size(1)]
        if asked.rest[2] == "1"
        else honest()
    )
    large_host.refuses("PART_DIGEST", before="commit")
    assert len(large_host.asked("part")) == 2


def test_a_part_that_does_not_decrypt_is_not_read_as_zeros_and_the_rest_is_still_fetched(large_host):
    def spoil(party, dataset):
        document, key = dataset.manifest.document, party.people["steward"].manifest
        other = factories.make_dataset(party, document.custodian, plain=dataset.plain, table=lung.SCHEMA)
        (file,), (foreign,) = document.files, other.manifest.document.files
        mixed = factories.changed(file, {"parts": (file.parts[0], foreign.parts[1])})
        sealed = dataset.sealed[: hostile_host.PART_SIZE] + other.sealed[hostile_host.PART_SIZE :]
        return replace(dataset, manifest=factories.resign(document, key, files=(mixed,)), sealed=sealed)

    study = large_host.study
    datasets = (spoil(study.parties[0], study.datasets[0]), *study.datasets[1:])
    bindings = tuple(
        factories.changed(binding, {"dataset": dataset.manifest.name})
        for binding, dataset in zip(study.contract.document.datasets, datasets, strict=True)
    )
    large_host.study = hostile_host.reapprove(replace(study, datasets=datasets), datasets=bindings)
    assert large_host.run() is True
    assert len(large_host.asked("part")) == 4
    assert large_host.opened()["subjects"].value == Refusal(refusal="SCHEMA")
