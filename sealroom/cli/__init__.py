"""The command ``sealroom``: nouns and verbs, one module a noun, loaded when it is used.

Data goes to standard output, and only data; messages and progress go to standard error. With ``--json`` standard
output holds exactly one JSON value: the answer or, where the exit status is not 0, the problem object of the error.
"""

import importlib
import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any

import typer
import typer.core
import typer.exceptions
from typer.main import get_command

from protocol.errors import SealroomError

__all__ = ["main"]


@dataclass(frozen=True, slots=True)
class Noun:
    """Where a command lives and what it is for; the line stands here so that help need not load the module."""

    module: str
    attribute: str
    line: str


NOUNS: dict[str, Noun] = {
    "demo": Noun("sealroom.demo.command", "demo", "A whole study of three or four institutions on this machine."),
    "institution": Noun("sealroom.cli.institution", "app", "Make your institution, show it, join a broker."),
    "member": Noun("sealroom.cli.member", "app", "Give people roles and keys."),
    "trust": Noun("sealroom.cli.trust", "app", "Pins: decide whom and what you trust."),
    "dataset": Noun("sealroom.cli.dataset", "app", "Check, seal and upload datasets."),
    "recipe": Noun("sealroom.cli.recipe", "app", "Choose an analysis and write it down."),
    "contract": Noun("sealroom.cli.contract", "app", "Propose, read, approve and revoke contracts."),
    "run": Noun("sealroom.cli.run", "app", "Start runs and wait for them."),
    "result": Noun("sealroom.cli.result", "app", "Fetch and open results."),
    "attestation": Noun(
        "sealroom.cli.attestation", "app", "Read appraisal policies in words, and have evidence explained."
    ),
    "collateral": Noun("sealroom.cli.collateral", "app", "Fetch and read what quotes are judged with."),
    "verify": Noun("sealroom.cli.verify", "verify", "Verify a result bundle, offline."),
    "profile": Noun("sealroom.cli.profile", "app", "Build enclave profiles, measure builds, check Gramine manifests."),
    "endorsement": Noun(
        "sealroom.cli.reference", "endorsements", "Say that your institution rebuilt an enclave, and read who did."
    ),
    "withdrawal": Noun(
        "sealroom.cli.reference", "withdrawals", "Publish and read lists of withdrawn code, platforms and advisories."
    ),
    "broker": Noun("sealroom.cli.services", "broker", "Serve a broker (operator)."),
    "simulator": Noun("sealroom.cli.services", "simulator", "Serve a simulated platform (operator)."),
    "host": Noun("sealroom.cli.services", "host", "Run enclaves (operator)."),
}

EPILOG = """\b
Exit status: 0 done; 1 internal or interrupted; 2 usage; 3 something is not pinned; 4 document or data;
5 attestation; 6 access; 7 analysis; 8 disclosure; 9 storage; 10 transport.

\b
Start here:
  sealroom demo
  sealroom institution init --short hospital-a --name "Hospital A"
"""


class UsageProblem(SealroomError):  # noqa: N818 - no family of errors: it never leaves this command line
    """The command line itself is wrong: its words, options or values."""

    family = "usage"
    http_status = 400
    exit_code = 2


class LazyGroup(typer.core.TyperGroup):
    """A group that loads a noun's module only when the noun is used."""

    describing = False

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - Typer's own context type is private
        """Return the nouns that are installed."""
        return [name for name, noun in NOUNS.items() if _installed(noun.module)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002 - as above
        """Load a noun, or while help is written only name it."""
        noun = NOUNS.get(cmd_name)
        if noun is None or not _installed(noun.module):
            return None
        if self.describing:
            return typer.core.TyperGroup(name=cmd_name, help=noun.line)
        return get_command(getattr(importlib.import_module(noun.module), noun.attribute))

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write help from the table of nouns alone."""
        self.describing = True
        super().format_help(ctx, formatter)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    given = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in given
    root = typer.Typer(
        cls=LazyGroup,
        help="A clean room for biomedical partners: compute together on data that nobody shows.",
        epilog=EPILOG,
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    root.callback()(_root)
    try:
        # With --json an error of usage is ours to print, as any other; without, Typer says it with a line of usage.
        sys.exit(get_command(root)(args=given, prog_name="sealroom", standalone_mode=not as_json))
    except typer.exceptions.TyperException as error:
        usage = UsageProblem("USAGE", error.format_message() if isinstance(error, typer.BadParameter) else str(error))
        _report(usage, as_json=as_json)
        sys.exit(usage.exit_code)
    except typer.Abort:
        stopped = SealroomError("ABORTED", "The input ended before there was an answer.")
        _report(stopped, as_json=as_json)
        sys.exit(stopped.exit_code)
    except SealroomError as error:
        _report(error, as_json=as_json)
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("SEALROOM_DEBUG") == "1":
            raise
        # The text of a foreign exception may quote a cell or a key: only its type is shown.
        kind = type(error).__name__
        unexpected = SealroomError("INTERNAL", f"Unexpected {kind}; set SEALROOM_DEBUG=1 to see where, and report it.")
        _report(unexpected, as_json=as_json)
        sys.exit(unexpected.exit_code)


def _version(wanted: bool) -> None:  # noqa: FBT001 - Typer hands the option's value on
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"sealroom {version('sealroom')}\n")
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a noun; ``--version`` has ended the program by now."""
    del version


def _report(error: SealroomError, *, as_json: bool) -> None:
    from sealroom.cli.output import print_json, say

    if as_json:
        print_json(error.problem())
    else:
        say(f"{error.code}: {error.detail}")


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
