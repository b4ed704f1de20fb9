import hashlib
import json

import factories
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.dsse import Envelope as StockEnvelope
from securesystemslib.signer import SSlibKey

from protocol.documents import Approval, Receipt, Revocation
from protocol.documents.receipt import BundleMember, ReceiptPredicate, Sha256, Subject
from protocol.dsse import (
    MAX_DOCUMENT,
    Envelope,
    Unverified,
    load_document,
    pre_authentication_encoding,
    public_key,
    sign,
)
from protocol.errors import DocumentError
from protocol.types import decode_base64, encode_base64

KEY = Ed25519PrivateKey.from_private_bytes(b"a key for the tests only, 32 b. ")
APPROVAL = Approval(contract="ab" * 32, institution="cd" * 32, member="approver", time="2026-11-24T12:00:00Z")


def receipt():
    return Receipt(
        subject=(Subject(name="cox/" + "ab" * 32, digest=Sha256(sha256="cd" * 32)),),
        predicate=ReceiptPredicate(
            run="00" * 16,
            contract="ab" * 32,
            recipe="ab" * 32,
            profile="clinical",
            measurement="ab" * 32,
            claims="ab" * 32,
            simulated=True,
            datasets=("ab" * 32,),
            members=(BundleMember(kind="recipe", digest="ab" * 32),),
        ),
    )


def altered(envelope, **changes):
    return factories.changed(envelope, changes)


def test_a_signed_document_comes_back_verified():
    signed = sign(APPROVAL, KEY)
    envelope = Envelope.from_bytes(signed.envelope.to_bytes())
    again = Unverified.parse(envelope, Approval).verify(public_key(KEY))
    assert again == signed
    assert again.document == APPROVAL
    assert again.signer == public_key(KEY)


def test_the_name_covers_type_and_content_and_not_the_signature():
    signed = sign(APPROVAL, KEY)
    other = sign(APPROVAL, Ed25519PrivateKey.generate())
    assert signed.name == other.name == signed.envelope.name
    payload = decode_base64(signed.envelope.payload)
    encoding = b"DSSEv1 41 application/vnd.sealroom.approval.v1+json %d " % len(payload) + payload
    assert signed.name == hashlib.sha256(encoding).hexdigest()
    assert encoding == pre_authentication_encoding(Approval.payload_type, payload)
    assert altered(signed.envelope, payloadType="application/other").name != signed.name


def test_securesystemslib_verifies_our_envelopes():
    envelope = sign(APPROVAL, KEY).envelope
    stock = StockEnvelope.from_dict(json.loads(envelope.to_bytes()))
    key = SSlibKey(public_key(KEY), "ed25519", "ed25519", {"public": public_key(KEY)})
    assert stock.verify([key], 1) == {public_key(KEY): key}
    assert stock.pae() == pre_authentication_encoding(envelope.payloadType, decode_base64(envelope.payload))


def test_receipts_are_in_toto_statements():
    signed = sign(receipt(), KEY)
    payload = json.loads(decode_base64(signed.envelope.payload))
    assert payload["_type"] == "https://in-toto.io/Statement/v1"
    assert signed.envelope.payloadType == "application/vnd.in-toto+json"
    assert Unverified.parse(signed.envelope, Receipt).verify(public_key(KEY)).document == receipt()


def test_another_key_does_not_verify():
    signed = sign(APPROVAL, KEY)
    stranger = public_key(Ed25519PrivateKey.generate())
    with pytest.raises(DocumentError, match=r"^SIGNATURE: The Approval is signed with key"):
        Unverified.parse(signed.envelope, Approval).verify(stranger)


@pytest.mark.parametrize("sig", [encode_base64(bytes(64)), "é" * 88, "!" * 88])
def test_a_wrong_signature_does_not_verify(sig):
    signed = sign(APPROVAL, KEY)
    signature = factories.changed(signed.envelope.signatures[0], {"sig": sig})
    envelope = altered(signed.envelope, signatures=(signature,))
    with pytest.raises(DocumentError, match=r"^SIGNATURE: The signature on the Approval does not verify"):
        Unverified.parse(envelope, Approval).verify(public_key(KEY))


def test_a_changed_payload_does_not_verify():
    signed = sign(APPROVAL, KEY)
    forged = sign(factories.changed(APPROVAL, {"member": "somebody"}), KEY)
    envelope = altered(signed.envelope, payload=forged.envelope.payload)
    with pytest.raises(DocumentError, match=r"^SIGNATURE: "):
        Unverified.parse(envelope, Approval).verify(public_key(KEY))


