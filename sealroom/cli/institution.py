"""``sealroom institution``: make, show, join."""

from pathlib import Path
from typing import Annotated, Any

import typer

from protocol.documents.institution import Institution
from sealroom.cli.options import AsJson, HomeOption, PassphraseFile, examples, noun, open_home, open_keystore
from sealroom.cli.output import print_json, print_text, say
from sealroom.home import fingerprint
from sealroom.trust import InstitutionPin, Trust, save_trust, with_institution

__all__ = ["app", "describe_institution", "institution_fields"]

app = noun("Make your institution, show it, join a broker.")

COMPARE = (
    "Read this fingerprint to every partner over the telephone, or hand it over on paper, and have them pin it with "
    "`sealroom trust add-institution`. A broker that lied about it could otherwise put its own keys in place of yours."
)


@app.command(
    "init",
    epilog=examples(
        'institution init --short hospital-a --name "Hospital A"',
        'institution init --short hospital-a --name "Hospital A" --passphrase-file pass.txt --json',
    ),
)
def init(
    *,
    short: Annotated[str, typer.Option(help="Short name for programs: lower-case letters, digits, dots, dashes.")],
    name: Annotated[str, typer.Option(help="Full name for people.")],
    days: Annotated[int, typer.Option(help="Days until the institution has to be signed anew.", min=1)] = 730,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Make the root key of your institution and sign it.

    The root key is the institution's identity. It is sealed under your passphrase, in the keys folder of --home, and is
    the first of your pins.
    """
    from sealroom.institutions import make_institution
    from sealroom.keystore import ABOUT_LOSS

    place = open_home(home)
    made = make_institution(place, open_keystore(place, passphrase_file), short=short, name=name, days=days).document
    # Its own root needs no comparing: with it pinned, trust.toml alone verifies a bundle anywhere.
    trust = place.trust() if place.trust_file.exists() else Trust()
    save_trust(with_institution(trust, InstitutionPin(short=made.short, root=made.root)), place.trust_file)
    if as_json:
        print_json(institution_fields(made) | {"home": str(place.folder)})
    else:
        print_text(describe_institution(made))
    say(f"\n{COMPARE}\n\n{ABOUT_LOSS}")


@app.command("show", epilog=examples("institution show", "institution show --fingerprint"))
def show(
    *,
    only_fingerprint: Annotated[bool, typer.Option("--fingerprint", help="Print only the root fingerprint.")] = False,
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Show your institution, its members and its fingerprint."""
    institution = open_home(home).institution().document
    if as_json:
        print_json(institution_fields(institution))
    elif only_fingerprint:
        print_text(institution.root)
    else:
        print_text(describe_institution(institution))


@app.command(
    "join",
    epilog=examples(
        "institution join --broker https://broker.example --invite-file invite.txt",
        "institution join   (again, after members were added elsewhere)",
    ),
)
def join(
    *,
    broker: Annotated[str | None, typer.Option(help="Address of the broker; remembered.")] = None,
    invite_file: Annotated[Path | None, typer.Option(help="File that holds the broker's invitation.")] = None,
    home: HomeOption = None,
    as_json: AsJson = False,
) -> None:
    """Bring your signed institution to a broker.

    The first time takes an invitation. Nothing that the broker answers becomes a pin: compare fingerprints with your
    partners yourself, and get the custodian's keys from its operator.
    """
    from sealroom.files import read_bounded
    from sealroom.registry import upload_institution

    place = open_home(home)
    invite = read_bounded(invite_file, 4096).decode("ascii", "replace").strip() if invite_file else None
    address = upload_institution(place, broker, invite)
    institution = place.institution().document
    if as_json:
        print_json({"broker": address, "root": institution.root, "serial": institution.serial})
    else:
        print_text(f"{institution.short} (serial {institution.serial}) is known to {address}")
    say("Its partners still have to pin your fingerprint: `sealroom institution show --fingerprint`.")


def institution_fields(institution: Institution) -> dict[str, Any]:
    """Return what ``--json`` shows of an institution."""
    return {
        "short": institution.short,
        "name": institution.name,
        "fingerprint": institution.root,
        "serial": institution.serial,
        "expires": institution.expires,
        "members": [
            {"id": member.id, "name": member.name, "roles": list(member.roles)} for member in institution.members
        ],
    }


def describe_institution(institution: Institution) -> str:
    """Return an institution in words, its fingerprint grouped for reading aloud."""
    lines = [
        f"{institution.name} ({institution.short})",
        "Fingerprint of the root key:",
        fingerprint(institution.root),
        f"Serial {institution.serial}, valid until {institution.expires}",
    ]
    lines += [f"  {member.id}: {member.name} ({', '.join(member.roles)})" for member in institution.members]
    return "\n".join(lines)
