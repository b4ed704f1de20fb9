"""Each code that an appraisal can give has advice, and each advice is one that somebody can be given."""

import ast
import re
from pathlib import Path
from typing import get_args

import attested
import pytest
from attested import NOW, with_collateral, with_quote

from attestation import quote, verifier
from attestation.advice import ADVICE, STATUS_ADVICE, advise, explain_advisory
from attestation.simulator.forge import CONDITIONS, EvidenceForge, policy_with
from attestation.verdict import check
from attestation.verifier import examine
from attestation.verifiers import dcap, items, reference, sgx, signatures
from protocol.documents import Evidence
from protocol.documents.dataset import TcbStatus
from protocol.errors import AttestationError
from protocol.types import decode_base64

JUDGES = (quote, verifier, dcap, items, reference, sgx, signatures)
NOT_CODES = {"MAX_QUOTE", "UNKNOWN", "SMT"}
"""Names of constants in ``__all__``, and of a claim."""


def written_codes():
    """Every text in the judging modules that looks like a code: upper-case words, in no docstring."""
    for module in JUDGES:
        for node in ast.walk(ast.parse(Path(module.__file__).read_text("utf-8"))):
            if isinstance(node, ast.Constant) and re.fullmatch(r"[A-Z]{2,}(_[A-Z]+)*", str(node.value)):
                yield node.value


def flip(at):
    def change(raw):
        altered = bytearray(raw)
        altered[at] ^= 1
        return bytes(altered)

    return change


def last_digit(text):
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def altered():
    """Yield evidence that nobody's platform makes: altered in single places."""
    good = attested.evidence().collateral
    for at in (30, 500, 564, 0, 2, 4, 16, 1046):
        yield with_quote(flip(at))
    yield with_quote(lambda raw: raw + b"\0")
    yield with_quote(lambda raw: raw[:-30] + b"-" * 30)
    yield with_quote(lambda raw: raw[:-900] + bytes(900))
    yield with_quote(lambda raw: raw[: 48 + 20] + b"\1" + raw[48 + 21 :])
    yield with_collateral(pck_crl=last_digit(good.pck_crl))
    yield with_collateral(tcb_info_signature=last_digit(good.tcb_info_signature))


def failures(evidence: Evidence, **given):
    try:
        examination = examine(evidence, **given)
    except AttestationError as error:
        return {error.code}
    return {item.code for item in examination.failed}


@pytest.fixture(scope="module")
def reached():
    forge, found = EvidenceForge(attested.keys(), NOW), set()
    for condition in CONDITIONS.values():
        made = forge.make(condition)
        found |= failures(
            made.evidence,
            policy=policy_with(condition.refused_by),
            roots=(made.root,) if condition.code != "ROOT_UNKNOWN" else (),
            expected=made.expected,
            at=NOW,
            reference=made.reference,
        )
    for evidence in altered():
        found |= failures(
            evidence, policy=attested.policy(), roots=(attested.platform().root,), expected=attested.EXPECTED, at=NOW
        )
    return found


def test_every_code_in_the_source_has_advice():
    assert set(written_codes()) - NOT_CODES == set(ADVICE)


def test_every_code_that_is_met_has_advice_and_every_advice_is_met(reached):
    assert reached == set(ADVICE)


def test_every_code_in_the_documentation_has_advice():
    told = set(re.findall(r"``([A-Z][A-Z_]+)``", verifier.__doc__)) | {code for code in ADVICE if code[:6] == "QUOTE_"}
    assert told == set(ADVICE)


def test_every_status_has_advice():
    assert set(STATUS_ADVICE) == {*get_args(TcbStatus), "not established"}
    for status, advice in STATUS_ADVICE.items():
        assert advise(check("TCB_STATUS", "TCB status", found=status, wanted="x", holds=False)) == advice
    refused = check("TCB_STATUS", "verification library", found="dcap-qvl refused: x", wanted="accepted", holds=False)
    assert advise(refused) == ADVICE["TCB_STATUS"]


def test_advisories():
    meaning, remedy, where = explain_advisory("INTEL-SA-00289")
    assert "Plundervolt" in meaning
    assert "overclocking" in remedy
    assert where.endswith("/advisory/intel-sa-00289.html")
    meaning, remedy, _where = explain_advisory("INTEL-SA-99999")
    assert meaning == ""
    assert remedy.startswith("Read it.")
    assert explain_advisory("INTEL-DOC-10001")[2].endswith("/documents/INTEL-DOC-10001")


def test_evidence_without_claims_is_looked_at_alone():
    good = attested.evidence()
    found = verifier.examine_quote(
        decode_base64(good.quote),
        good.collateral,
        policy=attested.policy(),
        roots=(attested.platform().root,),
        at=NOW,
    )
    assert found.failed == ()
    alone = [item.claim for item in found.checks if item.wanted == "a quote alone does not say"]
    assert alone == ["claims in the quote", "contract", "run", "profile", "nonces"]
