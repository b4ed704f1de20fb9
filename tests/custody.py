"""A custodian on a real folder, a software platform that quotes, and enclaves that ask: for tests of key release.

``import custody``; everything is valid at ``factories.NOW``, and time passes only by ``scene.clock.now += ...``.

::

    scene = custody.Scene(tmp_path)                      # three owners, capsules deposited, nothing charged
    evidence = scene.attest("01" * 16)                   # asks for a nonce, makes claims and a quote
    reply = scene.release("01" * 16, 1, evidence)
    with scene.refuses("NOT_APPROVED"): ...              # asserts the code, and that nothing at all was recorded
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import factories
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attestation.policy import AppraisalPolicy, CollateralAge, EnclavePolicy, Masked, PlatformPolicy, ReferencePolicy
from attestation.roots import HardwareRoot
from attestation.simulator.pki import PlatformKeys, create_keys
from attestation.simulator.platform import Conditions, Platform
from custodian import Custodian, CustodianSettings
from custodian.keys import CustodianSecrets
from protocol import keyfile
from protocol.documents import CommitRequest, CustodianNonce, Evidence, KeyRelease, RuntimeClaims, StudyPack
from protocol.documents.exchange import ReleaseReply, ReleaseRequest
from protocol.dsse import Envelope, Unverified, public_key, sign
from protocol.errors import SealroomError
from protocol.hpke import RecipientKey, release_info
from protocol.types import decode_base64, encode_base64

PASSPHRASE = "correct horse battery staple of the tests"
TABLES = (
    *("institutions", "capsules", "runs", "releases", "commits", "revocations"),
    *("withdrawals", "endorsements", "crls", "attested"),
)
RUN = "01" * 16
OTHER_RUN = "02" * 16
POLICY = AppraisalPolicy(
    version=1,
    simulation=True,
    reference_values=ReferencePolicy(measurements="any", endorsements_wanted=0, endorsers=(), withdrawal_publishers=()),
    platform=PlatformPolicy(
        hardware_roots="any",
        tcb_statuses=("UpToDate", "SWHardeningNeeded"),
        minimum_tcb_date="any",
        advisories="any",
        fmspcs="any",
        ppids="any",
        qe_vendor_id="939a7233f79c4ca9940a0db3957f0607",
        minimum_tcb_evaluation=1,
        minimum_qe_evaluation=1,
        minimum_pck_crl_number="any",
        minimum_root_crl_number="any",
        smt="any",
        dynamic_platform="any",
        cached_keys="any",
    ),
    enclave=EnclavePolicy(
        attributes=Masked(mask="0xffffffffffffffff", value="0x5"),
        xfrm=Masked(mask="0x3", value="0x3"),
        miscselect=Masked(mask="0xffffffff", value="0x0"),
        isv_prod_id=0,
        minimum_isv_svn=0,
        config_svn=0,
        config_id="00" * 64,
        isv_ext_prod_id="00" * 16,
        isv_family_id="00" * 16,
    ),
    collateral_age_days=CollateralAge(tcb_info=30, qe_identity=30, pck_crl=30, root_ca_crl=365),
)


def policy_with(**reference: Any) -> AppraisalPolicy:
    """The policy with some of its reference values replaced."""
    values = factories.changed(POLICY.reference_values, reference)
    return POLICY.model_copy(update={"reference_values": values})


@cache
def platform_keys() -> PlatformKeys:
    """One platform's keys for all tests of a process."""
    return create_keys(factories.NOW - timedelta(days=1))


