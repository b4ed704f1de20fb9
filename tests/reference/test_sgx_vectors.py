"""Real quotes: each SGX one gives the verdict that its source expects at its time, each TDX one is refused by name.

Vectors: ``SEALROOM_REFERENCE/vectors``, described there in SOURCES.md; one SGX quote is also in ``tests/vectors``.
"""

from datetime import UTC, datetime
from pathlib import Path

import attested
import pytest
from sgx_vectors import HARDWARE, failing, judge, vectors

from attestation.endorsements import collateral_from_json
from attestation.quote import parse_quote, split_chain
from attestation.roots import INTEL_ROOT
from protocol.errors import AttestationError

COMMITTED = Path(__file__).resolve().parents[1] / "vectors" / "sgx-real-quote"


def committed():
    quote = (COMMITTED / "quote.bin").read_bytes()
    return quote, collateral_from_json((COMMITTED / "collateral.json").read_text("utf-8"))


def test_the_real_sgx_quote_verifies_under_intels_root_at_its_time():
    quote, collateral = committed()
    code, result = judge(quote, collateral, datetime(2025, 7, 4, 10, 28, 44, tzinfo=UTC))
    assert (code, failing(result)) == ("REPORT_DATA", ["claims in the quote"])
    assert not result.simulated
    assert result.root == INTEL_ROOT.digest
    assert result.tcb_status == "ConfigurationAndSWHardeningNeeded"
    assert result.advisories == ("INTEL-SA-00289", "INTEL-SA-00615")
    assert result.measurement == "33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb"
    assert parse_quote(quote).report.report_data.startswith(b"Hello, world!")


def test_the_real_sgx_quote_is_refused_by_the_policy_that_ships():
    quote, collateral = committed()
    code, result = judge(quote, collateral, datetime(2025, 7, 4, 10, 28, 44, tzinfo=UTC), HARDWARE)
    assert (code, failing(result)) == (
        "TCB_STATUS",
        ["TCB status", "advisories", "TCB evaluation number", "QE evaluation number", "claims in the quote"],
    )


def test_the_real_sgx_quote_is_refused_at_other_times():
    quote, collateral = committed()
    assert judge(quote, collateral, datetime(2025, 7, 20, tzinfo=UTC))[0] == "COLLATERAL_EXPIRED"
    assert judge(quote, collateral, datetime(2025, 6, 18, tzinfo=UTC))[0] == "COLLATERAL_FUTURE"
    assert judge(quote, collateral, attested.NOW)[0] == "COLLATERAL_EXPIRED"


def test_no_byte_of_the_real_sgx_quote_may_change():
    quote, collateral = committed()
    at = datetime(2025, 7, 4, 10, 28, 44, tzinfo=UTC)
    for position in range(48, len(quote), 97):
        altered = bytearray(quote)
        altered[position] ^= 1
        try:
            code, _result = judge(bytes(altered), collateral, at)
        except AttestationError as error:
            code = error.code
        assert code != "REPORT_DATA", position


def test_the_committed_quote_is_the_reference_one(reference):
    quote, collateral = committed()
    same = [vector for vector in vectors(reference, "SGX") if vector.quote == quote]
    assert collateral in [vector.collateral for vector in same]


def test_intels_root_is_the_one_in_the_vectors(reference):
    for vector in vectors(reference, "SGX"):
        assert parse_quote(vector.quote).chain.root == INTEL_ROOT.certificate_der
        for chain in (vector.collateral.tcb_info_issuer_chain, vector.collateral.qe_identity_issuer_chain):
            assert split_chain(chain.encode())[-1] == INTEL_ROOT.certificate_der


def test_every_sgx_vector_gives_its_verdict(reference):
    found = vectors(reference, "SGX")
    assert len(found) == 11
    for vector in found:
        code, result = judge(vector.quote, vector.collateral, vector.at)
        assert not result.simulated
        if vector.verdict == "OK":
            assert (code, failing(result)) == ("REPORT_DATA", ["claims in the quote"]), vector.name
            assert result.tcb_status == vector.status, vector.name
            assert sorted(result.advisories) == sorted(vector.advisories), vector.name
        else:
            assert "Debug" in vector.status
            assert code == "DEBUG", vector.name


def test_every_tdx_vector_is_refused_as_not_sgx(reference):
    found = vectors(reference, "TDX")
    assert len(found) == 35
    for vector in found:
        with pytest.raises(AttestationError) as caught:
            parse_quote(vector.quote)
        assert caught.value.code == "QUOTE_TEE", vector.name
        assert "TDX" in caught.value.detail
