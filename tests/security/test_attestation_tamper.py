"""The tamper matrix of attestation: what is altered or swapped, and the code that refuses it.

Quotes by region of their layout (Intel SGX ECDSA QuoteLibReference, appendix A.4), as they are and signed anew; each
field and signature of the collateral, likewise; each part from another platform and another time. Every table says
exactly which codes are met: one more or one less fails. Random bits are in ``tests/property``.
"""

import base64
import json
from datetime import timedelta

import attested
import pytest
from attested import DAY, NOW
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.endorsements import collateral_from_json
from attestation.quote import parse_quote, split_chain
from attestation.simulator.pki import PlatformKeys, Processor, certify_anew
from attestation.simulator.platform import Conditions
from attestation.verifier import AppraisalRefused
from protocol.errors import AttestationError
from protocol.types import decode_base64, encode_base64

GOOD = attested.evidence()
QUOTE = decode_base64(GOOD.quote)
THEIRS = attested.evidence_of(attested.other_platform())
CHAIN = QUOTE.index(b"-----BEGIN")
CERTIFICATES = [CHAIN]
while (following := QUOTE.find(b"-----BEGIN", CERTIFICATES[-1] + 1)) > 0:
    CERTIFICATES.append(following)


def verdict(evidence):
    """The code of the refusal, or "accepted"."""
    try:
        attested.appraise(evidence)
    except AppraisalRefused as refusal:
        return refusal.code
    return "accepted"


def quoted(quote):
    return verdict(GOOD.model_copy(update={"quote": encode_base64(bytes(quote))}))


def collated(**fields):
    """The code for collateral with fields replaced, read from JSON as whatever comes from a network is."""
    try:
        collateral = collateral_from_json(json.dumps({**GOOD.collateral.model_dump(mode="json"), **fields}))
    except AttestationError as refusal:
        return refusal.code
    return verdict(GOOD.model_copy(update={"collateral": collateral}))


def flipped(data, at, bit=1):
    altered = bytearray(data)
    altered[at] ^= bit
    return bytes(altered)


