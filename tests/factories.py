"""Real, signed documents for everybody's tests: institutions with all their keys, sealed datasets, whole studies.

Tests import it as ``import factories`` (``tests/conftest.py`` puts this folder on ``sys.path``). Nothing here reads a
file, a clock or a socket; keys are fresh on each call. All documents are valid at ``NOW``; a test that runs against
the real clock passes ``at=datetime.now(UTC)``.

::

    study = factories.make_study()                     # three owners, one custodian, one approval each
    study.pack                                         # StudyPack, passes verify_proposal / require_quorum / require_current
    study.contract.name, study.contract.document       # Verified[Contract]; the same for recipe and approvals
    study.parties[0].people["steward"].manifest        # private keys: .root, and per person .api .manifest ...
    study.datasets[1].data_key, .sealed, .plain        # the secret key, the sealed body, the plain bytes
    study.custodian.signing, .encryption, .keys        # the custodian that all the manifests name
    study.deposit(0)                                   # CapsuleDeposit of dataset 0

    factories.make_study(owners=1, quorum=2, contract={"max_runs": 3}, policy={"max_runs": 3})
    factories.make_study(contract={"measurement": "ab" * 32, "simulation": True})
    factories.make_study(approvals=False)              # nobody approved
    factories.make_study(plains=[table_bytes_a, ...], table=schema)

``recipe=``, ``contract=``, ``manifest=``, ``policy=`` and ``institution=`` replace fields of all documents of that kind
before they are signed. For a single forged document build it with ``make_*``, ``approve`` or ``revoke`` (their ``key=``
signs with any key you like) and put it into ``study.repack(approvals=(...), ...)``.
"""

import hashlib
import io
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol import hpke
from protocol.commitment import commit_key
from protocol.container import SealingWriter, generate_data_key
from protocol.documents import (
    Approval,
    Binding,
    Column,
    Contract,
    ContractOutput,
    CustodianKeys,
    DatasetManifest,
    DatasetPolicy,
    Institution,
    Level,
    Lineage,
    Member,
    MemberKeys,
    Recipe,
    Recipient,
    Revocation,
    StudyPack,
    TableSchema,
)
from protocol.documents.exchange import CapsuleDeposit
from protocol.documents.reference import MeasurementEndorsement, WithdrawalList, Withdrawn
from protocol.dsse import Envelope, SignedDocument, Verified, public_key, sign
from protocol.types import decode_base64, encode_base64, format_time

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MEASUREMENT = hashlib.sha256(b"an enclave that the tests made up").hexdigest()
Changes = Mapping[str, Any]

TABLE = TableSchema(
    columns=(
        Column(name="subject", description="Subject", kind="subject"),
        Column(name="time", description="Survival time", kind="integer", unit="d", minimum="0", maximum="5000"),
        Column(
            name="status",
            description="Status at the end",
            kind="category",
            levels=(Level(code="1", label="censored"), Level(code="2", label="dead")),
        ),
        Column(name="age", description="Age", kind="integer", unit="a", minimum="18", maximum="110"),
        Column(
            name="sex",
            description="Sex",
            kind="category",
            levels=(Level(code="1", label="male"), Level(code="2", label="female")),
        ),
        Column(name="ph.ecog", description="ECOG score", kind="integer", unit="1", missing_allowed=True),
    )
)


@dataclass(frozen=True)
class Person:
    """A member's private keys; a person has all of them, whatever the roles."""

    id: str
    api: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    manifest: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    approval: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    contract: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    recipient: hpke.RecipientKey = field(default_factory=hpke.RecipientKey.generate)

    def member(self, *roles: str) -> Member:
        """Return the entry in the institution, with the keys that its roles take."""
        return Member(
            id=self.id,
            name=f"{self.id} of the tests",
            roles=roles,
            keys=MemberKeys(
                api=public_key(self.api),
                manifest=public_key(self.manifest) if "steward" in roles else None,
                approval=public_key(self.approval) if "approver" in roles else None,
                contract=public_key(self.contract) if "analyst" in roles else None,
                recipient=encode_base64(self.recipient.public_bytes()) if "analyst" in roles else None,
            ),
        )


