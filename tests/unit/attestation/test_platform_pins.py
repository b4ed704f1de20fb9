"""Roots, families, platforms, dates and numbers that a policy pins: each is compared, and none passes by absence."""

from datetime import timedelta

import attested
import pytest
from attested import NOW, changed, with_collateral

from attestation.certificates import key_digest, load_certificate
from attestation.endorsements import read_endorsements
from attestation.policy import Masked
from attestation.quote import parse_quote
from attestation.reference import ReferenceValues
from attestation.simulator.platform import Conditions, QeLevel
from attestation.verifier import AppraisalRefused
from attestation.verifier import appraise as judge
from protocol.types import decode_base64

NUMBER = int(NOW.timestamp())


def appraise(conditions=None, *, made=None, seen=None, **tables):
    return judge(
        made or attested.evidence(conditions),
        policy=changed(**tables),
        roots=(attested.platform().root,),
        expected=attested.EXPECTED,
        at=NOW,
        reference=ReferenceValues(crls=seen or {}),
    )


def line(result, claim):
    return next((row.found, row.wanted, row.holds) for row in result.claims if row.claim == claim)


def pins(**fields):
    return {"platform": fields}


def test_roots():
    claim, digest = "hardware root among those listed", attested.platform().root.digest
    assert line(appraise(**pins(hardware_roots=("00" * 32, digest))), claim) == (
        digest,
        "one of 2 accepted by the policy",
        "yes",
    )
    for none in (("00" * 32,), ()):
        with attested.refused("ROOT_UNLISTED", claim):
            appraise(**pins(hardware_roots=none))


@pytest.mark.parametrize(
    ("key", "claim", "code"), [("ppids", "platform id", "PPID"), ("fmspcs", "family of processors", "FMSPC")]
)
def test_platforms_and_families(key, claim, code):
    found = line(appraise(), claim)[0]
    assert line(appraise(**pins(**{key: (found,)})), claim) == (found, "one of 1 accepted", "yes")
    other = found[:-1] + ("0" if found[-1] != "0" else "1")
    for none in ((other,), ()):
        with attested.refused(code, claim):
            appraise(**pins(**{key: none}))


def test_what_is_not_established_is_on_no_list():
    unreadable = with_collateral(tcb_info="{}")
    strict = pins(fmspcs=("",), minimum_tcb_date="2000-01-01T00:00:00Z")
    with pytest.raises(AppraisalRefused) as caught:
        appraise(made=unreadable, **strict)
    assert line(caught.value.result, "TCB date") == ("not established", "at least 2000-01-01T00:00:00Z", "no")
    for claim in ("family of processors", "TCB evaluation number", "quoting enclave's status"):
        assert line(caught.value.result, claim)[2] == "no"


def test_the_date_of_the_tcb_level():
    floor = pins(minimum_tcb_date="2026-01-01T00:00:00Z")
    assert line(appraise(**floor), "TCB date") == (
        "2026-01-01T00:00:00Z",
        "at least 2026-01-01T00:00:00Z",
        "yes",
    )
    with attested.refused("TCB_DATE", "TCB date"):
        appraise(Conditions(tcb_date="2025-12-31T23:59:59Z"), **floor)


