import datetime as dt
import hashlib

import factories
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from partner_desk import Desk

from attestation.roots import INTEL_ROOT, SIMULATED_ROOT_NAME
from protocol.canonical import canonical_bytes
from protocol.errors import DocumentError, StorageError
from sealroom.trust import HardwareRootPin, InstitutionPin, MeasurementPin, Trust, custodian_pin, load_trust, save_trust

POLICY = "a = 1\n\n[b]\nc = true\n"


def simulated_root() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SIMULATED_ROOT_NAME)])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def full() -> Trust:
    return Trust(
        institutions=(InstitutionPin(short="a", root="a" * 64),),
        hardware_roots=(HardwareRootPin.from_der(INTEL_ROOT.certificate_der, simulated=False),),
        measurements=(
            MeasurementPin(profile="clinical", measurement="b" * 64),
            MeasurementPin(profile="clinical", measurement="c" * 64),
        ),
        custodians=(custodian_pin("d" * 64, b"x" * 1216),),
        appraisal_policy=POLICY,
    )


def test_pins_come_back_as_they_were_written(tmp_path):
    save_trust(full(), tmp_path / "trust.toml")
    found = load_trust(tmp_path / "trust.toml")
    assert found == full()
    assert found.institution("a" * 64).short == "a"
    assert found.institution("b" * 64) is None
    assert found.custodian("d" * 64).encryption == custodian_pin("d" * 64, b"x" * 1216).encryption
    assert found.custodian("e" * 64) is None
    assert found.measured("clinical") == ("b" * 64, "c" * 64)
    assert found.measured("genomics") == ()
    assert found.roots() == (INTEL_ROOT,)
    assert Trust().policy() is None


def test_the_policy_may_lie_in_a_file_beside_the_pins(tmp_path):
    (tmp_path / "policy.toml").write_text(POLICY)
    (tmp_path / "trust.toml").write_text('version = 1\nappraisal_policy = "policy.toml"\n')
    assert load_trust(tmp_path / "trust.toml").appraisal_policy == POLICY


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("version = 2", "version"),
        ("xx", "TOML"),
        ('[[institutions]]\nshort = "a"\nroot = "z"\n', "institutions.0.root"),
        ('[[institutions]]\nshort = "a"\n', "institutions.0.root"),
        ("when = 1979-05-27T07:32:00Z", "TOML"),
        ("appraisal_policy = 3", "appraisal_policy"),
        ('appraisal_policy = "absent.toml"', "absent.toml"),
        ("unknown = 1", "unknown"),
        ("x = " + "[" * 20_000, "line 1: found 16 or more brackets"),
        (".".join(["x"] * 20_000) + " = 1", "line 1: found 16 or more brackets"),
        ("#" * (2**23 + 1), "bytes"),
    ],
)
def test_a_file_that_is_no_pins_is_refused(tmp_path, content, word):
    (tmp_path / "trust.toml").write_text(content)
    with pytest.raises(DocumentError, match=word) as caught:
        load_trust(tmp_path / "trust.toml")
    assert caught.value.code == "TRUST"


def test_absent_pins_are_not_empty_pins(tmp_path):
    with pytest.raises(StorageError) as caught:
        load_trust(tmp_path / "trust.toml")
    assert caught.value.code == "FILE_MISSING"


@pytest.mark.parametrize("field", ["institutions", "hardware_roots", "measurements", "custodians"])
def test_nothing_is_pinned_twice(field):
    values = getattr(full(), field)
    with pytest.raises(ValueError, match="twice"):
        Trust(**{field: (values[0], values[0])})


def test_a_root_whose_digest_or_kind_is_another_is_refused():
    pin = full().hardware_roots[0]
    with pytest.raises(ValueError, match="digest"):
        HardwareRootPin(digest="0" * 64, simulated=False, certificate=pin.certificate)
    lying = full().model_copy(update={"hardware_roots": (pin.model_copy(update={"simulated": True}),)})
    with pytest.raises(DocumentError, match="simulated"):
        lying.roots()