@dataclass(frozen=True)
class Party:
    """An institution and all its private keys. People: ``steward``, ``approver``, ``approver-2``, ``analyst``."""

    institution: Verified[Institution]
    root: Ed25519PrivateKey
    people: Mapping[str, Person]

    @property
    def key(self) -> str:
        """The root key: the institution's identity."""
        return self.institution.document.root

    def reissue(self, **changes: Any) -> "Party":
        """Return the party with its institution signed again after ``changes``."""
        return replace(self, institution=sign(changed(self.institution.document, changes), self.root))


@dataclass(frozen=True)
class CustodianPair:
    """A custodian's private keys."""

    signing: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    encryption: hpke.RecipientKey = field(default_factory=hpke.RecipientKey.generate)

    @property
    def keys(self) -> CustodianKeys:
        """The public keys, as manifests name them."""
        return CustodianKeys(signing=public_key(self.signing), encryption=encode_base64(self.encryption.public_bytes()))


@dataclass(frozen=True)
class Dataset:
    """A sealed dataset with everything that its owner knows."""

    manifest: Verified[DatasetManifest]
    data_key: bytes
    plain: bytes
    sealed: bytes

    @property
    def capsule(self) -> bytes:
        """The data key, sealed to the custodian that the manifest names."""
        return seal_capsule(self.manifest, self.data_key)


@dataclass(frozen=True)
class StudyParts:
    """A study and everything behind it; ``parties[0]`` proposed it, party i owns dataset i."""

    parties: tuple[Party, ...]
    custodian: CustodianPair | None
    datasets: tuple[Dataset, ...]
    recipe: Verified[Recipe]
    contract: Verified[Contract]
    approvals: tuple[Verified[Approval], ...]

    @property
    def pack(self) -> StudyPack:
        """All documents, as they travel."""
        return StudyPack(
            institutions=tuple(party.institution.envelope for party in self.parties),
            manifests=tuple(dataset.manifest.envelope for dataset in self.datasets),
            recipe=self.recipe.envelope,
            contract=self.contract.envelope,
            approvals=tuple(approval.envelope for approval in self.approvals),
        )

    def repack(self, **changes: Any) -> StudyPack:
        """Return the pack with some of its fields replaced by (tuples of) envelopes."""
        return changed(self.pack, changes)

    def deposit(self, index: int) -> CapsuleDeposit:
        """Return the deposit of dataset ``index``."""
        return make_deposit(self.parties[index], self.datasets[index])


def changed(document: Any, changes: Changes) -> Any:
    """Return a document with some fields replaced, validated again."""
    return type(document)(**{name: getattr(document, name) for name in type(document).model_fields} | dict(changes))


def resign(document: SignedDocument, key: Ed25519PrivateKey, **changes: Any) -> Verified[Any]:
    """Change a document and sign it, with whatever key."""
    return sign(changed(document, changes), key)


def make_institution(short: str = "north", *, at: datetime = NOW, changes: Changes | None = None) -> Party:
    """Make an institution with a steward, two approvers and an analyst, each a person of one role."""
    root = Ed25519PrivateKey.generate()
    people = {name: Person(name) for name in ("steward", "approver", "approver-2", "analyst")}
    document = Institution(
        short=short,
        name=f"Institute of the {short}",
        root=public_key(root),
        serial=1,
        issued=format_time(at - DAY),
        expires=format_time(at + 365 * DAY),
        members=tuple(person.member(name.removesuffix("-2")) for name, person in people.items()),
    )
    return Party(sign(changed(document, changes or {}), root), root, people)


def make_policy(*, at: datetime = NOW, changes: Changes | None = None) -> DatasetPolicy:
    """Make owner's terms that allow the default recipe and contract on a simulated platform."""
    terms = DatasetPolicy(
        quorum=1,
        analyses=("clinical.survival",),
        profiles=("clinical",),
        preset="sacro",
        tcb_statuses=("UpToDate",),
        simulation=True,
        max_runs=1,
        expires=format_time(at + 300 * DAY),
    )
    return changed(terms, changes or {})


