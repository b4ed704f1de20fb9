"""Options that many commands share, and what they add up to: a party that acts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sealroom.home import Home, default_home
from sealroom.keystore import Keystore, Passphrase

if TYPE_CHECKING:  # the network is loaded by the commands that use it
    from protocol.documents.institution import Role
    from sealroom.client import Client

__all__ = [
    "AsJson",
    "AsMember",
    "HomeOption",
    "PassphraseFile",
    "Yes",
    "examples",
    "noun",
    "open_client",
    "open_home",
    "open_keystore",
]

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar="SEALROOM_HOME", help="Folder of this institution [default: your user folder]."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value on standard output.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        envvar="SEALROOM_PASSPHRASE_FILE",
        help="File whose first line opens the keys [default: ask on the terminal].",
    ),
]
AsMember = Annotated[
    str | None, typer.Option("--as", help="Member who acts [default: the only one with the role that is needed].")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; you have read what is shown.")]


def noun(line: str) -> typer.Typer:
    """Return an empty group of commands."""
    app = typer.Typer(help=line, no_args_is_help=True, rich_markup_mode=None, add_completion=False)

    @app.callback()
    def callback() -> None:
        """Keep the verb in the command even where there is only one."""

    callback.__doc__ = line
    return app


def examples(*lines: str) -> str:
    """Return the block of examples that ends a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  sealroom {line}" for line in lines)


def open_home(home: Path | None) -> Home:
    """Return the home that was named, or the user's own."""
    return Home(home if home is not None else default_home())


def open_client(
    home: Path | None, passphrase_file: Path | None, member: str | None, role: "Role | None" = None
) -> "Client":
    """Return what a member asks the broker with; who acts is settled here, the connection is made when it is needed."""
    from sealroom.client import Client

    place = open_home(home)
    return Client(place, keys=open_keystore(place, passphrase_file), member=member, role=role)


def open_keystore(home: Home, passphrase_file: Path | None) -> Keystore:
    """Return the keystore of a home; the passphrase is asked for when the first key is needed."""
    return Keystore(home.keys, Passphrase(passphrase_file))
