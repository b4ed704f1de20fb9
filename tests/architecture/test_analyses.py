"""Every analysis is registered, documented, referenced, compared with an outside answer, and gated."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import lung
import pytest

from enclave.analyses.base import Analysis, Inputs
from enclave.analyses.results import RawResult, Unavailable
from enclave.disclosure import gate
from enclave.profiles import PROFILES, load_profile
from protocol.documents.study import OutputType
from sealroom.analyses_page import render_page
from sealroom.local_enclave import describe_analyses

PROJECT = Path(__file__).resolve().parents[2]
LISTED = [(profile, analysis) for profile in PROFILES for analysis in load_profile(profile).listed]
NAMES = [analysis.descriptor.name for _, analysis in LISTED]


def written():
    """Every class below enclave/analyses/PROFILE that is an analysis, by the profile of its folder."""
    for profile in PROFILES:
        for path in sorted((PROJECT / "enclave/analyses" / profile).rglob("*.py")):
            module = importlib.import_module(".".join(path.relative_to(PROJECT).with_suffix("").parts))
            for _, found in inspect.getmembers(module, inspect.isclass):
                if (
                    issubclass(found, Analysis)
                    and not inspect.isabstract(found)
                    and found.__module__ == module.__name__
                ):
                    yield profile, found


def test_every_analysis_is_registered_in_the_profile_of_its_folder():
    assert {(profile, type(analysis)) for profile, analysis in LISTED} == set(written())
    assert len(set(NAMES)) == len(NAMES) == len(LISTED)
    assert all(load_profile(profile).listed for profile in PROFILES)


@pytest.mark.parametrize(("profile", "analysis"), LISTED, ids=NAMES)
def test_every_analysis_says_where_it_belongs_and_is_documented(profile, analysis):
    descriptor = analysis.descriptor
    assert descriptor.profile == profile
    assert descriptor.name.startswith(f"{profile}.")
    assert inspect.getdoc(type(analysis))
    for method in ("label", "pool", "estimate"):
        assert vars(type(analysis))[method].__doc__
    assert all(len(reference) > 20 for reference in descriptor.references)


@pytest.mark.parametrize("name", NAMES)
def test_every_analysis_is_compared_with_an_outside_answer(name):
    """A test of tests/reference imports the analysis's own module."""
    profile, module = name.split(".")
    wanted = f"enclave.analyses.{profile}.{module}"
    tests = "".join(path.read_text() for path in (PROJECT / "tests/reference").glob("test_*.py"))
    helpers = "".join(path.read_text() for path in (PROJECT / "tests").glob("*.py"))
    assert wanted in tests or (wanted in helpers and f"{profile}.{module}" in tests + helpers)


def test_every_raw_result_has_a_rule_of_the_gate():
    source = inspect.getsource(gate)
    ruled = set(re.findall(r"case (Raw\w+)\(", source))
    assert ruled == {found.__name__ for found in get_args(RawResult)} - {Unavailable.__name__}
    offered = {output.type for _, analysis in LISTED for output in analysis.descriptor.outputs}
    assert offered <= set(get_args(OutputType))


def test_the_list_of_analyses_is_up_to_date():
    """Regenerate with: make generated."""
    assert (PROJECT / "docs/analyses.md").read_text("utf-8") == render_page(describe_analyses())


def test_the_example_of_the_page_is_an_analysis():
    text = (PROJECT / "docs/writing-an-analysis.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 40
    space = {"__name__": "example"}
    sys.modules["example"] = type(sys)("example")
    try:
        exec(compile(code, "example", "exec"), space)
    finally:
        del sys.modules["example"]
    assert released_mean(space["Mean"](), "age") == (("age (a)",), 230, "62.4", "9.07")
    # One patient of 228 has no score: the number of the others would say so. One has a 3: so would the mean.
    assert released_mean(space["Mean"](), "ph.ecog") == (("ph.ecog (1)",), None, None, None)
    frame = lung.rows()
    frame["ph.ecog"] = scores = frame["ph.ecog"].clip(upper=2)
    wanted = f"{scores.mean():.3g}", f"{scores.std():.3g}"
    assert released_mean(space["Mean"](), "ph.ecog", frame) == (("ph.ecog (1)",), None, *wanted)


def released_mean(analysis, number, frame=None):
    cohorts = tuple(lung.cohorts(frame))
    plan = analysis.plan({"number": number}, ("mean",), {cohort.slot: cohort.schema for cohort in cohorts})
    raw = analysis.run(plan, Inputs(cohorts, iter(()), bytes(32)))
    (cell,) = gate.release_all(raw, lung.contract(plan))[0].value.cells
    return plan.outputs[0].labels, cell.subjects, cell.mean, cell.sd


LOADED = """
import sys
from enclave.profiles import load_profile
import enclave.session
load_profile(sys.argv[1]).load_libraries()
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""
ABSENT = {
    "clinical": {"rdkit", "pgenlib", "cyvcf2", "matplotlib", "custodian", "sealroom", "broker"},
    "discovery": {"rdkit", "statsmodels", "pgenlib", "cyvcf2", "matplotlib", "custodian", "sealroom", "broker"},
    "genomics": {"rdkit", "statsmodels", "sklearn", "pgenlib", "cyvcf2", "matplotlib", "custodian", "sealroom"},
}


@pytest.mark.parametrize("profile", PROFILES)
def test_an_enclave_loads_only_what_its_profile_needs(profile):
    command = [sys.executable, "-I", "-c", LOADED, profile]
    loaded = set(subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout.split())
    assert {"enclave", "numpy"} <= loaded
    assert not loaded & ABSENT[profile]


OTHERS = """
import sys
from enclave.profiles import load_profile
import enclave.session
load_profile(sys.argv[1]).load_libraries()
print(*sorted(name for name in sys.modules if name.startswith("enclave.")))
"""


@pytest.mark.parametrize("profile", PROFILES)
def test_an_enclave_runs_no_file_of_another_profile(profile):
    command = [sys.executable, "-I", "-c", OTHERS, profile]
    loaded = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout.split()
    others = tuple(name for other in set(PROFILES) - {profile} for name in of_profile(other))
    assert f"enclave.profiles.{profile}" in loaded
    assert not [name for name in loaded if name.startswith(others)]


def of_profile(profile):
    return (f"enclave.analyses.{profile}", f"enclave.profiles.{profile}")
