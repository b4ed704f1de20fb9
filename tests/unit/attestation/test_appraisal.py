"""Each claim of an appraisal: good evidence holds in all, and each forgery fails in exactly the claims it touches."""

from dataclasses import replace

import attested
import pytest
from attested import DAY, appraise, changed, evidence, refused, with_collateral, with_quote

from attestation.roots import INTEL_ROOT
from attestation.simulator import pki
from attestation.simulator.platform import Conditions, EnclaveShape, Platform
from attestation.verifier import AppraisalRefused
from protocol.documents import CustodianNonce
from protocol.errors import AttestationError
from protocol.types import encode_base64, format_time

UNESTABLISHED = (
    "verification library",
    "TCB information's platform",
    "TCB status",
    "quoting enclave's status",
    "TCB evaluation number",
    "QE evaluation number",
)
"""What fails whenever dcap-qvl refuses."""


def shape(**fields):
    return Conditions(enclave=EnclaveShape(**fields))


def test_good_evidence_is_accepted_and_every_claim_is_told():
    result = appraise()
    assert result.simulated
    assert result.root == attested.platform().root.digest
    assert result.measurement == attested.MEASUREMENT
    assert (result.tcb_status, result.advisories) == ("UpToDate", ())
    assert result.collateral_expires == format_time(attested.NOW + 30 * DAY)
    assert result.verified_at == format_time(attested.NOW)
    assert [line.claim for line in result.claims if line.holds == "skipped"] == [
        "hardware root among those listed",
        "PCK CRL number's floor",
        "root CRL number's floor",
        "security version",
        "TCB date",
        "advisories",
        "family of processors",
        "platform id",
        "SMT",
        "dynamic platform",
        "cached keys",
        "measurement among those pinned",
        "measurement rebuilt",
        "withdrawals",
    ]
    assert {line.holds for line in result.claims} == {"yes", "skipped"}
    names = [line.claim for line in result.claims]
    assert len(set(names)) == len(names)
    assert len(names) == 62
    platform = next(line for line in result.claims if line.claim == "platform")
    assert platform.found == "SIMULATED"


@pytest.mark.parametrize(
    ("conditions", "code", "claims"),
    [
        (shape(flags=0x04), "ATTRIBUTES", ("attribute INIT", "attributes")),
        (shape(flags=0x01), "ATTRIBUTES", ("attribute MODE64", "attributes")),
        (shape(flags=0x15), "ATTRIBUTES", ("attribute PROVISION_KEY", "attributes")),
        (shape(flags=0x25), "ATTRIBUTES", ("attribute EINITTOKEN_KEY", "attributes")),
        (shape(flags=0x45), "ATTRIBUTES", ("attributes",)),
        (shape(xfrm=0x201E7), "XFRM", ("extended features",)),
        (shape(xfrm=0x1), "XFRM", ("extended features",)),
        (shape(miscselect=1), "MISCSELECT", ("miscellaneous select",)),
        (shape(isv_prod_id=1), "ISV_PROD_ID", ("product id",)),
        (shape(config_id=b"\1" + bytes(63)), "CONFIG_ID", ("configuration id",)),
        (shape(config_svn=1), "CONFIG_SVN", ("configuration version",)),
        (shape(isv_ext_prod_id=b"\1" + bytes(15)), "ISV_EXT_PROD_ID", ("extended product id",)),
        (shape(isv_family_id=b"\1" + bytes(15)), "ISV_FAMILY_ID", ("family id",)),
        (Conditions(qe_status="OutOfDate"), "TCB_STATUS", ("TCB status", "quoting enclave's status")),
        (Conditions(tcb_status="OutOfDate"), "TCB_STATUS", ("TCB status",)),
        (Conditions(tcb_status="ConfigurationNeeded"), "TCB_STATUS", ("TCB status",)),
        (Conditions(tcb_evaluation=16), "TCB_EVALUATION", ("TCB evaluation number",)),
        (Conditions(qe_evaluation=16), "QE_EVALUATION", ("QE evaluation number",)),
    ],
)
def test_what_the_policy_refuses(conditions, code, claims):
    with refused(code, *claims):
        appraise(conditions)


@pytest.mark.parametrize("flags", [0x07, 0x87])
def test_a_debug_enclave_is_refused(flags):
    with refused("DEBUG", "attribute DEBUG", "attributes", *UNESTABLISHED):
        appraise(shape(flags=flags))