def make_dataset(
    party: Party,
    custodian: CustodianKeys,
    *,
    plain: bytes = b"",
    table: TableSchema = TABLE,
    at: datetime = NOW,
    policy: Changes | None = None,
    changes: Changes | None = None,
    key: Ed25519PrivateKey | None = None,
) -> Dataset:
    """Seal ``plain`` (by default some bytes that are no table) under a fresh data key and sign its manifest."""
    plain = plain or f"the private data of {party.institution.document.short}\n".encode() * 20
    data_key = generate_data_key()
    sink = io.BytesIO()
    writer = SealingWriter(sink, data_key)
    writer.write(plain)
    sealed = writer.finish()
    manifest = DatasetManifest(
        short=f"{party.institution.document.short}-lung",
        title="Lung trial",
        owner=party.key,
        steward="steward",
        created=format_time(at - DAY),
        lineage=Lineage(id=secrets.token_hex(32), version=1),
        rows=20,
        table=table,
        files=(sealed.sealed_file("table"),),
        commitment=commit_key(data_key),
        custodian=custodian,
        converter="sealroom tests",
        policy=make_policy(at=at, changes=policy),
    )
    signed = sign(changed(manifest, changes or {}), key or party.people["steward"].manifest)
    return Dataset(signed, data_key, plain, sink.getvalue())


def seal_capsule(manifest: Verified[DatasetManifest], data_key: bytes) -> bytes:
    """Seal a data key to the custodian that the manifest names, as the owner's machine does."""
    document = manifest.document
    info = hpke.capsule_info(manifest.name, document.owner, document.custodian.signing)
    return hpke.seal(data_key, decode_base64(document.custodian.encryption), info=info)


def make_deposit(party: Party, dataset: Dataset) -> CapsuleDeposit:
    """Make what the owner brings to the custodian."""
    return CapsuleDeposit(
        institution=party.institution.envelope,
        manifest=dataset.manifest.envelope,
        capsule=encode_base64(dataset.capsule),
    )


def make_recipe(
    party: Party, slots: Sequence[str], *, at: datetime = NOW, changes: Changes | None = None
) -> Verified[Recipe]:
    """Make the survival recipe over ``slots``, signed by the party's analyst."""
    recipe = Recipe(
        title="Survival in three trials",
        analysis="clinical.survival",
        author=party.key,
        analyst="analyst",
        created=format_time(at - DAY),
        slots=tuple(slots),
        parameters={
            "time": "time",
            "event": "status",
            "event-code": "2",
            "covariates": ("age", "sex", "ph.ecog"),
            "group": "sex",
            "grid": (90, 180, 365, 540, 730),
        },
        outputs=("cox-pooled",),
    )
    return sign(changed(recipe, changes or {}), party.people["analyst"].contract)


def recipient_of(party: Party, member: str = "analyst") -> Recipient:
    """Name a party's analyst as the recipient of an output."""
    digest = hashlib.sha256(party.people[member].recipient.public_bytes()).hexdigest()
    return Recipient(institution=party.key, member=member, key=digest)


def make_contract(
    proposer: Party,
    recipe: Verified[Recipe],
    datasets: Sequence[Dataset],
    recipients: Sequence[Party],
    *,
    at: datetime = NOW,
    changes: Changes | None = None,
) -> Verified[Contract]:
    """Bind the recipe's slots to ``datasets`` in order; the analyst of each of ``recipients`` gets each output."""
    contract = Contract(
        title=recipe.document.title,
        purpose="To test",
        proposer=proposer.key,
        analyst="analyst",
        created=format_time(at - DAY),
        expires=format_time(at + 200 * DAY),
        salt=secrets.token_hex(32),
        recipe=recipe.name,
        datasets=tuple(
            Binding(slot=slot, dataset=dataset.manifest.name, owner=dataset.manifest.document.owner)
            for slot, dataset in zip(recipe.document.slots, datasets, strict=True)
        ),
        profile="clinical",
        measurement=MEASUREMENT,
        simulation=True,
        preset="sacro",
        max_runs=1,
        outputs=tuple(
            ContractOutput(
                output=name,
                type="regression",
                labels=("age", "sex", "ph.ecog"),
                recipients=tuple(recipient_of(party) for party in recipients),
            )
            for name in recipe.document.outputs
        ),
    )
    return sign(changed(contract, changes or {}), proposer.people["analyst"].contract)