def test_a_revocation_is_no_approval_nor_the_reverse():
    approval = sign(APPROVAL, KEY).envelope
    revocation = sign(Revocation(**APPROVAL.model_dump(exclude={"kind"}), reason="x"), KEY).envelope
    with pytest.raises(
        DocumentError, match=r"^PAYLOAD_TYPE: Found a document of type .*revocation.*, wanted .*approval"
    ):
        Unverified.parse(revocation, Approval)
    with pytest.raises(DocumentError, match=r"^PAYLOAD_TYPE: "):
        Unverified.parse(approval, Revocation)
    # Relabelled, it is not a valid document; were it one, its signature would not cover the new type.
    with pytest.raises(DocumentError, match=r"^DOCUMENT: Not a valid Approval: kind"):
        Unverified.parse(altered(revocation, payloadType=Approval.payload_type), Approval)


def test_a_signature_under_one_type_is_none_under_another():
    class Twin(Approval):
        payload_type = "application/vnd.sealroom.twin.v1+json"

    signed = sign(APPROVAL, KEY)
    twin = Unverified.parse(altered(signed.envelope, payloadType=Twin.payload_type), Twin)
    assert twin.claimed.contract == APPROVAL.contract
    with pytest.raises(DocumentError, match=r"^SIGNATURE: "):
        twin.verify(public_key(KEY))


def signed_by_hand(payload):
    encoding = pre_authentication_encoding(Approval.payload_type, payload)
    return Envelope.model_validate(
        {
            "payload": encode_base64(payload),
            "payloadType": Approval.payload_type,
            "signatures": ({"keyid": public_key(KEY), "sig": encode_base64(KEY.sign(encoding))},),
        }
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: data + b"\n", "CANONICAL"),
        # valid by its default, yet not its own re-encoding
        (lambda data: data.replace(b'"kind":"approval",', b""), "CANONICAL"),
        (lambda data: data.replace(b'"kind"', b'"king"'), "DOCUMENT"),
        (lambda data: data.replace(b"}", b',"x":1}'), "DOCUMENT"),
        (lambda data: data.replace(b'"time"', b'"a"'), "CANONICAL"),
        (lambda data: data.replace(b'"approver"', b"5"), "DOCUMENT"),
        (lambda data: b"[]", "DOCUMENT"),
        (lambda data: b"{", "JSON"),
    ],
)
def test_even_a_right_signature_needs_the_one_right_payload(change, code):
    payload = decode_base64(sign(APPROVAL, KEY).envelope.payload)
    Unverified.parse(signed_by_hand(payload), Approval).verify(public_key(KEY))
    with pytest.raises(DocumentError, match=f"^{code}: "):
        Unverified.parse(signed_by_hand(change(payload)), Approval)


def test_messages_name_the_field_and_not_its_value():
    payload = decode_base64(sign(APPROVAL, KEY).envelope.payload).replace(b'"approver"', b'"SECRET VALUE"')
    with pytest.raises(DocumentError, match=r"^DOCUMENT: Not a valid Approval: member: String should match") as caught:
        load_document(Approval, payload, limit=MAX_DOCUMENT)
    assert "SECRET" not in str(caught.value)
    with pytest.raises(DocumentError, match=r"^DOCUMENT: Not a valid Approval: the whole: "):
        load_document(Approval, b"[]", limit=MAX_DOCUMENT)


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields | {"signatures": []},
        lambda fields: fields | {"signatures": fields["signatures"] * 2},
        lambda fields: fields | {"payloadType": "text/plain"},
        lambda fields: fields | {"extra": 1},
        lambda fields: fields | {"payload": fields["payload"] + "="},
        lambda fields: {"payload": fields["payload"], "signatures": fields["signatures"]},
    ],
)
def test_envelopes_have_one_shape(change):
    from protocol.canonical import canonical_bytes

    fields = sign(APPROVAL, KEY).envelope.model_dump(mode="json")
    with pytest.raises(DocumentError, match=r"^DOCUMENT: Not a valid Envelope"):
        Envelope.from_bytes(canonical_bytes(change(fields)))


def test_envelopes_are_bounded():
    with pytest.raises(DocumentError, match=r"^SIZE: "):
        Envelope.from_bytes(b" " * (MAX_DOCUMENT + 1))


def test_public_key_in_hex():
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key(KEY)))
    key.verify(KEY.sign(b"x"), b"x")