def test_the_bits_that_the_policy_leaves_free():
    for enclave in (EnclaveShape(flags=0x485), EnclaveShape(xfrm=0x7), EnclaveShape(isv_svn=3)):
        assert appraise(Conditions(enclave=enclave)).measurement == attested.MEASUREMENT


def test_a_minimum_security_version():
    policy = changed(enclave={"minimum_isv_svn": 3})
    assert appraise(shape(isv_svn=3), policy=policy)
    with refused("ISV_SVN", "security version"):
        appraise(shape(isv_svn=2), policy=policy)


def test_accepted_statuses_are_those_of_the_policy():
    accepted = appraise(Conditions(tcb_status="SWHardeningNeeded"))
    assert accepted.tcb_status == "SWHardeningNeeded"
    with refused("TCB_STATUS", "TCB status"):
        appraise(Conditions(tcb_status="SWHardeningNeeded"), policy=attested.policy().narrowed(["UpToDate"]))
    with refused("TCB_STATUS", "TCB status"):
        appraise(policy=attested.policy().narrowed([]))


@pytest.mark.parametrize("conditions", [Conditions(tcb_status="Revoked"), Conditions(qe_status="Revoked")])
def test_a_revoked_tcb_is_refused(conditions):
    with refused("TCB_STATUS", *UNESTABLISHED):
        appraise(conditions)


def test_advisories_are_accepted_one_by_one():
    advised = Conditions(advisories=("INTEL-SA-00289", "INTEL-SA-00615"))
    assert appraise(advised).advisories == ("INTEL-SA-00289", "INTEL-SA-00615")
    both = changed(platform={"advisories": ("INTEL-SA-00615", "INTEL-SA-00289", "INTEL-SA-00001")})
    assert "skipped" not in {line.holds for line in appraise(advised, policy=both).claims if line.claim == "advisories"}
    with refused("ADVISORY", "advisories"):
        appraise(advised, policy=changed(platform={"advisories": ("INTEL-SA-00289",)}))
    none = changed(platform={"advisories": ()})
    assert appraise(policy=none).advisories == ()
    with refused("ADVISORY", "advisories"):
        appraise(advised, policy=none)


def test_words_that_are_no_advisories_are_not_passed_on():
    with refused("QUOTE_REFUSED", *UNESTABLISHED):
        appraise(Conditions(advisories=("INTEL-SA-00289", "look: \u202eevil")))


def test_more_advisories_than_a_verdict_names_are_refused():
    names = tuple(f"INTEL-SA-{number:05}" for number in range(201))
    accepting = changed(platform={"advisories": "any"})
    assert appraise(Conditions(advisories=names[:200]), policy=accepting).advisories == names[:200]
    with refused("QUOTE_REFUSED", *UNESTABLISHED):
        appraise(Conditions(advisories=names), policy=accepting)


ALL_FLAGS = pki.Processor(dynamic_platform=True, cached_keys=True, smt=True)


@pytest.mark.parametrize("flag", ["smt", "dynamic_platform", "cached_keys"])
def test_platform_flags(flag):
    policy = changed(platform={flag: "off"})
    assert appraise(policy=policy)
    flagged = rechained({"pck": issue("pck", LEAF, "intermediate", processor=ALL_FLAGS)})
    assert appraise(flagged)
    claim = {"smt": "SMT", "dynamic_platform": "dynamic platform", "cached_keys": "cached keys"}[flag]
    with refused("PLATFORM_FLAG", claim):
        appraise(flagged, policy=policy)


def test_a_policy_may_want_another_vendor():
    with refused("QE_VENDOR", "quoting enclave's vendor"):
        appraise(policy=changed(platform={"qe_vendor_id": "00" * 16}))
    with refused("QE_VENDOR", "quoting enclave's vendor", *UNESTABLISHED):
        appraise(Conditions(qe_vendor_id=bytes(16)))


# Roots and simulation


def test_nothing_simulated_is_accepted_where_simulation_is_not_allowed():
    with refused("SIMULATED", "platform", "hardware root among those listed"):
        appraise(policy=attested.policy("appraisal.toml"))
    with refused("SIMULATED", "platform"):
        appraise(policy=attested.policy().model_copy(update={"simulation": False}))


@pytest.mark.parametrize("roots", [(), (INTEL_ROOT,), (attested.other_platform().root,)])
def test_a_root_that_is_not_pinned(roots):
    with refused("ROOT_UNKNOWN", "hardware root", *UNESTABLISHED):
        appraise(roots=roots)


def test_the_right_one_of_several_roots_is_used():
    roots = (INTEL_ROOT, attested.other_platform().root, attested.platform().root)
    assert appraise(roots=roots).root == attested.platform().root.digest


