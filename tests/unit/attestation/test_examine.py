"""An examination shows people every claim; it refuses nothing, and is no verdict."""

import attested
import pytest
from attested import NOW, with_quote

from attestation.simulator.platform import Conditions
from attestation.verifier import examine
from protocol.errors import AttestationError


def look(evidence, expected=None, policy=None):
    return examine(
        evidence,
        policy=policy or attested.policy(),
        roots=(attested.platform().root,),
        expected=expected,
        at=NOW,
    )


def test_it_is_the_appraisal_that_does_not_raise():
    found = look(attested.evidence(), attested.EXPECTED)
    assert found.failed == ()
    assert found.result == attested.appraise()
    assert len(found.checks) == len(found.result.claims)


def test_every_failing_claim_is_listed_with_its_code():
    found = look(attested.evidence(Conditions(tcb_status="OutOfDate", tcb_evaluation=3)))
    assert [item.code for item in found.failed] == ["TCB_STATUS", "TCB_EVALUATION"]


def test_without_a_contract_what_it_would_say_is_left_out():
    found = look(attested.evidence())
    assert found.failed == ()
    left_out = [item.claim for item in found.checks if item.wanted == "no contract is at hand"]
    assert left_out == ["measurement", "contract", "run", "profile", "nonces"]
    assert {item.holds for item in found.checks if item.claim in left_out} == {"skipped"}
    swapped = attested.evidence().model_copy(update={"claims": attested.claims(run="ff" * 16)})
    assert [item.code for item in look(swapped).failed] == ["REPORT_DATA"]


def test_a_quote_that_does_not_parse_cannot_be_looked_at():
    with pytest.raises(AttestationError) as caught:
        look(with_quote(lambda raw: raw[:-1]))
    assert caught.value.code.startswith("QUOTE_")