@cache
def sealed_keys() -> bytes:
    """One custodian's key file for all tests of a process, at half the cost: scrypt is slow on purpose."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyfile, "_COST", 16_384)
        return keyfile.seal_secret(CustodianSecrets.generate().to_bytes(), PASSPHRASE)


def make_settings(folder: Path, roots: tuple[HardwareRoot, ...], **changes: Any) -> CustodianSettings:
    """Return settings on a folder, with its passphrase file beside it."""
    passphrase = folder.with_name(f"{folder.name}.passphrase")
    passphrase.write_text(PASSPHRASE + "\n")
    return CustodianSettings(
        **{"folder": folder, "passphrase_file": passphrase, "appraisal": POLICY, "roots": roots} | changes
    )


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: datetime = factories.NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Enclave:
    """The keys that an enclave makes at its start."""

    signing: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    encryption: RecipientKey = field(default_factory=RecipientKey.generate)


class Scene:
    """A custodian, a study whose datasets name it, a platform."""

    def __init__(
        self,
        folder: Path,
        *,
        deposit: bool = True,
        settings: dict[str, Any] | None = None,
        conditions: Conditions | None = None,
        **study: Any,
    ) -> None:
        self.clock = Clock()
        self.platform = Platform(platform_keys(), conditions)
        self.folder = folder / "custodian"
        self.folder.mkdir(mode=0o700)
        key_file = self.folder / "custodian.key"
        key_file.write_bytes(sealed_keys())
        key_file.chmod(0o600)
        self.settings = make_settings(self.folder, (self.platform.root,), **(settings or {}))
        self.custodian = Custodian(self.settings, self.clock)
        self.key = self.custodian.keys().signing
        self.study = factories.make_study(custodian=self.custodian.keys(), **study)
        if deposit:
            for index in range(len(self.study.datasets)):
                self.custodian.deposit(self.study.deposit(index))

    def restart(self) -> None:
        """Open the folder anew, as a process that starts would."""
        self.custodian.close()
        self.custodian = Custodian(self.settings, self.clock)

    def attest(
        self,
        run: str = RUN,
        *,
        enclave: Enclave | None = None,
        nonce: str | None = None,
        nonces: tuple[CustodianNonce, ...] | None = None,
        claims: dict[str, Any] | None = None,
        measurement: str | None = None,
        platform: Platform | None = None,
    ) -> Evidence:
        """Ask for a nonce unless one is given, make claims (with ``claims`` replaced), quote for them."""
        keys = enclave or Enclave()
        contract = self.study.contract
        if nonces is None:
            value = nonce or self.custodian.nonce(run, contract.name).nonce
            nonces = (CustodianNonce(custodian=self.key, nonce=value),)
        fields = {
            "profile": contract.document.profile,
            "run": run,
            "contract": contract.name,
            "nonces": nonces,
            "encryption": encode_base64(keys.encryption.public_bytes()),
            "signing": public_key(keys.signing),
        }
        made = RuntimeClaims(**fields | (claims or {}))
        source = platform or self.platform
        quote = source.quote(measurement or contract.document.measurement, made.report_data)
        return Evidence(claims=made, quote=encode_base64(quote), collateral=source.collateral(self.clock.now))

    def release(
        self, run: str = RUN, fence: int = 1, evidence: Evidence | None = None, pack: StudyPack | None = None
    ) -> ReleaseReply:
        """Ask for the keys."""
        request = ReleaseRequest(study=pack or self.study.pack, evidence=evidence or self.attest(run))
        return self.custodian.release(run, fence, request)

    def enter(self, run: str = RUN, fence: int = 1) -> tuple[Enclave, Evidence]:
        """Start an enclave and have the keys released to it."""
        enclave = Enclave()
        evidence = self.attest(run, enclave=enclave)
        self.release(run, fence, evidence)
        return enclave, evidence

    def commit_request(
        self, enclave: Enclave, evidence: Evidence, outputs: str = "0f" * 32, **changes: Any
    ) -> Envelope:
        """Sign a commit request for a digest, as the enclave does."""
        claims = evidence.claims
        fields = {"contract": claims.contract, "run": claims.run, "claims": claims.digest, "outputs": outputs}
        return sign(CommitRequest(**fields | changes), enclave.signing).envelope

    def open(self, reply: ReleaseReply, enclave: Enclave) -> list[bytes]:
        """Verify the releases and open the data keys, as the enclave does."""
        keys = []
        for item in reply.releases:
            release = Unverified.parse(item.release, KeyRelease).verify(self.key)
            keys.append(enclave.encryption.open(decode_base64(item.capsule), info=release_info(release.name)))
        return keys

    def records(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that a refused request must leave as it was."""
        return {table: self.query(f"SELECT * FROM {table} ORDER BY 1") for table in TABLES} | {
            "used": self.query("SELECT nonce FROM nonces WHERE used IS NOT NULL ORDER BY 1")
        }

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Read (or spoil) the database behind the custodian's back."""
        database = sqlite3.connect(self.settings.database)
        try:
            with database:
                return database.execute(statement).fetchall()
        finally:
            database.close()

    @contextmanager
    def refuses(self, code: str, kind: type[SealroomError] = SealroomError) -> Iterator[None]:
        """Assert that the block is refused with ``code`` and that nothing was released, charged or recorded."""
        before = self.records()
        with pytest.raises(kind) as caught:
            yield
        assert caught.value.code == code, str(caught.value)
        after = self.records()
        if code == "REVOKED":  # the list that says so may be kept
            after["crls"] = before["crls"]
        assert after == before


@pytest.fixture
def make_scene(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """Make scenes that are closed after the test."""
    scenes: list[Scene] = []

    def make(**options: Any) -> Scene:
        folder = tmp_path / str(len(scenes))
        folder.mkdir()
        scenes.append(Scene(folder, **options))
        return scenes[-1]

    yield make
    for made in scenes:
        made.custodian.close()


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    """A custodian with a study of three owners."""
    return make_scene()