# Measurement and session


@pytest.mark.parametrize(
    ("fields", "code", "claim"),
    [
        ({"measurement": "ac" * 32}, "MEASUREMENT", "measurement"),
        ({"contract": "de" * 32}, "OTHER_CONTRACT", "contract"),
        ({"run": "cd" * 16}, "OTHER_RUN", "run"),
        ({"profile": "genomics"}, "PROFILE", "profile"),
    ],
)
def test_evidence_about_something_else(fields, code, claim):
    with refused(code, claim):
        appraise(expected=replace(attested.EXPECTED, **fields))


def nonce(custodian, value):
    return CustodianNonce(custodian=custodian * 32, nonce=value * 32)


@pytest.mark.parametrize(
    "wanted",
    [
        (),
        (nonce("aa", "bc"),),  # stale: the custodian gave another since
        (nonce("a2", "bb"),),  # foreign: of another custodian
        (attested.NONCE, nonce("a2", "b2")),  # one is missing
    ],
)
def test_nonces_that_are_not_in_the_claims(wanted):
    with refused("NONCE", "nonces"):
        appraise(expected=replace(attested.EXPECTED, nonces=wanted))


def test_a_custodian_may_have_one_nonce_only():
    made = attested.claims(nonces=(attested.NONCE, nonce("aa", "bc")))
    with refused("NONCE", "nonces"):
        appraise(evidence(made=made))


def test_all_nonces_or_none():
    both = replace(attested.EXPECTED, nonces=(attested.OTHER_NONCE, attested.NONCE))
    assert appraise(expected=both)
    unknown = appraise(expected=replace(attested.EXPECTED, nonces=None))
    assert [line.wanted for line in unknown.claims if line.claim == "nonces"] == ["not known here"]
    assert unknown.claims[-1].holds == "skipped"


@pytest.mark.parametrize(
    "fields",
    [
        {"signing": "ef" * 32},
        {"encryption": encode_base64(b"another key")},
        {"run": "cd" * 16},
        {"contract": "de" * 32},
    ],
)
def test_claims_that_the_quote_does_not_carry(fields):
    other = attested.claims(**fields)
    expected = replace(attested.EXPECTED, run=other.run, contract=other.contract)
    with refused("REPORT_DATA", "claims in the quote"):
        appraise(evidence().model_copy(update={"claims": other}), expected=expected)


def test_the_first_of_several_failures_is_raised_and_the_rest_are_counted():
    expected = replace(attested.EXPECTED, measurement="00" * 32, profile="other", run="00" * 16)
    with refused("MEASUREMENT", "measurement", "run", "profile", words="2 more of 62"):
        appraise(expected=expected)


# Signatures


def flip(at):
    def change(quote):
        altered = bytearray(quote)
        altered[at] ^= 1
        return bytes(altered)

    return change


SIGNATURE, POINT, QE_REPORT, QE_SIGNATURE, AUTHENTICATION = 436, 500, 564, 948, 1014


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (30, "QUOTE_SIGNATURE"),  # user data
        (48, "QUOTE_SIGNATURE"),  # CPUSVN
        (48 + 64, "QUOTE_SIGNATURE"),  # measurement
        (48 + 320, "QUOTE_SIGNATURE"),  # report data
        (SIGNATURE, "QUOTE_SIGNATURE"),
        (SIGNATURE + 63, "QUOTE_SIGNATURE"),
        (POINT, "QE_BINDING"),
        (AUTHENTICATION, "QE_BINDING"),
        (QE_REPORT, "QE_SIGNATURE"),
        (QE_REPORT + 320, "QE_SIGNATURE"),
        (QE_SIGNATURE, "QE_SIGNATURE"),
    ],
)
def test_an_altered_quote_is_refused(at, code):
    with refused(code):
        appraise(with_quote(flip(at)))