@pytest.mark.parametrize(
    "date", ["2026-01-01", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00.5Z", "2026-02-30T00:00:00Z", "9", ""]
)
def test_a_date_in_another_format_is_refused(date):
    for floor in ("any", "2000-01-01T00:00:00Z"):
        with attested.refused("QUOTE_REFUSED"):
            appraise(Conditions(tcb_date=date), **pins(minimum_tcb_date=floor))


def test_advisories_of_the_quoting_enclave_count_too():
    with attested.refused("ADVISORY", "advisories"):
        appraise(Conditions(qe_advisories=("INTEL-SA-00615",)), **pins(advisories=()))
    assert appraise(Conditions(qe_advisories=("INTEL-SA-00615",)), **pins(advisories=("INTEL-SA-00615",)))


def test_an_old_quoting_enclave_is_refused():
    old = Conditions(qe_status="OutOfDate", older_qe_levels=(QeLevel(isv_svn=1, status="OutOfDate"),))
    with attested.refused("TCB_STATUS", "TCB status", "quoting enclave's status"):
        appraise(old)


@pytest.mark.parametrize(
    ("key", "name"), [("minimum_pck_crl_number", "PCK CRL"), ("minimum_root_crl_number", "root CRL")]
)
def test_floors_of_crl_numbers(key, name):
    claim = f"{name} number's floor"
    assert line(appraise(**pins(**{key: NUMBER})), claim) == (str(NUMBER), f"at least {NUMBER}", "yes")
    with attested.refused("CRL_ROLLBACK", claim):
        appraise(**pins(**{key: NUMBER + 1}))
    with pytest.raises(AppraisalRefused) as caught:
        appraise(Conditions(crl_numbers=False), **pins(**{key: 0}))
    assert caught.value.code == "CRL_NUMBER"
    assert line(caught.value.result, claim) == ("none", "at least 0", "no")


CRLS = ("PCK CRL", "root CRL")


def kept(conditions=None, names=CRLS, platform=attested.platform):
    """The revocation lists of a platform, as a custodian keeps them."""
    chain = parse_quote(decode_base64(attested.evidence().quote)).chain
    found = read_endorsements(platform(conditions).collateral(NOW))
    issuers = {"PCK CRL": chain.intermediate, "root CRL": chain.root}
    lists = {"PCK CRL": found.pck_crl, "root CRL": found.root_ca_crl}
    return {key_digest(load_certificate(issuers[name])): lists[name] for name in names}


@pytest.mark.parametrize("name", CRLS)
def test_a_crl_number_that_goes_back(name):
    claim = f"{name} number's floor"
    assert line(appraise(seen=kept(names=[name])), claim) == (str(NUMBER), f"at least {NUMBER}", "yes")
    for number in (NUMBER + 1, 2**32 - 1):
        with attested.refused("CRL_ROLLBACK", claim):
            appraise(seen=kept(Conditions(crl_number=number), [name]))
    one_higher = kept(Conditions(crl_number_shift=1), [name])
    with attested.refused("CRL_ROLLBACK", claim):  # the higher of both bounds counts
        appraise(seen=one_higher, **pins(minimum_pck_crl_number=1, minimum_root_crl_number=1))
    assert line(appraise(seen=dict.fromkeys(["00" * 32], *one_higher.values())), claim)[2] == "skipped"


@pytest.mark.parametrize("days", [-29, 0])
@pytest.mark.parametrize(
    ("revoking", "name", "found"),
    [
        ({"revoked": True}, "PCK CRL", "SGX PCK Certificate"),
        ({"revoked_by_root": ("intermediate",)}, "root CRL", "SGX PCK Platform CA"),
        ({"revoked_by_root": ("tcb_signing",)}, "root CRL", "SGX TCB Signing"),
    ],
)
def test_whom_a_kept_crl_names_is_revoked_whatever_list_of_the_same_number_comes(revoking, name, found, days):
    seen = kept(Conditions(crl_number=1, **revoking))
    before = Conditions(crl_number=1, crl_shift=timedelta(days=days))
    with attested.refused("REVOKED", "revocation"):
        appraise(before, seen=seen)
    with pytest.raises(AppraisalRefused) as refusal:
        appraise(before, seen=seen)
    words = line(refusal.value.result, "revocation")[0]
    assert found in words and words.endswith(f" by the kept {name} of 2026-11-24T12:00:00Z")
    other = next(crl for crl in CRLS if crl != name)
    assert line(appraise(before, seen=kept(Conditions(crl_number=1, **revoking), [other])), "revocation")[2] == "yes"


def test_older_crls_of_the_same_number_are_accepted_where_the_kept_ones_name_nobody():
    result = appraise(Conditions(crl_number=1, crl_shift=timedelta(days=-29)), seen=kept(Conditions(crl_number=1)))
    assert [line(result, f"kept {name} signature")[2] for name in CRLS] == ["yes", "yes"]


@pytest.mark.parametrize("name", CRLS)
def test_a_kept_crl_that_its_issuer_did_not_sign_accepts_nothing(name):
    with attested.refused("CRL_SIGNATURE", f"kept {name} signature"):
        appraise(seen=kept(names=[name], platform=attested.other_platform))


@pytest.mark.parametrize(
    ("tables", "claim"),
    [
        ({"enclave": {"xfrm": Masked(mask="0x0", value="0x0")}}, "extended features"),
        ({"enclave": {"miscselect": Masked(mask="0x0", value="0x0")}}, "miscellaneous select"),
        ({"enclave": {"minimum_isv_svn": 0}}, "security version"),
        (pins(minimum_tcb_evaluation=0), "TCB evaluation number"),
        (pins(minimum_qe_evaluation=0), "QE evaluation number"),
    ],
)
def test_what_looks_at_nothing_shows_as_skipped(tables, claim):
    assert line(appraise(**tables), claim)[1:] == ("left out by the policy", "skipped")
