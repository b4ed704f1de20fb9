import stat
import threading

import attested
import pytest
from attested import DAY, NOW
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from attestation.quote import parse_quote
from attestation.simulator import der, pki
from attestation.simulator.app import CollateralShelf
from attestation.simulator.pki import create_keys, load_or_create_keys
from attestation.simulator.platform import Platform
from attestation.simulator.tickets import Tickets
from protocol.errors import AccessDenied, AttestationError, StorageError

# Encoding


def test_der():
    assert der.sequence(der.integer(0), der.octets(b"ab")) == bytes.fromhex("3007 0201 00 0402 6162")
    assert der.integer(0x7F) == bytes.fromhex("02017f")
    assert der.integer(0x80) == bytes.fromhex("02020080")
    assert der.integer(0xFF00) == bytes.fromhex("020300ff00")
    assert der.enumerated(1) == bytes.fromhex("0a0101")
    assert der.boolean(value=True) == bytes.fromhex("0101ff")
    assert der.boolean(value=False) == bytes.fromhex("010100")
    assert der.object_identifier("1.2.840.113741.1.13.1") == bytes.fromhex("0609 2a864886f84d010d01")
    assert der.octets(bytes(0x7F))[:2] == bytes.fromhex("047f")
    assert der.octets(bytes(0x80))[:3] == bytes.fromhex("048180")
    assert der.octets(bytes(0x100))[:4] == bytes.fromhex("04820100")


# Certificates


def test_the_certificates_follow_intels_profile():
    made = attested.keys().certificates
    for name, certificate in made.items():
        assert "SIMULATED" in certificate.subject.rfc4514_string()
        extensions = certificate.extensions
        assert extensions.get_extension_for_class(x509.CRLDistributionPoints)
        assert extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        constraints = extensions.get_extension_for_class(x509.BasicConstraints)
        authority = name in {"root", "intermediate"}
        assert usage.critical
        assert constraints.critical
        assert usage.value.key_cert_sign == usage.value.crl_sign == constraints.value.ca == authority
        assert usage.value.digital_signature != authority
        assert certificate.signature_hash_algorithm.name == "sha256"
    assert "SGX PCK Platform CA" in made["pck"].issuer.rfc4514_string()
    sgx = made["pck"].extensions.get_extension_for_oid(x509.ObjectIdentifier("1.2.840.113741.1.13.1"))
    assert not sgx.critical
    assert pki.CPU_SVN in sgx.value.value
    assert pki.PCE_SVN < 0x8000


def test_keys_are_made_once_and_kept_private(tmp_path):
    folder = tmp_path / "state" / "platform"
    made = load_or_create_keys(folder, NOW)
    assert Platform(load_or_create_keys(folder, NOW + DAY)).root == Platform(made).root
    files = sorted(path.name for path in folder.iterdir())
    assert files == sorted([f"{n}.key.pem" for n in made.keys] + [f"{n}.pem" for n in made.certificates])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert [path.name for path in folder.parent.iterdir()] == ["platform"]
    assert "PRIVATE" not in repr(made)
    assert repr(made) == "PlatformKeys(...)"


def test_two_installations_have_two_roots():
    assert Platform(create_keys(NOW)).root != Platform(create_keys(NOW)).root


def test_two_processes_that_start_at_once_share_one_platform(tmp_path, monkeypatch):
    """Whoever renames second finds the other's folder and takes it."""
    folder = tmp_path / "platform"
    both = threading.Barrier(2)
    real = pki._store

    def together(made, target):
        both.wait(10)
        real(made, target)

    monkeypatch.setattr(pki, "_store", together)
    found = []
    threads = [threading.Thread(target=lambda: found.append(load_or_create_keys(folder, NOW))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert Platform(found[0]).root == Platform(found[1]).root
    assert [path.name for path in tmp_path.iterdir()] == ["platform"]


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "pck.key.pem").unlink(),
        lambda folder: (folder / "root.pem").write_text("garbage"),
        lambda folder: (folder / "root.key.pem").write_bytes(pem(ed25519.Ed25519PrivateKey.generate())),
        lambda folder: (folder / "root.key.pem").write_bytes(pem(ec.generate_private_key(ec.SECP256R1()))),
        lambda folder: (folder / "root.pem").replace(folder / "pck.pem"),
    ],
)
def test_damaged_keys_are_an_error_and_not_made_anew(tmp_path, damage):
    folder = tmp_path / "platform"
    load_or_create_keys(folder, NOW)
    damage(folder)
    with pytest.raises(StorageError) as caught:
        load_or_create_keys(folder, NOW)
    assert caught.value.code == "PLATFORM_KEYS"


# Quotes


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_report_data_is_never_padded_or_cut(size):
    with pytest.raises(AttestationError) as caught:
        attested.platform().quote(attested.MEASUREMENT, bytes(size))
    assert caught.value.code == "REPORT_DATA"


def test_the_quoting_enclave_vouches_for_the_attestation_key():
    quote = parse_quote(attested.platform().quote(attested.MEASUREMENT, bytes(64)))
    digest = hashes.Hash(hashes.SHA256())
    digest.update(quote.attestation_key + quote.authentication)
    assert quote.qe_report.report_data == digest.finalize() + bytes(32)
    assert len(quote.authentication) == 32
    assert quote.qe_report.flags & 0x13 == 0x11
    assert quote.chain.leaf == attested.platform().leaf


# Collateral


def test_collateral_is_issued_anew_when_half_of_its_life_is_over():
    shelf = CollateralShelf(attested.platform())
    first = shelf.get(NOW)
    assert shelf.get(NOW + 14 * DAY) is first
    second = shelf.get(NOW + 15 * DAY)
    assert second is not first
    assert shelf.get(NOW + 16 * DAY) is second
    assert attested.appraise(attested.evidence(at=NOW + 15 * DAY), at=NOW + 40 * DAY)
    assert shelf.get(NOW) is not second  # a clock that was set back must not meet collateral of the future


# Tickets


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_tickets_name_one_enclave_each_and_run_out():
    clock = Clock()
    tickets = Tickets(life=10, clock=clock)
    one, two = tickets.issue("aa" * 32), tickets.issue("bb" * 32)
    assert one != two
    assert len(one) >= 43
    assert (tickets.measurement(one), tickets.measurement(two)) == ("aa" * 32, "bb" * 32)
    clock.now += 10
    for ticket in (one, "x" * 43):
        with pytest.raises(AccessDenied) as caught:
            tickets.measurement(ticket)
        assert caught.value.code == "TICKET"
        assert ticket not in caught.value.detail


def test_tickets_are_bounded_and_old_ones_make_room():
    clock = Clock()
    tickets = Tickets(limit=2, life=10, clock=clock)
    tickets.issue("aa" * 32)
    clock.now += 5
    tickets.issue("aa" * 32)
    with pytest.raises(StorageError) as caught:
        tickets.issue("aa" * 32)
    assert caught.value.code == "TICKETS"
    clock.now += 5
    assert tickets.issue("aa" * 32)
