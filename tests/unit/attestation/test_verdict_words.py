"""What a verdict says of each claim: found and wanted, in words that a data steward can compare."""

from dataclasses import replace

import attested
import pytest
from attested import DAY, NOW, appraise, changed, with_collateral
from cryptography import x509

from attestation.simulator.platform import Conditions, EnclaveShape
from attestation.verdict import Check, check, skipped
from attestation.verifier import AppraisalRefused
from protocol.documents import ClaimVerdict
from protocol.errors import AttestationError, from_problem
from protocol.types import format_time


def line(result, claim):
    return next((row.found, row.wanted, row.holds) for row in result.claims if row.claim == claim)


def verdict(*given, **named):
    with pytest.raises(AppraisalRefused) as caught:
        appraise(*given, **named)
    return caught.value.result


def test_what_good_evidence_says():
    root = attested.platform().root
    signer = "SIMULATED SEALROOM SGX TCB Signing"
    number = str(int(NOW.timestamp()))
    start, end = format_time(NOW), format_time(NOW + 30 * DAY)
    said = {row.claim: (row.found, row.wanted) for row in appraise().claims}
    assert said["hardware root"] == (root.digest, "one of the pinned roots")
    assert said["platform"] == ("SIMULATED", "hardware or SIMULATED")
    assert said["PCK certificate chain"] == ("valid", "valid")
    assert said["quote"] == ("valid", "signed by the attestation key")
    assert said["collateral"] == ("well formed", "well formed")
    assert said["PCK CRL issuer chain"] == ("the quote's CA and root", "the quote's CA and root")
    assert said["PCK CRL number"] == (number, "a number of at most 32 bits")
    assert said["QE identity signer"] == (signer, "the root's SGX TCB Signing certificate")
    assert said["root CRL dates"] == (f"{start} to {end}", f"valid at {start} and at most 400 days old")
    assert said["revocation"] == ("none", "no certificate revoked")
    assert said["measurement"] == (attested.MEASUREMENT, attested.MEASUREMENT)
    assert said["attribute DEBUG"] == ("clear", "clear")
    assert said["attributes"] == ("0x5", "0x5 under 0xfffffffffffffb7f")
    assert said["security version"] == ("0", "left out by the policy")
    assert said["verification library"] == ("accepted", "accepted")
    platform = "FMSPC 5ea100000001, PCE 0000"
    assert said["TCB information's platform"] == (platform, platform)
    assert said["TCB status"] == ("UpToDate", "one of UpToDate, SWHardeningNeeded")
    assert said["advisories"] == ("none", "left out by the policy")
    assert said["SMT"] == ("False", "left out by the policy")
    assert said["TCB evaluation number"] == ("20", "at least 20")
    assert said["nonces"] == ("1 of the expected nonces", "1, at least one")


def test_what_refused_evidence_says():
    assert line(verdict(Conditions(crl_numbers=False)), "root CRL number") == (
        "none",
        "a number of at most 32 bits",
        "no",
    )
    assert line(verdict(Conditions(revoked=True, revoked_by_root=("tcb_signing",))), "revocation")[0] == (
        "SIMULATED SEALROOM SGX PCK Certificate by the PCK CRL of 2026-11-24T12:00:00Z; SIMULATED SEALROOM SGX TCB "
        "Signing, SIMULATED SEALROOM SGX TCB Signing by the root CRL of 2026-11-24T12:00:00Z"
    )
    debug = verdict(Conditions(enclave=EnclaveShape(flags=0x07)))
    assert line(debug, "attribute DEBUG") == ("set", "clear", "no")
    assert line(debug, "TCB evaluation number") == ("not established", "at least 20", "no")
    assert line(debug, "TCB status")[0] == "not established"
    assert line(debug, "SMT") == ("not established", "left out by the policy", "skipped")
    assert line(debug, "verification library")[0].startswith("dcap-qvl refused: ")
    assert line(verdict(policy=attested.policy().narrowed([])), "TCB status")[1] == "one of none"
    advised = Conditions(advisories=("INTEL-SA-00001", "INTEL-SA-00002"))
    shown = "INTEL-SA-00001, INTEL-SA-00002"
    assert line(appraise(advised), "advisories") == (shown, "left out by the policy", "skipped")
    assert line(verdict(advised, policy=changed(platform={"advisories": ()})), "advisories") == (shown, "none", "no")
    one = changed(platform={"advisories": ("INTEL-SA-00002",)})
    assert line(verdict(advised, policy=one), "advisories") == (shown, "none but INTEL-SA-00002", "no")
    garbage = verdict(with_collateral(pck_crl="00"))
    assert line(garbage, "collateral") == (
        "The PCK CRL is not a certificate revocation list in DER.",
        "well formed",
        "no",
    )
    assert line(garbage, "TCB information's platform")[:2] == ("not established", "that of the PCK certificate")
    unknown = verdict(roots=())
    assert line(unknown, "verification library") == ("nothing to verify under", "accepted", "no")
    assert line(verdict(policy=attested.policy("appraisal.toml")), "platform") == ("SIMULATED", "hardware", "no")
    other = verdict(expected=replace(attested.EXPECTED, measurement="00" * 32))
    assert line(other, "measurement") == (attested.MEASUREMENT, "00" * 32, "no")
    nonces = verdict(expected=replace(attested.EXPECTED, nonces=()))
    assert line(nonces, "nonces") == ("0 of the expected nonces", "0, at least one", "no")


def test_a_signing_certificate_under_another_root_than_the_quotes():
    """Either half of it: the certificate is another root's, or the chain beside it is."""
    ours, theirs = attested.evidence().collateral, attested.evidence_of(attested.other_platform()).collateral
    own, own_root = halves(ours.tcb_info_issuer_chain)
    other, other_root = halves(theirs.tcb_info_issuer_chain)
    for chain in (own + other_root, other + own_root, other + other_root):
        made = with_collateral(tcb_info_issuer_chain=chain)
        with attested.refused("COLLATERAL_SIGNER"):
            appraise(made)
        assert line(verdict(made), "TCB information signer")[0] == "not issued by the quote's root"
    assert appraise(with_collateral(tcb_info_issuer_chain=own + own_root))


def halves(chain):
    at = chain.index("-----BEGIN", 1)
    assert len(x509.load_pem_x509_certificates(chain.encode())) == 2
    return chain[:at], chain[at:]


def test_the_error_tells_code_found_wanted_and_what_to_count():
    with pytest.raises(AppraisalRefused) as caught:
        appraise(expected=replace(attested.EXPECTED, run="00" * 16))
    error = caught.value
    assert (error.code, error.family, error.http_status, error.exit_code) == ("OTHER_RUN", "attestation", 403, 5)
    assert error.detail == f"run: found {'cc' * 16}, wanted {'00' * 16}."
    assert isinstance(from_problem(error.problem()), AttestationError)


def test_lines():
    assert check("CODE", "a claim", found="a", wanted="b", holds=False) == Check("CODE", "a claim", "a", "b", "no")
    shown = check("CODE", "a claim", found="", wanted="é\n" + "x" * 600, holds=True).verdict()
    assert shown == ClaimVerdict(claim="a claim", found="nothing", wanted="??" + "x" * 498, holds="yes")
    assert skipped("a claim", found="a", why="because").verdict().holds == "skipped"