def signed(key, data):
    r, s = decode_dss_signature(attested.keys().keys[key].sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


# The quote, region by region. Columns: region, first byte, end, codes where a bit is flipped.

REPORT = (
    ("cpu svn", 0, 16),
    ("miscselect", 16, 20),
    ("reserved 1", 20, 32),
    ("isv ext prod id", 32, 48),
    ("attribute flags", 48, 56),
    ("xfrm", 56, 64),
    ("mrenclave", 64, 96),
    ("reserved 2", 96, 128),
    ("mrsigner", 128, 160),
    ("reserved 3", 160, 192),
    ("config id", 192, 256),
    ("isv prod id", 256, 258),
    ("isv svn", 258, 260),
    ("config svn", 260, 262),
    ("reserved 4", 262, 304),
    ("isv family id", 304, 320),
    ("report data", 320, 384),
)
QE_AT = 564
REGIONS = [
    ("version", 0, 2, {"QUOTE_VERSION"}),
    ("attestation key type", 2, 4, {"QUOTE_KEY_TYPE"}),
    ("tee type", 4, 8, {"QUOTE_TEE"}),
    ("qe svn", 8, 10, {"QUOTE_SIGNATURE"}),
    ("pce svn", 10, 12, {"QUOTE_SIGNATURE"}),
    ("qe vendor id", 12, 28, {"QUOTE_SIGNATURE"}),
    ("user data", 28, 48, {"QUOTE_SIGNATURE"}),
    *(
        (f"report: {name}", 48 + start, 48 + end, {"QUOTE_RESERVED" if "reserved" in name else "QUOTE_SIGNATURE"})
        for name, start, end in REPORT
    ),
    ("length of the signature data", 432, 436, {"QUOTE_LENGTH"}),
    ("signature", 436, 500, {"QUOTE_SIGNATURE"}),
    ("attestation key", 500, 564, {"QE_BINDING"}),
    *(
        (f"qe report: {name}", QE_AT + start, QE_AT + end, {"QUOTE_RESERVED" if "reserved" in name else "QE_SIGNATURE"})
        for name, start, end in REPORT
    ),
    ("qe report signature", 948, 1012, {"QE_SIGNATURE"}),
    ("length of the authentication data", 1012, 1014, {"QUOTE_LENGTH", "QUOTE_CERTIFICATION"}),
    ("authentication data", 1014, 1046, {"QE_BINDING"}),
    ("certification data type", 1046, 1048, {"QUOTE_CERTIFICATION"}),
    ("length of the certification data", 1048, 1052, {"QUOTE_LENGTH"}),
]


def test_the_regions_cover_every_byte_before_the_certificates():
    assert [start for _, start, _, _ in REGIONS] == [0, *(end for _, _, end, _ in REGIONS[:-1])]
    assert REGIONS[-1][2] == CHAIN
    assert len(CERTIFICATES) == 3


@pytest.mark.parametrize(("name", "start", "end", "codes"), REGIONS, ids=[region[0] for region in REGIONS])
def test_no_byte_of_a_region_may_change(name, start, end, codes):
    assert {quoted(flipped(QUOTE, at, bit)) for at in range(start, end) for bit in (0x01, 0x80)} == codes


@pytest.mark.parametrize("region", REGIONS, ids=[region[0] for region in REGIONS])
def test_no_region_may_be_blank_or_left_out(region):
    _, start, end, _ = region
    blank = QUOTE[:start] + bytes(end - start) + QUOTE[end:]
    assert blank == QUOTE or quoted(blank) != "accepted"
    assert quoted(QUOTE[:start] + QUOTE[end:]).startswith("QUOTE_")


@pytest.mark.parametrize(
    ("position", "codes"),
    [
        (0, {"QUOTE_CHAIN", "PCK_CHAIN"}),
        (1, {"QUOTE_CHAIN", "PCK_CHAIN"}),
        (2, {"QUOTE_CHAIN", "ROOT_UNKNOWN"}),
    ],
)
def test_no_byte_of_a_certificate_in_the_quote_may_change(position, codes):
    end = [*CERTIFICATES, len(QUOTE) - 1][position + 1]
    assert {quoted(flipped(QUOTE, at)) for at in range(CERTIFICATES[position], end, 3)} == codes


def test_the_nul_after_the_chain_may_be_nothing_else():
    assert QUOTE[-1] == 0
    assert quoted(flipped(QUOTE, len(QUOTE) - 1)) == "QUOTE_CHAIN"


# A quoting enclave that signs whatever it is given: what the signature does not catch, the appraisal does.


def resigned(at, bit):
    body = flipped(QUOTE[:432], at, bit)
    return body + QUOTE[432:436] + signed("attestation", body) + QUOTE[500:]


@pytest.mark.parametrize(
    ("at", "bit", "code"),
    [
        (12, 1, "QE_VENDOR"),
        (48 + 16, 1, "MISCSELECT"),
        (48 + 32, 1, "ISV_EXT_PROD_ID"),
        (48 + 48, 0x01, "ATTRIBUTES"),
        (48 + 48, 0x02, "DEBUG"),
        (48 + 48, 0x04, "ATTRIBUTES"),
        (48 + 48, 0x10, "ATTRIBUTES"),
        (48 + 48, 0x20, "ATTRIBUTES"),
        (48 + 55, 0x80, "ATTRIBUTES"),
        (48 + 56, 0x01, "XFRM"),
        (48 + 64, 1, "MEASUREMENT"),
        (48 + 95, 0x80, "MEASUREMENT"),
        (48 + 192, 1, "CONFIG_ID"),
        (48 + 256, 1, "ISV_PROD_ID"),
        (48 + 260, 1, "CONFIG_SVN"),
        (48 + 304, 1, "ISV_FAMILY_ID"),
        (48 + 320, 1, "REPORT_DATA"),
        (48 + 383, 0x80, "REPORT_DATA"),
    ],
)
def test_a_field_that_the_quoting_enclave_signed_anew(at, bit, code):
    assert quoted(resigned(at, bit)) == code


@pytest.mark.parametrize("at", [8, 10, 28, 48, 48 + 128])
def test_fields_that_decide_nothing_may_be_signed_anew(at):
    """QE SVN and PCE SVN of the header, user data, CPU SVN and signer of the report.

    The platform's TCB is read from its certificate, the enclave is told by its exact measurement.
    """
    assert quoted(resigned(at, 1)) == "accepted"


@pytest.mark.parametrize(
    ("offset", "code"),
    [(16, "QE_IDENTITY"), (48, "QE_IDENTITY"), (128, "QE_IDENTITY"), (256, "QE_IDENTITY"), (320, "QE_BINDING")],
)
def test_a_field_of_the_quoting_enclave_that_the_platform_signed_anew(offset, code):
    qe = flipped(QUOTE[QE_AT:948], offset, 2 if offset == 48 else 1)
    assert quoted(QUOTE[:QE_AT] + qe + signed("pck", qe) + QUOTE[1012:]) == code


# Parts of another quote


def part(start, end, source):
    return QUOTE[:start] + source[start:end] + QUOTE[end:]


OTHER_RUN = attested.platform().quote(attested.MEASUREMENT, bytes(64))
ELSEWHERE = decode_base64(THEIRS.quote)


@pytest.mark.parametrize(
    ("what", "start", "end", "source", "code"),
    [
        ("the report of another run", 48, 432, OTHER_RUN, "QUOTE_SIGNATURE"),
        ("the signature of another run", 436, 500, OTHER_RUN, "QUOTE_SIGNATURE"),
        ("report and signature of another run", 0, 500, OTHER_RUN, "REPORT_DATA"),
        ("the signature of another platform", 436, 500, ELSEWHERE, "QUOTE_SIGNATURE"),
        ("the attestation key of another platform", 500, 564, ELSEWHERE, "QE_BINDING"),
        ("key and signature of another platform", 436, 564, ELSEWHERE, "QE_BINDING"),
        ("the QE report of another platform", 564, 948, ELSEWHERE, "QE_SIGNATURE"),
        ("the QE signature of another platform", 948, 1012, ELSEWHERE, "QE_SIGNATURE"),
        ("QE report and signature of another platform", 564, 1012, ELSEWHERE, "QE_SIGNATURE"),
        ("all signatures and keys of another platform", 436, 1046, ELSEWHERE, "QE_SIGNATURE"),
    ],
)
def test_parts_of_another_quote(what, start, end, source, code):
    assert quoted(part(start, end, source)) == code


def pem(der):
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def rechained(*certificates):
    chain = "".join(map(pem, certificates)).encode() + b"\0"
    inside = QUOTE[436:1048] + len(chain).to_bytes(4, "little") + chain
    return QUOTE[:432] + len(inside).to_bytes(4, "little") + inside


OURS, OTHERS = parse_quote(QUOTE).chain, parse_quote(ELSEWHERE).chain


@pytest.mark.parametrize(
    ("what", "chain", "code"),
    [
        ("the same", (OURS.leaf, OURS.intermediate, OURS.root), "accepted"),
        ("another leaf", (OTHERS.leaf, OURS.intermediate, OURS.root), "PCK_CHAIN"),
        ("another CA", (OURS.leaf, OTHERS.intermediate, OURS.root), "PCK_CHAIN"),
        ("another root", (OURS.leaf, OURS.intermediate, OTHERS.root), "ROOT_UNKNOWN"),
        ("another leaf and CA", (OTHERS.leaf, OTHERS.intermediate, OURS.root), "PCK_CHAIN"),
        ("another chain", (OTHERS.leaf, OTHERS.intermediate, OTHERS.root), "ROOT_UNKNOWN"),
        ("backwards", (OURS.root, OURS.intermediate, OURS.leaf), "ROOT_UNKNOWN"),
        ("the CA twice", (OURS.intermediate, OURS.intermediate, OURS.root), "PCK_CHAIN"),
        ("no leaf", (OURS.intermediate, OURS.root), "QUOTE_CHAIN"),
        ("no root", (OURS.leaf, OURS.intermediate), "QUOTE_CHAIN"),
        ("one more", (OURS.leaf, OURS.leaf, OURS.intermediate, OURS.root), "QUOTE_CHAIN"),
        ("the leaf of another platform under the same CA", "anew", "QE_SIGNATURE"),
    ],
)
def test_chains_of_other_certificates(what, chain, code):
    if chain == "anew":  # certified under the same root, for a key that never signed this quoting enclave's report
        keys = attested.keys()
        mixed = PlatformKeys({**keys.keys, "pck": attested.other_keys().keys["pck"]}, keys.certificates)
        leaf = certify_anew(mixed, processor=Processor(smt=True)).certificates["pck"]
        chain = (leaf.public_bytes(Encoding.DER), OURS.intermediate, OURS.root)
    assert quoted(rechained(*chain)) == code


# The collateral: signed JSON


def leaves(value, path=()):
    """The path of every value in JSON, tables and lists included."""
    yield path
    for step, below in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from leaves(below, (*path, step))


def changed(document, path, change):
    """The document's text with the value at ``path`` replaced by ``change`` of it; None drops it."""
    copy = json.loads(json.dumps(document))
    *steps, last = path
    holder = copy
    for step in steps:
        holder = holder[step]
    new = change(holder[last])
    if new is None:
        del holder[last]
    else:
        holder[last] = new
    return json.dumps(copy, separators=(",", ":"))


def other(value):
    match value:
        case int():
            return value + 1
        case str():
            return value[:-1] + ("0" if value[-1] != "0" else "1")
        case list():
            return [*value, value[0]]
        case dict():
            return {**value, "more": 1}


TCB_INFO, QE_IDENTITY = json.loads(GOOD.collateral.tcb_info), json.loads(GOOD.collateral.qe_identity)
ITEMS = [("tcb_info", TCB_INFO), ("qe_identity", QE_IDENTITY)]
FIELDS = [(item, path) for item, document in ITEMS for path in leaves(document) if path]


@pytest.mark.parametrize("change", [other, lambda value: None], ids=["changed", "dropped"])
@pytest.mark.parametrize(("item", "path"), FIELDS, ids=[f"{item}:{'.'.join(map(str, path))}" for item, path in FIELDS])
def test_no_field_of_signed_json_may_change(item, path, change):
    text = changed(dict(ITEMS)[item], path, change)
    assert collated(**{item: text}) in {"COLLATERAL_SIGNATURE", "COLLATERAL_FORMAT"}


@pytest.mark.parametrize("item", ["tcb_info", "qe_identity"])
def test_no_space_key_or_order_of_signed_json_may_change(item):
    document = dict(ITEMS)[item]
    for text in (json.dumps(document), json.dumps({**document, "more": 1}, separators=(",", ":"))):
        assert collated(**{item: text}) == "COLLATERAL_SIGNATURE"
    backwards = dict(reversed(document.items()))
    assert collated(**{item: json.dumps(backwards, separators=(",", ":"))}) == "COLLATERAL_SIGNATURE"
    twice = getattr(GOOD.collateral, item).replace('{"id"', '{"id":"SGX","id"', 1)
    assert collated(**{item: twice}) == "COLLATERAL_FORMAT"


def resign(item, path, value):
    """Collateral of which the signer itself changed a field."""
    text = changed(dict(ITEMS)[item], path, lambda _: value)
    return {item: text, f"{item}_signature": signed("tcb_signing", text.encode()).hex()}


LEVEL = ("tcbLevels", 0)
HIGH = [{"svn": 255}] * 16


@pytest.mark.parametrize(
    ("item", "path", "value", "code"),
    [
        ("tcb_info", ("id",), "TDX", "COLLATERAL_FORMAT"),
        ("tcb_info", ("version",), 2, "COLLATERAL_FORMAT"),
        ("tcb_info", ("issueDate",), "2026-11-25T12:00:00Z", "COLLATERAL_FUTURE"),
        ("tcb_info", ("issueDate",), "2026-10-01T12:00:00Z", "COLLATERAL_AGE"),
        ("tcb_info", ("nextUpdate",), "2026-11-24T12:00:00Z", "COLLATERAL_EXPIRED"),
        ("tcb_info", ("fmspc",), "5EA100000002", "OTHER_PLATFORM"),
        ("tcb_info", ("fmspc",), "5EA1000000", "COLLATERAL_FORMAT"),
        ("tcb_info", ("pceId",), "0001", "OTHER_PLATFORM"),
        ("tcb_info", ("pceId",), "00", "COLLATERAL_FORMAT"),
        ("tcb_info", ("tcbEvaluationDataNumber",), 16, "TCB_EVALUATION"),
        ("tcb_info", ("tcbEvaluationDataNumber",), -1, "COLLATERAL_FORMAT"),
        ("tcb_info", ("tcbLevels",), [], "TCB_STATUS"),
        ("tcb_info", (*LEVEL, "tcb", "sgxtcbcomponents"), HIGH, "TCB_STATUS"),
        ("tcb_info", (*LEVEL, "tcb", "pcesvn"), 14, "TCB_STATUS"),
        ("tcb_info", (*LEVEL, "tcbStatus"), "OutOfDate", "TCB_STATUS"),
        ("tcb_info", (*LEVEL, "tcbStatus"), "Revoked", "TCB_STATUS"),
        ("qe_identity", ("id",), "QVE", "COLLATERAL_FORMAT"),
        ("qe_identity", ("version",), 1, "COLLATERAL_FORMAT"),
        ("qe_identity", ("issueDate",), "2026-11-25T12:00:00Z", "COLLATERAL_FUTURE"),
        ("qe_identity", ("issueDate",), "2026-10-01T12:00:00Z", "COLLATERAL_AGE"),
        ("qe_identity", ("nextUpdate",), "2026-11-24T12:00:00Z", "COLLATERAL_EXPIRED"),
        ("qe_identity", ("tcbEvaluationDataNumber",), 16, "QE_EVALUATION"),
        ("qe_identity", ("miscselect",), "00000001", "QE_IDENTITY"),
        ("qe_identity", ("attributes",), "15000000000000000000000000000000", "accepted"),
        ("qe_identity", ("attributes",), "01000000000000000000000000000000", "QE_IDENTITY"),
        ("qe_identity", ("mrsigner",), "00" * 32, "QE_IDENTITY"),
        ("qe_identity", ("isvprodid",), 2, "QE_IDENTITY"),
        ("qe_identity", ("tcbLevels",), [], "QE_IDENTITY"),
        ("qe_identity", (*LEVEL, "tcb", "isvsvn"), 9, "QE_IDENTITY"),
        ("qe_identity", (*LEVEL, "tcbStatus"), "OutOfDate", "TCB_STATUS"),
        ("qe_identity", (*LEVEL, "tcbStatus"), "ConfigurationNeeded", "QE_STATUS"),
        ("qe_identity", (*LEVEL, "tcbStatus"), "Revoked", "TCB_STATUS"),
    ],
)
def test_a_field_that_the_signer_changed(item, path, value, code):
    assert collated(**resign(item, path, value)) == code


# The collateral: signatures, lists, chains


@pytest.mark.parametrize(
    ("field", "codes"),
    [
        ("tcb_info_signature", {"COLLATERAL_SIGNATURE"}),
        ("qe_identity_signature", {"COLLATERAL_SIGNATURE"}),
        ("pck_crl", {"CRL_SIGNATURE", "COLLATERAL_FORMAT"}),
        ("root_ca_crl", {"CRL_SIGNATURE", "COLLATERAL_FORMAT"}),
    ],
)
def test_no_byte_of_a_signature_or_list_may_change(field, codes):
    data = bytes.fromhex(getattr(GOOD.collateral, field))
    assert {collated(**{field: flipped(data, at, 1 << at % 8).hex()}) for at in range(len(data))} == codes
    for wrong in (data[:-1], data + b"\0", b"", bytes(len(data))):
        assert collated(**{field: wrong.hex()}) in codes | {"COLLATERAL_FORMAT"}


@pytest.mark.parametrize(
    ("field", "codes"),
    [
        ("tcb_info_issuer_chain", {"COLLATERAL_SIGNER", "COLLATERAL_FORMAT"}),
        ("qe_identity_issuer_chain", {"COLLATERAL_SIGNER", "COLLATERAL_FORMAT"}),
        ("pck_crl_issuer_chain", {"CRL_ISSUER"}),
    ],
)
def test_no_byte_of_an_issuer_chain_may_change(field, codes):
    chain = split_chain(getattr(GOOD.collateral, field).encode())
    for position, der in enumerate(chain):
        for at in range(0, len(der), 5):
            altered = [*chain[:position], flipped(der, at), *chain[position + 1 :]]
            assert collated(**{field: "".join(map(pem, altered))}) in codes, (position, at)
    backwards = collated(**{field: "".join(map(pem, reversed(chain)))})
    assert backwards in codes
    for wrong in ("", pem(chain[0]), pem(chain[0]) * 3, getattr(GOOD.collateral, field) + "\n\n"):
        assert collated(**{field: wrong}) in codes | {"COLLATERAL_FORMAT"}


# Swaps between items, platforms and times

NAMES = list(type(GOOD.collateral).model_fields)
SIGNERS = {"tcb_info_issuer_chain", "qe_identity_issuer_chain"}


@pytest.mark.parametrize("first", NAMES)
@pytest.mark.parametrize("second", NAMES)
def test_no_item_may_stand_in_anothers_place(first, second):
    if getattr(GOOD.collateral, first) == getattr(GOOD.collateral, second):
        assert first == second or {first, second} == SIGNERS
        return
    code = collated(**{first: getattr(GOOD.collateral, second)})
    assert code in {"COLLATERAL_FORMAT", "COLLATERAL_SIGNATURE", "COLLATERAL_SIGNER", "CRL_ISSUER", "CRL_SIGNATURE"}


PLATFORM = {
    "pck_crl_issuer_chain": "CRL_ISSUER",
    "root_ca_crl": "CRL_SIGNATURE",
    "pck_crl": "CRL_SIGNATURE",
    "tcb_info_issuer_chain": "COLLATERAL_SIGNER",
    "tcb_info": "COLLATERAL_SIGNATURE",
    "tcb_info_signature": "COLLATERAL_SIGNATURE",
    "qe_identity_issuer_chain": "COLLATERAL_SIGNER",
    "qe_identity": "COLLATERAL_SIGNATURE",
    "qe_identity_signature": "COLLATERAL_SIGNATURE",
}


@pytest.mark.parametrize(("field", "code"), PLATFORM.items())
def test_each_item_of_another_installation(field, code):
    theirs = attested.other_platform(Conditions(tcb_evaluation=21, qe_evaluation=21)).collateral(NOW)
    assert collated(**{field: getattr(theirs, field)}) == code


@pytest.mark.parametrize(
    ("item", "fields", "code"),
    [
        ("TCB information", ("tcb_info", "tcb_info_signature", "tcb_info_issuer_chain"), "COLLATERAL_SIGNER"),
        ("QE identity", ("qe_identity", "qe_identity_signature", "qe_identity_issuer_chain"), "COLLATERAL_SIGNER"),
        ("PCK CRL and its chain", ("pck_crl", "pck_crl_issuer_chain"), "CRL_ISSUER"),
        ("everything", tuple(NAMES), "CRL_ISSUER"),
    ],
)
def test_whole_items_of_another_installation(item, fields, code):
    assert collated(**{field: getattr(THEIRS.collateral, field) for field in fields}) == code


def test_the_quote_of_another_installation():
    assert quoted(ELSEWHERE) == "ROOT_UNKNOWN"
    assert verdict(THEIRS) == "ROOT_UNKNOWN"


def test_whole_items_of_another_family_of_processors():
    family = attested.platform(Conditions(fmspc=bytes.fromhex("5ea100000002"))).collateral(NOW)
    fields = ("tcb_info", "tcb_info_signature")
    assert collated(**{field: getattr(family, field) for field in fields}) == "OTHER_PLATFORM"


GROUPS = [("tcb_info", "tcb_info_signature"), ("qe_identity", "qe_identity_signature"), ("pck_crl",), ("root_ca_crl",)]
TIMES = [
    (-40 * DAY, "COLLATERAL_EXPIRED"),
    (-30 * DAY, "COLLATERAL_EXPIRED"),
    (timedelta(seconds=1), "COLLATERAL_FUTURE"),
]


@pytest.mark.parametrize("fields", GROUPS, ids=[group[0] for group in GROUPS])
@pytest.mark.parametrize(("shift", "code"), TIMES)
def test_each_item_of_another_time(fields, shift, code):
    then = attested.platform().collateral(NOW + shift)
    assert collated(**{field: getattr(then, field) for field in fields}) == code


@pytest.mark.parametrize("fields", GROUPS, ids=[group[0] for group in GROUPS])
def test_each_item_of_yesterday_is_as_good(fields):
    then = attested.platform().collateral(NOW - DAY)
    assert collated(**{field: getattr(then, field) for field in fields}) == "accepted"


@pytest.mark.parametrize("item", ["tcb_info", "qe_identity"])
def test_todays_item_under_yesterdays_signature(item):
    then = attested.platform().collateral(NOW - DAY)
    field = f"{item}_signature"
    assert collated(**{field: getattr(then, field)}) == "COLLATERAL_SIGNATURE"
    assert collated(**{item: getattr(then, item)}) == "COLLATERAL_SIGNATURE"