def test_the_other_form_of_a_signature_is_the_same_evidence():
    """(r, n - s) verifies too, so nothing may be keyed on the bytes of a quote: the name of evidence is its claims'."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

    def other_form(quote):
        s = int.from_bytes(quote[SIGNATURE + 32 : SIGNATURE + 64], "big")
        return quote[: SIGNATURE + 32] + (order - s).to_bytes(32, "big") + quote[SIGNATURE + 64 :]

    twin = with_quote(other_form)
    assert twin.quote != evidence().quote
    assert twin.claims.digest == evidence().claims.digest
    assert appraise(twin)


def test_a_quote_of_another_platform_under_our_chain_is_refused():
    other = attested.other_platform()
    theirs = other.quote(attested.MEASUREMENT, attested.claims().report_data)

    def graft(quote):
        end = AUTHENTICATION + 32
        return theirs[:432] + quote[432:436] + theirs[436:end] + quote[end:]

    with refused("QE_SIGNATURE"):
        appraise(with_quote(graft))


# The chain in the quote


def rechained(certificates):
    keys = attested.keys()
    made = pki.PlatformKeys(keys.keys, {**keys.certificates, **certificates})
    return attested.evidence_of(Platform(made))


def issue(name, common_name, signer, days=(-1, 100), **flags):
    keys = attested.keys()
    span = tuple(attested.NOW + day * DAY for day in days)
    return pki._issue(name, common_name, keys.keys, keys.certificates[signer], span, **flags)


LEAF, CA = "SIMULATED SEALROOM SGX PCK Certificate", "SIMULATED SEALROOM SGX PCK Platform CA"


def test_a_chain_made_anew_under_the_same_root_is_good():
    made = {"pck": issue("pck", LEAF, "intermediate"), "intermediate": issue("intermediate", CA, "root")}
    assert appraise(rechained(made))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: {"pck": attested.other_keys().certificates["pck"]}, "the next one did not issue"),
        (lambda: {"intermediate": attested.other_keys().certificates["intermediate"]}, "the next one did not issue"),
        (lambda: {"pck": issue("pck", "SGX TCB Signing", "intermediate")}, "SGX TCB Signing under"),
        (
            lambda: {
                "intermediate": issue("intermediate", "Some CA", "root"),
                "pck": pki._issue(
                    "pck",
                    LEAF,
                    attested.keys().keys,
                    issue("intermediate", "Some CA", "root"),
                    (attested.NOW, attested.NOW + DAY),
                ),
            },
            "under Some CA",
        ),
        (lambda: {"pck": issue("pck", LEAF, "intermediate", (-9, -1))}, "out of date"),
        (lambda: {"pck": issue("pck", LEAF, "intermediate", (1, 9))}, "out of date"),
        (lambda: {"intermediate": issue("intermediate", CA, "root", (-9, -1))}, "out of date"),
    ],
)
def test_a_chain_that_is_not_right(made, words):
    with refused("PCK_CHAIN", words=words):
        appraise(rechained(made()))


def test_a_certificate_that_cannot_be_read():
    def garble(quote):
        at = quote.index(b"-----BEGIN CERTIFICATE-----\n") + 28
        return quote[:at] + b"A" * 64 + quote[at + 64 :]

    with refused("PCK_CHAIN", words="cannot be read"):
        appraise(with_quote(garble))


# What cannot be parsed, or judged


def test_a_quote_that_does_not_parse_has_no_result():
    with pytest.raises(AttestationError) as caught:
        appraise(with_quote(lambda quote: quote + b"\0"))
    assert caught.value.code == "QUOTE_LENGTH"
    assert isinstance(caught.value, AppraisalRefused)
    assert caught.value.result is None


def test_collateral_that_cannot_be_read():
    with refused("COLLATERAL_FORMAT", "collateral", *UNESTABLISHED):
        appraise(with_collateral(tcb_info="{}"))
    with pytest.raises(AppraisalRefused) as caught:
        appraise(with_collateral(tcb_info="{}"))
    assert caught.value.result.tcb_status == "not established"
    assert caught.value.result.collateral_expires == format_time(attested.NOW)


def test_flags_that_were_not_established_do_not_hold():
    strict = changed(platform={"smt": "off", "advisories": ()})
    failing = list(UNESTABLISHED)
    failing[3:3] = ["advisories"]
    with refused("COLLATERAL_FORMAT", "collateral", *failing, "SMT"):
        appraise(with_collateral(tcb_info="{}"), policy=strict)


def test_a_time_before_1970():
    with refused("ROOT_EXPIRED"):
        appraise(at=attested.datetime(1969, 1, 1, tzinfo=attested.UTC))


def test_what_evidence_says_of_itself_is_shown_as_plain_text():
    keys = attested.keys()
    leaf = issue("pck", "\u202eSGX TCB Signing" + "x" * 40, "intermediate")
    made = pki.PlatformKeys(keys.keys, {**keys.certificates, "pck": leaf})
    with pytest.raises(AppraisalRefused) as caught:
        appraise(attested.evidence_of(Platform(made)))
    assert "?SGX TCB Signing" in caught.value.detail
    assert all(" " <= character <= "~" for line in caught.value.result.claims for character in line.found)
