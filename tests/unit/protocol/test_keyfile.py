import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol.canonical import canonical_bytes, parse_canonical
from protocol.errors import AccessDenied, DocumentError
from protocol.keyfile import MAX_KEYFILE, open_secret, seal_secret
from protocol.types import decode_base64

SECRET = b"ninety-six private bytes, or any others"
PASSPHRASE = "correct horse Bätterie"
SEALED = seal_secret(SECRET, PASSPHRASE)


def altered(change):
    fields = parse_canonical(SEALED, limit=MAX_KEYFILE)
    change(fields)
    return canonical_bytes(fields)


def test_the_right_passphrase_opens():
    assert open_secret(SEALED, PASSPHRASE) == SECRET
    assert SECRET not in SEALED
    assert seal_secret(SECRET, PASSPHRASE) != SEALED


def test_the_same_letters_in_another_unicode_form_open():
    assert open_secret(SEALED, "correct horse Ba\u0308tterie") == SECRET


@pytest.mark.parametrize("passphrase", ["correct horse Batterie", "correct horse Bätterie ", "x"])
def test_a_wrong_passphrase_does_not_and_the_message_says_what_that_means(passphrase):
    with pytest.raises(AccessDenied, match=r"^PASSPHRASE: .*no way to recover a lost passphrase") as caught:
        open_secret(SEALED, passphrase)
    assert passphrase not in caught.value.detail or passphrase == "x"


@pytest.mark.parametrize("passphrase", ["", "\udc80"])
def test_a_passphrase_is_text(passphrase):
    with pytest.raises(AccessDenied, match=r"^PASSPHRASE_TEXT: "):
        seal_secret(SECRET, passphrase)
    with pytest.raises(AccessDenied, match=r"^PASSPHRASE_TEXT: "):
        open_secret(SEALED, passphrase)


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields["kdf"].update(n=2**14),
        lambda fields: fields["kdf"].update(p=2),
        lambda fields: fields.update(salt="00" * 32),
        lambda fields: fields.update(nonce="00" * 12),
        lambda fields: fields.update(ciphertext="AAAA"),
        lambda fields: fields.update(ciphertext=""),
    ],
)
def test_any_change_is_noticed(change):
    with pytest.raises(AccessDenied, match=r"^PASSPHRASE: "):
        open_secret(altered(change), PASSPHRASE)


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields["kdf"].update(n=2**13),
        lambda fields: fields["kdf"].update(n=2**18),
        lambda fields: fields["kdf"].update(n=2**50),
        lambda fields: fields["kdf"].update(n=40_000),
        lambda fields: fields["kdf"].update(r=2**20),
        lambda fields: fields["kdf"].update(r=1),
        lambda fields: fields["kdf"].update(p=1000),
        lambda fields: fields["kdf"].update(p=0),
        lambda fields: fields["kdf"].update(name="pbkdf2"),
        lambda fields: fields.update(version=2),
        lambda fields: fields.update(nonce="00"),
        lambda fields: fields.update(salt=""),
        lambda fields: fields.update(extra=1),
    ],
)
def test_a_planted_file_cannot_ask_for_much_work(change):
    data = altered(change)
    with pytest.raises(DocumentError, match=r"^DOCUMENT: "):
        open_secret(data, PASSPHRASE)


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "JSON"), (b"{}", "DOCUMENT"), (SEALED + b"\n", "CANONICAL"), (b" " * (MAX_KEYFILE + 1), "SIZE")],
)
def test_other_bytes_are_no_key_file(data, code):
    with pytest.raises(DocumentError, match=f"^{code}: "):
        open_secret(data, PASSPHRASE)


def test_the_format_is_this():
    fields = parse_canonical(SEALED, limit=MAX_KEYFILE)
    assert fields["kdf"] == {"name": "scrypt", "n": 2**15, "r": 8, "p": 1}
    key = hashlib.scrypt(
        PASSPHRASE.encode(), salt=bytes.fromhex(fields["salt"]), n=2**15, r=8, p=1, maxmem=2**26, dklen=32
    )
    associated = canonical_bytes({name: fields[name] for name in ("version", "kdf", "salt", "nonce")})
    sealed = decode_base64(fields["ciphertext"])
    assert ChaCha20Poly1305(key).decrypt(bytes.fromhex(fields["nonce"]), sealed, associated) == SECRET