def test_commands_add_every_kind_of_pin(tmp_path):
    desk = Desk(tmp_path)
    partner = factories.make_study(owners=1)
    institution = tmp_path / "partner.json"
    institution.write_bytes(partner.parties[0].institution.envelope.to_bytes())
    custodian = tmp_path / "custodian.json"
    custodian.write_bytes(canonical_bytes(partner.custodian.keys.model_dump(mode="json")))
    desk.run("trust", "add-institution", institution, "--compared")
    desk.run("trust", "add-hardware-root", desk.write("root.pem", simulated_root()), "--compared")
    desk.run("trust", "add-measurement", "clinical", "ab" * 32, "--compared")
    said = desk.run("trust", "add-custodian", custodian, "--compared").err
    shown = desk.run("trust", "show", "--json").json
    assert [pin["root"] for pin in shown["institutions"]] == [partner.parties[0].key]
    assert [pin["simulated"] for pin in shown["hardware_roots"]] == [True]
    assert [pin["measurement"] for pin in shown["measurements"]] == ["ab" * 32]
    assert [pin["signing"] for pin in shown["custodians"]] == [partner.custodian.keys.signing]
    table = desk.run("trust", "show").out
    assert "SIMULATED" in table
    # Outside this program: the SHA-256 of the signing key and of the SHA-256 of the encryption key.
    inner = hashlib.sha256(partner.custodian.encryption.public_bytes()).digest()
    wanted = hashlib.sha256(bytes.fromhex(partner.custodian.keys.signing) + inner).hexdigest()
    assert wanted in table
    assert wanted in "".join(said.split())
    desk.run("trust", "remove", wanted)
    assert desk.run("trust", "show", "--json").json["custodians"] == []
    desk.run("trust", "remove", partner.parties[0].key)
    assert desk.run("trust", "show", "--json").json["institutions"] == []
    assert "No pin" in desk.run("trust", "remove", partner.parties[0].key, code=4).err


def test_a_pin_that_nobody_compared_is_not_written(tmp_path):
    desk = Desk(tmp_path)
    answer = desk.run("trust", "add-measurement", "clinical", "ab" * 32, "--json", code=6)
    assert answer.json["code"] == "NOT_COMPARED"
    assert "abab abab abab abab" in answer.err
    assert not (desk.home / "trust.toml").exists()


def test_an_altered_institution_is_not_pinned(tmp_path):
    envelope = factories.make_study(owners=1).parties[0].institution.envelope
    forged = envelope.model_copy(
        update={"payload": factories.make_study(owners=1).parties[0].institution.envelope.payload}
    )
    path = tmp_path / "forged.json"
    path.write_bytes(forged.to_bytes())
    answer = Desk(tmp_path).run("trust", "add-institution", path, "--compared", "--json", code=4)
    assert answer.json["code"] == "SIGNATURE"


def test_the_local_measurement_is_that_of_the_installed_files(tmp_path):
    from pathlib import Path

    import enclave
    from attestation.simulator import measure

    shown = Desk(tmp_path).run("trust", "add-measurement", "clinical", "--local", "--json").json
    assert shown["measurements"][0]["measurement"] == measure("clinical", Path(enclave.__file__).parents[1])


def test_a_policy_that_is_none_is_not_set(tmp_path):
    desk = Desk(tmp_path)
    desk.run("trust", "set-policy", desk.write("policy.toml", "nothing = true\n"), code=5)
    assert not (desk.home / "trust.toml").exists()


def test_the_measurement_of_a_build_is_that_which_the_simulated_platform_takes(tmp_path):
    from attestation.simulator.measurement import measure_build

    (tmp_path / "builds" / "genomics").mkdir(parents=True)
    (tmp_path / "builds" / "genomics" / "enclave.manifest").write_text("[sgx]\n")
    shown = Desk(tmp_path).run("trust", "add-measurement", "genomics", "--builds", tmp_path / "builds", "--json").json
    assert shown["measurements"][0]["measurement"] == measure_build("genomics", tmp_path / "builds")
    answer = Desk(tmp_path).run("trust", "add-measurement", "clinical", "--builds", tmp_path, "--json", code=5)
    assert answer.json["code"] == "BUILD"
