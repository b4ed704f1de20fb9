"""The folder of one institution on one machine.

::

    config.toml        which broker it joined
    institution.json   the institution, signed by its root key
    trust.toml         its pins
    custodians/        public keys of pinned custodians
    keys/              private keys, each in a file of its own, sealed under the passphrase
    serials.json       newest serial seen of each institution
    lineages/          which versions of which dataset were sealed
"""

from dataclasses import dataclass
from pathlib import Path

from protocol.canonical import canonical_bytes
from protocol.documents.dataset import CustodianKeys
from protocol.documents.institution import Institution, Member, Role
from protocol.dsse import MAX_DOCUMENT, Envelope, Verified, load_document
from protocol.errors import AccessDenied, DocumentError
from protocol.flat_toml import load_flat_toml
from protocol.governance import verify_institution
from protocol.types import decode_base64
from sealroom.files import read_bounded, write_private
from sealroom.trust import Trust, custodian_pin, load_trust

__all__ = ["Home", "default_home", "fingerprint"]

MAX_CONFIG = 65_536


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything of this institution lies; files are read when they are asked for."""

    folder: Path

    @property
    def keys(self) -> Path:
        """The folder of sealed private keys."""
        return self.folder / "keys"

    @property
    def lineages(self) -> Path:
        """The folder of dataset lineages."""
        return self.folder / "lineages"

    @property
    def custodians(self) -> Path:
        """The folder of public keys of pinned custodians."""
        return self.folder / "custodians"

    @property
    def institution_file(self) -> Path:
        """The signed institution."""
        return self.folder / "institution.json"

    @property
    def trust_file(self) -> Path:
        """The pins."""
        return self.folder / "trust.toml"

    @property
    def config_file(self) -> Path:
        """The configuration."""
        return self.folder / "config.toml"

    def institution(self) -> Verified[Institution]:
        """Return this institution; raise ``DocumentError`` with code ``NO_INSTITUTION`` where none was made."""
        if not self.institution_file.is_file():
            raise DocumentError(
                "NO_INSTITUTION", f"{self.folder} holds no institution; make one with `sealroom institution init`."
            )
        return verify_institution(Envelope.from_bytes(read_bounded(self.institution_file, MAX_DOCUMENT)))

    def save_institution(self, institution: Verified[Institution]) -> None:
        """Keep a new version of this institution."""
        write_private(self.institution_file, institution.envelope.to_bytes())

    def trust(self) -> Trust:
        """Return the pins; the errors are those of ``load_trust``."""
        return load_trust(self.trust_file)

    def broker(self) -> str | None:
        """Return the address of the broker that was joined, or None."""
        if not self.config_file.is_file():
            return None
        try:
            text = read_bounded(self.config_file, MAX_CONFIG).decode("utf-8")
            found = load_flat_toml(text, where=f"{self.config_file} is not TOML").get("broker")
        except UnicodeDecodeError as error:
            raise DocumentError("CONFIG", f"{self.config_file} is not UTF-8: {error.reason}.") from error
        except DocumentError as error:
            raise DocumentError("CONFIG", error.detail) from error
        if found is not None and not isinstance(found, str):
            raise DocumentError("CONFIG", f"{self.config_file}: broker is the address of a broker, as text.")
        return found

    def save_broker(self, address: str) -> None:
        """Remember the broker."""
        import tomli_w

        write_private(self.config_file, tomli_w.dumps({"broker": address}).encode("utf-8"))

    def save_custodian(self, keys: CustodianKeys) -> None:
        """Keep the public keys of a custodian that was pinned."""
        write_private(self.custodians / f"{keys.signing}.json", canonical_bytes(keys.model_dump(mode="json")))

    def custodian(self, named: str | None) -> CustodianKeys:
        """Return the keys of the pinned custodian named by its fingerprint or signing key, or of the only one.

        Raises
        ------
        AccessDenied
            ``CUSTODIAN`` where none or several are pinned, or the keys are not the pinned ones.
        """
        pins = [pin for pin in self.trust().custodians if named in {None, pin.signing, pin.fingerprint}]
        if not pins:
            which = "No custodian is pinned" if named is None else f"The custodian {named} is not pinned"
            raise AccessDenied("CUSTODIAN", f"{which}; pin one with `sealroom trust add-custodian`.")
        if len(pins) > 1:
            which = ", ".join(pin.fingerprint for pin in pins)
            raise AccessDenied("CUSTODIAN", f"{len(pins)} custodians are pinned: {which}. Say which with --custodian.")
        data = read_bounded(self.custodians / f"{pins[0].signing}.json", MAX_CONFIG)
        keys = load_document(CustodianKeys, data, limit=MAX_CONFIG)
        if custodian_pin(keys.signing, decode_base64(keys.encryption)) != pins[0]:
            raise AccessDenied("CUSTODIAN", f"The keys in {self.custodians} are not the pinned ones; pin them again.")
        return keys

    def member(self, role: Role, named: str | None) -> Member:
        """Return the member who acts: the named one, or the only one with the role.

        Raises
        ------
        AccessDenied
            ``MEMBER_UNKNOWN``, ``ROLE``, or ``MEMBER_CHOICE`` where nobody or several could act.
        """
        institution = self.institution().document
        if named is not None:
            member = institution.member(named)
            if member is None:
                raise AccessDenied("MEMBER_UNKNOWN", f"{institution.short} has no member {named}.")
            if role not in member.roles:
                raise AccessDenied("ROLE", f"{named} is {', '.join(member.roles)}; this takes the role {role}.")
            return member
        able = [member for member in institution.members if role in member.roles]
        if len(able) != 1:
            who = ", ".join(member.id for member in able) or "nobody"
            raise AccessDenied("MEMBER_CHOICE", f"The role {role} is held by {who}; say who acts with --as ID.")
        return able[0]


def default_home() -> Path:
    """Return the user's own folder."""
    import platformdirs

    return Path(platformdirs.user_data_dir("sealroom", appauthor=False))


def fingerprint(key: str) -> str:
    """Group 64 hex digits for reading aloud: four lines of four groups of four."""
    groups = [key[index : index + 4] for index in range(0, len(key), 4)]
    return "\n".join("  " + " ".join(groups[index : index + 4]) for index in range(0, len(groups), 4))