def approve(
    contract: Verified[Contract],
    party: Party,
    member: str = "approver",
    *,
    at: datetime = NOW,
    key: Ed25519PrivateKey | None = None,
    changes: Changes | None = None,
) -> Verified[Approval]:
    """Sign a yes to a contract."""
    approval = Approval(
        contract=contract.name, institution=party.key, member=member, time=format_time(at - timedelta(hours=1))
    )
    return sign(changed(approval, changes or {}), key or party.people[member].approval)


def revoke(
    contract: Verified[Contract],
    party: Party,
    member: str = "approver",
    *,
    at: datetime = NOW,
    key: Ed25519PrivateKey | None = None,
    changes: Changes | None = None,
) -> Verified[Revocation]:
    """Sign the withdrawal of consent to a contract."""
    revocation = Revocation(
        contract=contract.name, institution=party.key, member=member, time=format_time(at), reason="Consent withdrawn"
    )
    return sign(changed(revocation, changes or {}), key or party.people[member].approval)


def make_study(
    owners: int = 3,
    *,
    quorum: int = 1,
    approvals: bool = True,
    at: datetime = NOW,
    custodian: CustodianPair | CustodianKeys | None = None,
    plains: Sequence[bytes] = (),
    table: TableSchema = TABLE,
    institution: Changes | None = None,
    policy: Changes | None = None,
    manifest: Changes | None = None,
    recipe: Changes | None = None,
    contract: Changes | None = None,
) -> StudyParts:
    """Make a whole study: ``owners`` (1 to 8) institutions with one dataset each, the first of which proposes.

    Every owner's analyst is a recipient of every output. With ``quorum=2`` both approvers of each owner sign. Give the
    keys of a running custodian as ``custodian`` (then ``study.custodian`` is None); otherwise a fresh pair is made.
    """
    keeper = custodian or CustodianPair()
    keys = keeper.keys if isinstance(keeper, CustodianPair) else keeper
    shorts = ("north", "south", "east", "west", "alpha", "beta", "gamma", "delta")[:owners]
    parties = tuple(make_institution(short, at=at, changes=institution) for short in shorts)
    terms = {"quorum": quorum} | dict(policy or {})
    datasets = tuple(
        make_dataset(
            party,
            keys,
            plain=plains[index] if plains else b"",
            table=table,
            at=at,
            policy=terms,
            changes=manifest,
        )
        for index, party in enumerate(parties)
    )
    signed_recipe = make_recipe(parties[0], [f"site-{short}" for short in shorts], at=at, changes=recipe)
    signed_contract = make_contract(parties[0], signed_recipe, datasets, parties, at=at, changes=contract)
    votes = tuple(
        approve(signed_contract, party, member, at=at)
        for party in parties
        for member in ("approver", "approver-2")[: quorum if approvals else 0]
    )
    pair = keeper if isinstance(keeper, CustodianPair) else None
    return StudyParts(parties, pair, datasets, signed_recipe, signed_contract, votes)


def endorse(
    key: Ed25519PrivateKey, institution: str = "north", *, at: datetime = NOW, changes: Changes | None = None
) -> Verified[MeasurementEndorsement]:
    """Sign that an institution rebuilt the factories' enclave."""
    endorsement = MeasurementEndorsement(
        institution=institution, profile="clinical", measurement=MEASUREMENT, files="f1" * 32, time=format_time(at)
    )
    return sign(changed(endorsement, changes or {}), key)


def withdraw(
    publisher: Ed25519PrivateKey,
    number: int = 1,
    *,
    at: datetime = NOW,
    changes: Changes | None = None,
    key: Ed25519PrivateKey | None = None,
    **named: str,
) -> Verified[WithdrawalList]:
    """Sign a list of withdrawals: ``withdraw(publisher, 2, measurement="ab" * 32, fmspc="00906ed50000")``."""
    withdrawals = WithdrawalList(
        publisher=public_key(publisher),
        number=number,
        issued=format_time(at),
        next_update=format_time(at + 30 * DAY),
        withdrawn=tuple(Withdrawn(**{kind: name}, reason=f"{kind} of the tests") for kind, name in named.items()),
    )
    return sign(changed(withdrawals, changes or {}), key or publisher)


def envelopes(documents: Sequence[Verified[Any]]) -> tuple[Envelope, ...]:
    """Return the envelopes of verified documents: what packs are made of."""
    return tuple(document.envelope for document in documents)
