import json

import attested
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.endorsements import collateral_from_json, collateral_to_json, read_endorsements
from attestation.simulator.platform import Conditions
from protocol.errors import AttestationError

GOOD = attested.platform().collateral(attested.NOW)
DAY = attested.timedelta(days=1)


def refuse(words, **fields):
    with pytest.raises(AttestationError) as caught:
        read_endorsements(GOOD.model_copy(update=fields))
    assert caught.value.code == "COLLATERAL_FORMAT"
    assert words in caught.value.detail


def change(name, **fields):
    return json.dumps({**json.loads(getattr(GOOD, name)), **fields})


def without(name, field):
    return json.dumps({key: value for key, value in json.loads(getattr(GOOD, name)).items() if key != field})


def test_every_item_is_read():
    found = read_endorsements(GOOD)
    assert (found.fmspc.hex(), found.pce_id.hex()) == ("5ea100000001", "0000")
    for item in (found.tcb_info, found.qe_identity, found.pck_crl, found.root_ca_crl):
        assert (item.issued, item.expires) == (attested.NOW, attested.NOW + 30 * DAY)
    assert found.expires == attested.NOW + 30 * DAY
    assert found.pck_crl.number == found.root_ca_crl.number == int(attested.NOW.timestamp())
    assert found.tcb_info.data == GOOD.tcb_info.encode()
    assert found.qe_identity.signature.hex() == GOOD.qe_identity_signature
    certificates = attested.keys().certificates
    assert found.tcb_info.signer == found.qe_identity.signer == certificates["tcb_signing"]
    assert found.crl_chain == tuple(certificates[n].public_bytes(Encoding.DER) for n in ("intermediate", "root"))


def test_the_first_to_run_out_counts():
    early = attested.platform(Conditions(crl_shift=-10 * DAY)).collateral(attested.NOW)
    assert read_endorsements(early).expires == attested.NOW + 20 * DAY


def test_json_of_the_library_and_back():
    assert collateral_from_json(collateral_to_json(GOOD)) == GOOD
    with pytest.raises(AttestationError) as caught:
        collateral_from_json(collateral_to_json(GOOD).replace("pck_crl_issuer", "pck_crl_issuers"))
    assert caught.value.code == "COLLATERAL_FORMAT"
    with pytest.raises(AttestationError, match="the whole"):
        collateral_from_json("[]")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        change("tcb_info", id="TDX"),
        change("tcb_info", version=2),
        change("tcb_info", issueDate="2026-11-24"),
        change("tcb_info", issueDate="2026-11-24T12:00:00+00:00"),
        change("tcb_info", nextUpdate=None),
        change("tcb_info", fmspc="5ea1"),
        change("tcb_info", pceId="00000"),
        change("tcb_info", tcbEvaluationDataNumber="20"),
        without("tcb_info", "pceId"),
        GOOD.tcb_info.replace('{"id"', '{"id":"SGX","id"'),
        GOOD.qe_identity,
    ],
)
def test_tcb_information_that_is_none(text):
    refuse("TCB information is not the JSON", tcb_info=text)


@pytest.mark.parametrize(
    "text", ["", change("qe_identity", id="TD_QE"), change("qe_identity", version=3), GOOD.tcb_info]
)
def test_a_qe_identity_that_is_none(text):
    refuse("QE identity is not the JSON", qe_identity=text)


@pytest.mark.parametrize("name", ["tcb_info", "qe_identity"])
def test_signatures_have_64_bytes(name):
    refuse("63 bytes long", **{f"{name}_signature": "00" * 63})
    refuse("65 bytes long", **{f"{name}_signature": "00" * 65})


@pytest.mark.parametrize("name", ["tcb_info", "qe_identity"])
def test_signing_chains_are_two_certificates(name):
    chain = getattr(GOOD, f"{name}_issuer_chain")
    one = chain[: chain.index("-----BEGIN", 5)]
    refuse("1 certificates long", **{f"{name}_issuer_chain": one})
    refuse("3 certificates long", **{f"{name}_issuer_chain": chain + one})
    refuse("not a plain sequence", **{f"{name}_issuer_chain": chain + "x"})
    refuse(
        "not an X.509", **{f"{name}_issuer_chain": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" * 2}
    )


def test_chains_may_lack_their_last_newline():
    bare = GOOD.pck_crl_issuer_chain.removesuffix("\n")
    assert read_endorsements(GOOD.model_copy(update={"pck_crl_issuer_chain": bare})) == read_endorsements(GOOD)


@pytest.mark.parametrize("chain", ["", "\n", "garbage", "é"])
def test_a_crl_chain_that_is_none(chain):
    refuse("PCK CRL issuer chain", pck_crl_issuer_chain=chain)


@pytest.mark.parametrize("name", ["pck_crl", "root_ca_crl"])
def test_crls_that_are_none(name):
    good = getattr(GOOD, name)
    refuse("not a certificate revocation list", **{name: "00"})
    refuse("not a certificate revocation list", **{name: good + "00"})
    refuse("not a certificate revocation list", **{name: good[:-2]})
    # authorityKeyIdentifier twice, and a version that there is not
    refuse("not a certificate revocation list", **{name: good.replace("0603551d14", "0603551d23", 1)})


def _content(der):
    """What is inside a DER sequence of 128 to 65,535 bytes."""
    return der[3:] if der[1] == 0x81 else der[4:]


def _sequence(content):
    size = bytes([0x81, len(content)]) if len(content) < 256 else b"\x82" + len(content).to_bytes(2, "big")
    return b"\x30" + size + content


def test_a_crl_says_when_the_next_one_comes():
    der = bytes.fromhex(GOOD.pck_crl)
    crl = x509.load_der_x509_crl(der)
    tbs = crl.tbs_certlist_bytes
    next_update = b"\x17\x0d" + crl.next_update_utc.strftime("%y%m%d%H%M%SZ").encode()
    assert tbs.count(next_update) == 1
    shorter = _sequence(_content(tbs).replace(next_update, b""))
    without_date = _sequence(shorter + _content(der)[len(tbs) :])
    assert x509.load_der_x509_crl(without_date).next_update_utc is None
    refuse("without a date of its next update", pck_crl=without_date.hex())


def test_numbers_of_crls_have_32_bits():
    last = 2**32 - 1 - int(attested.NOW.timestamp())
    for conditions, number in (
        (Conditions(crl_numbers=False), None),
        (Conditions(crl_number_shift=last), 2**32 - 1),
        (Conditions(crl_number_shift=last + 1), None),
    ):
        found = read_endorsements(attested.platform(conditions).collateral(attested.NOW))
        assert (found.pck_crl.number, found.root_ca_crl.number) == (number, number)
