"""``sealroom endorsement`` and ``sealroom withdrawal``: sign, read and send what enclaves are compared with."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from protocol.errors import DocumentError, StorageError
from sealroom.cli.options import (
    AsJson,
    AsMember,
    HomeOption,
    PassphraseFile,
    examples,
    noun,
    open_client,
    open_home,
    open_keystore,
)
from sealroom.cli.output import print_json, print_text, say
from sealroom.files import read_bounded, write_new
from sealroom.home import fingerprint

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from protocol.documents.reference import MeasurementEndorsement, WithdrawalList
    from protocol.dsse import Verified

__all__ = ["endorsements", "withdrawals"]

endorsements = noun("Say that your institution rebuilt an enclave, and read who did.")
withdrawals = noun("Publish and read lists of withdrawn code, platforms and advisories.")
ENDORSER, PUBLISHER = "endorser", "withdrawals"
"""The names of the two keys in a home's keystore; neither is used for anything else."""
KINDS = ("measurement", "ppid", "fmspc", "advisory")

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The signed document.")]
Out = Annotated[Path, typer.Option(help="File to write; it must not be there yet.")]


@endorsements.command("key", epilog=examples("endorsement key", "endorsement key --json"))
def endorser_key(*, home: HomeOption = None, passphrase_file: PassphraseFile = None, as_json: AsJson = False) -> None:
    """Show your institution's endorser key, made at the first call.

    Whoever lets your endorsements count writes this key into their appraisal policy. Have them compare it with you by
    voice or on paper.
    """
    institution = open_home(home).institution().document.short
    key = _key(home, passphrase_file, ENDORSER)
    if as_json:
        print_json({"institution": institution, "key": key})
    else:
        print_text(f'endorsers = [{{ institution = "{institution}", key = "{key}" }}]')
    say(fingerprint(key))


