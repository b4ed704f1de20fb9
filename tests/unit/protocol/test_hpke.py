import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, Suite

from protocol.canonical import parse_canonical
from protocol.errors import DocumentError
from protocol.hpke import (
    OVERHEAD,
    PRIVATE_SIZE,
    PUBLIC_SIZE,
    RecipientKey,
    capsule_info,
    output_info,
    public_digest,
    release_info,
    seal,
)

KEY = RecipientKey.generate()
SECRET = b"a data key of 32 bytes, or so..."
INFO = release_info("ab" * 32)


def test_what_is_sealed_opens():
    sealed = seal(SECRET, KEY.public_bytes(), info=INFO)
    assert KEY.open(sealed, info=INFO) == SECRET
    assert len(sealed) == len(SECRET) + OVERHEAD == 1168
    assert seal(SECRET, KEY.public_bytes(), info=INFO) != sealed
    assert SECRET not in sealed


def test_keys_come_back_from_their_bytes():
    private = KEY.private_bytes()
    again = RecipientKey.from_private_bytes(private)
    assert (len(private), len(again.public_bytes())) == (PRIVATE_SIZE, PUBLIC_SIZE) == (96, 1216)
    assert again.public_bytes() == KEY.public_bytes()
    assert again.open(seal(b"", KEY.public_bytes(), info=INFO), info=INFO) == b""


def test_private_bytes_are_the_ml_kem_seed_and_the_x25519_key():
    private = KEY.private_bytes()
    parts = MLKEM768PrivateKey.from_seed_bytes(private[:64]), X25519PrivateKey.from_private_bytes(private[64:])
    public = parts[0].public_key().public_bytes_raw() + parts[1].public_key().public_bytes_raw()
    assert public == KEY.public_bytes()
    suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    assert suite.decrypt(seal(SECRET, public, info=INFO), MLKEM768X25519PrivateKey(*parts), info=INFO) == SECRET


@pytest.mark.parametrize(
    "info",
    [
        release_info("ac" * 32),
        capsule_info("ab" * 32, "ab" * 32, "ab" * 32),
        output_info("ab" * 32, "ab" * 16, "cox", "ab" * 32),
        b"",
    ],
)
def test_it_opens_for_its_purpose_only(info):
    sealed = seal(SECRET, KEY.public_bytes(), info=INFO)
    with pytest.raises(DocumentError, match=r"^CAPSULE: "):
        KEY.open(sealed, info=info)


def test_it_opens_with_its_key_only_and_unaltered_only():
    sealed = seal(SECRET, KEY.public_bytes(), info=INFO)
    with pytest.raises(DocumentError, match=r"^CAPSULE: "):
        RecipientKey.generate().open(sealed, info=INFO)
    for at in (0, 500, 1087, 1088, 1119, 1120, len(sealed) - 1):
        altered = bytearray(sealed)
        altered[at] ^= 1
        with pytest.raises(DocumentError, match=r"^CAPSULE: "):
            KEY.open(bytes(altered), info=INFO)
    no_shared_secret = sealed[:1088] + bytes(32) + sealed[1120:]
    for wrong in (b"", no_shared_secret, bytes(1168), sealed[:-1], sealed[:1119], sealed + b"\x00"):
        with pytest.raises(DocumentError, match=r"^CAPSULE: "):
            KEY.open(wrong, info=INFO)


def test_mixed_halves_of_two_keys_open_nothing():
    other = RecipientKey.generate().private_bytes()
    sealed = seal(SECRET, KEY.public_bytes(), info=INFO)
    private = KEY.private_bytes()
    for mixed in (other[:64] + private[64:], private[:64] + other[64:]):
        with pytest.raises(DocumentError, match=r"^CAPSULE: "):
            RecipientKey.from_private_bytes(mixed).open(sealed, info=INFO)


@pytest.mark.parametrize("size", [0, 95, 97, 1216])
def test_private_keys_have_one_size(size):
    with pytest.raises(DocumentError, match=r"^KEY_SIZE: "):
        RecipientKey.from_private_bytes(bytes(size))


@pytest.mark.parametrize(
    "public",
    [
        b"",
        KEY.public_bytes()[:-1],
        KEY.public_bytes() + b"\x00",
        b"\xff" * 1184 + KEY.public_bytes()[1184:],  # coefficients beyond the modulus
        KEY.public_bytes()[:1184] + bytes(32),  # a point without a shared secret
    ],
    ids=["none", "short", "long", "ml-kem", "x25519"],
)
def test_public_keys_must_be_valid(public):
    with pytest.raises(DocumentError, match=r"^RECIPIENT_KEY: "):
        seal(SECRET, public, info=INFO)


def test_nothing_shows_key_material():
    private = KEY.private_bytes()
    try:
        KEY.open(bytes(1168), info=INFO)
    except DocumentError as error:
        shown = [repr(KEY), str(KEY), str(error), repr(error), f"{KEY}"]
    assert public_digest(KEY.public_bytes())[:16] in shown[0]
    for text in shown:
        assert private[:8].hex() not in text
        assert private[64:72].hex() not in text
        assert repr(private[:8])[2:-1] not in text
    assert not hasattr(KEY, "__dict__")


def test_infos_are_canonical_and_tell_purposes_apart():
    infos = [
        capsule_info("aa" * 32, "bb" * 32, "cc" * 32),
        release_info("aa" * 32),
        output_info("aa" * 32, "bb" * 16, "cox", "cc" * 32),
    ]
    values = [parse_canonical(info, limit=1000) for info in infos]
    assert len({value["type"] for value in values}) == 3
    assert values[0] | {"type": ""} == {"type": "", "manifest": "aa" * 32, "owner": "bb" * 32, "custodian": "cc" * 32}
    assert values[1]["release"] == "aa" * 32
    assert values[2] | {"type": ""} == {
        "type": "",
        "contract": "aa" * 32,
        "run": "bb" * 16,
        "output": "cox",
        "recipient": "cc" * 32,
    }
