"""``sealroom member``: people, roles, keys."""

from enum import StrEnum
from typing import Annotated

import typer

from protocol.documents.institution import Institution
from sealroom.cli.institution import institution_fields
from sealroom.cli.options import AsJson, HomeOption, PassphraseFile, examples, noun, open_home, open_keystore
from sealroom.cli.output import print_json, print_rows, say
from sealroom.home import Home

__all__ = ["app"]

app = noun("Give people roles and keys.")


class RoleChoice(StrEnum):
    """The roles of ``protocol.documents.institution.Role``, in the form that the command line takes."""

    STEWARD = "steward"
    APPROVER = "approver"
    ANALYST = "analyst"


@app.command(
    "add",
    epilog=examples(
        'member add ada --name "Ada Example" --role steward',
        'member add bob --name "Bob Example" --role approver --role analyst',
    ),
)
def add(
    *,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Short name for programs.")],
    name: Annotated[str, typer.Option(help="Name for people.")],
    role: Annotated[list[RoleChoice], typer.Option(help="steward, approver or analyst; give it once for each role.")],
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Make keys for a person, one for each use, and sign the institution anew.

    The keys are made in this home and sealed under its passphrase: whoever holds both acts as this member. One home
    holds all members of an institution; separate homes for separate people are not built yet. Where the institution
    has joined a broker, the new version is brought there.
    """
    from sealroom.institutions import add_member

    place = open_home(home)
    roles = [choice.value for choice in role]
    made = add_member(place, open_keystore(place, passphrase_file), identifier=identifier, name=name, roles=roles)
    _finish(place, made.document, as_json=as_json)


@app.command("remove", epilog=examples("member remove bob"))
def remove(
    *,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Who leaves.")],
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign the institution anew without a member.

    Contracts and datasets that this member signed no longer verify with the new version. Key files stay, since
    results may be sealed to them.
    """
    from sealroom.institutions import remove_member

    place = open_home(home)
    left = remove_member(place, open_keystore(place, passphrase_file), identifier=identifier)
    _finish(place, left.document, as_json=as_json)


@app.command("list", epilog=examples("member list", "member list --json"))
def list_members(*, home: HomeOption = None, as_json: AsJson = False) -> None:
    """List the members of your institution."""
    _print(open_home(home).institution().document, as_json=as_json)


def _finish(place: Home, institution: Institution, *, as_json: bool) -> None:
    from sealroom.registry import upload_institution

    if place.broker() is not None:
        address = upload_institution(place, None, None)
        say(f"Serial {institution.serial} of {institution.short} was brought to {address}.")
    _print(institution, as_json=as_json)


def _print(institution: Institution, *, as_json: bool) -> None:
    if as_json:
        print_json(institution_fields(institution))
    else:
        rows = [(member.id, ", ".join(member.roles), member.name) for member in institution.members]
        print_rows(("member", "roles", "name"), rows)