@endorsements.command(
    "sign",
    epilog=examples(
        "endorsement sign --profile clinical --measurement 1f0c...e2 --files 77ab...01 --out endorsement.json"
    ),
)
def sign_endorsement(
    *,
    profile: Annotated[str, typer.Option(help="Enclave profile: clinical, discovery or genomics.")],
    measurement: Annotated[str, typer.Option(help="MRENCLAVE that your own build gave, 64 hex digits.")],
    files: Annotated[str, typer.Option(help="What `profile measure` gives for files, 64 hex digits.")],
    out: Out,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign that your institution rebuilt an enclave and came to this measurement. Sign only what you built yourself."""
    from protocol.documents.reference import MeasurementEndorsement
    from protocol.dsse import sign
    from sealroom.times import now
    from sealroom.typed import typed

    place = open_home(home)
    fields = {
        "institution": place.institution().document.short,
        "profile": profile,
        "measurement": measurement,
        "files": files,
        "time": now(),
    }
    document = typed(MeasurementEndorsement, fields, where="endorsement")
    key = _signing(home, passphrase_file, ENDORSER, "endorsement")
    _write(sign(document, key), out, as_json=as_json)


@endorsements.command("show", epilog=examples("endorsement show endorsement.json"))
def show_endorsement(*, file: FileArgument, as_json: AsJson = False) -> None:
    """Show an endorsement and the key that signed it. Whether that key counts is for your appraisal policy to say."""
    from protocol.documents.reference import MeasurementEndorsement

    _show(_read(file, MeasurementEndorsement), as_json=as_json)


@endorsements.command("send", epilog=examples("endorsement send endorsement.json"))
def send_endorsement(
    *,
    file: FileArgument,
    member: AsMember = None,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Bring an endorsement to the broker's custodian, as a steward. Its appraisal policy must name the endorser."""
    from protocol.documents.reference import MeasurementEndorsement

    found = _read(file, MeasurementEndorsement)
    _send("/v1/custodian/endorsements", found, member, home, passphrase_file, as_json=as_json)


@withdrawals.command("key", epilog=examples("withdrawal key", "withdrawal key --json"))
def publisher_key(*, home: HomeOption = None, passphrase_file: PassphraseFile = None, as_json: AsJson = False) -> None:
    """Show the key with which you publish withdrawal lists, made at the first call.

    Whoever obeys your lists writes this key into their appraisal policy. From then on they need one of your lists.
    """
    key = _key(home, passphrase_file, PUBLISHER)
    if as_json:
        print_json({"key": key})
    else:
        print_text(f'withdrawal_publishers = ["{key}"]')
    say(fingerprint(key))


@withdrawals.command(
    "sign",
    epilog=examples(
        "withdrawal sign --days 30 --out list-1.json",
        'withdrawal sign --from list-1.json --add measurement=1f0c...e2 --reason "Leaks" --days 30 --out list-2.json',
    ),
)
def sign_withdrawals(
    *,
    out: Out,
    days: Annotated[
        int, typer.Option(help="Days until the next list is due; from then on nothing is released.", min=1, max=3650)
    ],
    add: Annotated[
        list[str] | None, typer.Option(help="measurement=HEX, ppid=HEX, fmspc=HEX or advisory=ID; repeatable.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for people; of all that is added.")] = None,
    previous: Annotated[
        Path | None, typer.Option("--from", help="Your newest list: its entries are kept, its number is counted up.")
    ] = None,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign the next withdrawal list. Without --from it is number 1, which replaces no other list anywhere."""
    from protocol.documents.reference import WithdrawalList
    from protocol.dsse import public_key, sign
    from sealroom.times import in_days, now
    from sealroom.typed import typed

    if bool(add) != (reason is not None):
        raise typer.BadParameter("--add and --reason go together")
    key = _signing(home, passphrase_file, PUBLISHER, "withdrawal")
    before = None
    if previous is not None:
        before = _read(previous, WithdrawalList).document
        if before.publisher != public_key(key):
            raise DocumentError(
                "PUBLISHER",
                f"{previous} is a list of publisher {before.publisher[:16]}; yours is {public_key(key)[:16]}.",
            )
    kept = [] if before is None else [entry.model_dump(mode="json") for entry in before.withdrawn]
    fields = {
        "publisher": public_key(key),
        "number": 1 if before is None else before.number + 1,
        "issued": now(),
        "next_update": in_days(days),
        "withdrawn": [*kept, *(_entry(text, reason) for text in add or ())],
    }
    _write(sign(typed(WithdrawalList, fields, where="withdrawal list"), key), out, as_json=as_json)


@withdrawals.command("show", epilog=examples("withdrawal show list-2.json"))
def show_withdrawals(*, file: FileArgument, as_json: AsJson = False) -> None:
    """Show a withdrawal list. Whether its publisher is obeyed is for your appraisal policy to say."""
    from protocol.documents.reference import WithdrawalList

    _show(_read(file, WithdrawalList), as_json=as_json)


@withdrawals.command("send", epilog=examples("withdrawal send list-2.json"))
def send_withdrawals(
    *,
    file: FileArgument,
    member: AsMember = None,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Bring a withdrawal list to the broker's custodian, as a steward. Its appraisal policy must name the publisher."""
    from protocol.documents.reference import WithdrawalList

    found = _read(file, WithdrawalList)
    _send("/v1/custodian/withdrawals", found, member, home, passphrase_file, as_json=as_json)


def _key(home: Path | None, passphrase_file: Path | None, name: str) -> str:
    """Return the public key of one of the two keys, which is made where it is not there."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from protocol.dsse import public_key

    keys = open_keystore(open_home(home), passphrase_file)
    if not keys.has(name):
        keys.keep_signing(name, Ed25519PrivateKey.generate())
    return public_key(keys.signing(name))


def _signing(home: Path | None, passphrase_file: Path | None, name: str, noun_: str) -> "Ed25519PrivateKey":
    keys = open_keystore(open_home(home), passphrase_file)
    if not keys.has(name):
        raise StorageError("KEY_MISSING", f"There is no key to sign with yet; `sealroom {noun_} key` makes it.")
    return keys.signing(name)


def _entry(text: str, reason: str | None) -> dict[str, Any]:
    kind, _, name = text.partition("=")
    if kind not in KINDS:
        raise typer.BadParameter(f"--add takes KIND=NAME with a KIND of {', '.join(KINDS)}")
    return {kind: name, "reason": reason}


def _read(file: Path, kind: "type[Any]") -> "Verified[Any]":
    """Read a document and verify it under the key that it names itself."""
    from protocol.dsse import MAX_DOCUMENT, Envelope, Unverified

    found = Unverified.parse(Envelope.from_bytes(read_bounded(file, MAX_DOCUMENT)), kind)
    return found.verify(getattr(found.claimed, "publisher", found.envelope.signatures[0].keyid))


def _write(signed: "Verified[Any]", out: Path, *, as_json: bool) -> None:
    write_new(out, signed.envelope.to_bytes())
    _show(signed, as_json=as_json)
    say(f"Written to {out}.")


def _show(found: "Verified[Any]", *, as_json: bool) -> None:
    from protocol.documents.reference import MeasurementEndorsement

    document = found.document
    if as_json:
        print_json({"name": found.name, "signer": found.signer} | document.model_dump(mode="json", exclude_none=True))
    elif isinstance(document, MeasurementEndorsement):
        print_text("\n".join(_endorsement_lines(document)))
        print_text(f"signed with key  {found.signer}")
    else:
        print_text("\n".join(_withdrawal_lines(document)))


def _endorsement_lines(document: "MeasurementEndorsement") -> list[str]:
    return [
        f"{document.institution} says that it rebuilt profile {document.profile} at {document.time}",
        f"measurement      {document.measurement}",
        f"files            {document.files}",
    ]


def _withdrawal_lines(document: "WithdrawalList") -> list[str]:
    lines = [
        f"Withdrawal list {document.number} of {document.issued}; a newer one is due at {document.next_update}",
        f"publisher    {document.publisher}",
    ]
    for entry in document.withdrawn:
        kind = next(kind for kind in KINDS if getattr(entry, kind) is not None)
        lines.append(f"{kind:<12} {getattr(entry, kind)}  {entry.reason}")
    return lines if document.withdrawn else [*lines, "It withdraws nothing."]


def _send(
    path: str,
    found: "Verified[Any]",
    member: str | None,
    home: Path | None,
    passphrase_file: Path | None,
    *,
    as_json: bool,
) -> None:
    with open_client(home, passphrase_file, member, "steward") as client:
        client.broker.put(path, found.envelope.to_bytes())
    _show(found, as_json=as_json)
    say("The custodian holds it.")
