"""docs/agreement-with-intel.md lists exactly the differences between appraisal, dcap-qvl and Intel's own verifier."""

import json
import re
from functools import cache
from pathlib import Path

import attested
import intel_verifier
import pytest
import sgx_vectors
from attested import NOW

from attestation.roots import INTEL_ROOT
from attestation.simulator.forge import CONDITIONS, EvidenceForge
from protocol.types import decode_base64

PAGE = Path(__file__).resolve().parents[2] / "docs" / "agreement-with-intel.md"
FORGE = EvidenceForge(attested.keys(), NOW)
STATUSES = {
    "UpToDate": "STATUS_OK",
    "SWHardeningNeeded": "STATUS_TCB_SW_HARDENING_NEEDED",
    "ConfigurationNeeded": "STATUS_TCB_CONFIGURATION_NEEDED",
    "ConfigurationAndSWHardeningNeeded": "STATUS_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED",
    "OutOfDate": "STATUS_TCB_OUT_OF_DATE",
    "OutOfDateConfigurationNeeded": "STATUS_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED",
}
"""dcap-qvl's words and Intel's."""


def listed(heading):
    """The rows of the page's table under a heading."""
    section = PAGE.read_text("utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \| (\S+) \| (\S+) \| (\S+) \|$", section, re.MULTILINE))


def intels_word(quote, collateral, root, at):
    found = intel_verifier.verify(quote, collateral, root, at)
    order = (found.pck_certificate_status, found.tcb_info_status, found.qe_identity_status, found.quote_status)
    words = [status.name for status in order if status.name != "STATUS_OK"]
    assert found.ok == (not words)
    return (words or ["accepted"])[0], found.quote_status.name


def librarys_word(quote, collateral, root, at):
    try:
        return json.loads(attested.library(quote, collateral, at, root))["tcb"]["status"]
    except ValueError:
        return "refused"


@cache
def forged():
    """What each of the three says of every condition: name -> (ours, dcap-qvl, Intel, Intel's quote status)."""
    told = {}
    for name, condition in CONDITIONS.items():
        made = FORGE.make(condition)
        given = decode_base64(made.evidence.quote), made.evidence.collateral, made.root, NOW
        told[name] = (condition.code or "accepted", librarys_word(*given), *intels_word(*given))
    return told


def refused_as_shipped(name):
    return CONDITIONS[name].code is not None and not CONDITIONS[name].refused_by


def rows(names):
    return {(name, *forged()[name][:3]) for name in names}


def test_intels_verifier_accepts_what_the_forge_makes_in_good_order():
    assert forged()["good"] == ("accepted", "UpToDate", "accepted", "STATUS_OK")


def test_every_forged_condition_that_intel_accepts_is_listed():
    names = {name for name, told in forged().items() if told[2] == "accepted" and refused_as_shipped(name)}
    assert rows(names) == listed("Forged conditions that Intel's verifier accepts")


def test_every_forged_condition_with_another_status_is_listed():
    names = {
        name
        for name, (_, library, _, quote) in forged().items()
        if library in STATUSES and (quote == "STATUS_OK" or quote in STATUSES.values()) and STATUSES[library] != quote
    }
    assert rows(names) == listed("Forged conditions for which Intel gives another status")


def test_every_forged_condition_that_dcap_qvl_alone_accepts_is_listed():
    names = {name for name, told in forged().items() if told[1] == "UpToDate" and told[2] != "accepted"}
    assert rows(names) == listed("Forged conditions that dcap-qvl alone accepts and Intel refuses")


def test_the_forge_meets_every_status_and_all_agree_on_it():
    same = {library for _, library, _, quote in forged().values() if STATUSES.get(library) == quote}
    assert same == set(STATUSES)


def test_nothing_that_intel_refuses_is_accepted_but_for_statuses_that_a_policy_names():
    accepted = {name for name, condition in CONDITIONS.items() if condition.accepted_by is not None}
    refused = {name for name in accepted if forged()[name][2] != "accepted"}
    assert {forged()[name][3] for name in refused} == set(STATUSES.values()) - {"STATUS_OK"}
    assert {forged()[name][2:] for name in refused} == {
        (status, status) for status in set(STATUSES.values()) - {"STATUS_OK"}
    }
    as_shipped = {name for name in refused if CONDITIONS[name].accepted_by == {}}
    assert as_shipped == {"tcb-sw-hardening-needed"}


@pytest.mark.parametrize("name", CONDITIONS)
def test_intels_verifier_takes_nothing_forged_under_intels_root(name):
    made = FORGE.make(CONDITIONS[name])
    quote = decode_base64(made.evidence.quote)
    assert intels_word(quote, made.evidence.collateral, INTEL_ROOT, NOW)[0] != "accepted"


def test_every_real_sgx_quote_gets_the_same_status_from_all_three_or_is_listed(reference):
    different, same = set(), 0
    for vector in sgx_vectors.vectors(reference, "SGX"):
        code, result = sgx_vectors.judge(vector.quote, vector.collateral, vector.at)
        library = librarys_word(vector.quote, vector.collateral, INTEL_ROOT, vector.at)
        word, quote = intels_word(vector.quote, vector.collateral, INTEL_ROOT, vector.at)
        if STATUSES.get(result.tcb_status) == STATUSES.get(library) == quote:
            same += 1
        else:
            different.add((vector.name, code, library, word))
    assert same == 5
    assert different == listed("Real quotes")
