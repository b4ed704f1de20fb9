"""``sealroom run``: start, wait, list, status."""

from typing import TYPE_CHECKING, Annotated

import typer

from sealroom.cli.options import AsJson, AsMember, HomeOption, PassphraseFile, examples, noun, open_client
from sealroom.cli.output import print_entries, print_json, print_text, say

if TYPE_CHECKING:  # the network is loaded by the commands that use it
    from sealroom.listing import RunEntry

__all__ = ["app"]

app = noun("Start runs and wait for them.")

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, 32 hex digits.")]


@app.command("start", epilog=examples("run start --contract contract.json", "run start --contract 5d3f0c91a2 --json"))
def start(
    *,
    contract: Annotated[str, typer.Option(help="A file from `contract propose`, or a contract's name or its start.")],
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """Start a run of an approved contract. It is charged once, when keys are released."""
    with open_client(home, passphrase_file, as_member, role="analyst") as client:
        run = client.start_run(client.contract_name(contract))
    if as_json:
        print_json(run.fields())
    else:
        print_text(run.run)
        say(f"The run is {run.state}. Next: sealroom run wait {run.run}")


@app.command("wait", epilog=examples("run wait 0123456789abcdef0123456789abcdef --timeout 600"))
def wait(
    *,
    run: RunArgument,
    timeout: Annotated[float, typer.Option(help="Seconds.", min=0.0)] = 3600.0,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """Wait until a run has ended; the exit status is 0 only if it finished with a result."""
    with open_client(home, passphrase_file, as_member) as client:
        ended = client.wait(run, timeout, lambda entry: say(f"{entry.run} {entry.state}"))
    _print(ended, as_json=as_json)


@app.command("status", epilog=examples("run status 0123456789abcdef0123456789abcdef"))
def status(
    *,
    run: RunArgument,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """Show the state of a run."""
    with open_client(home, passphrase_file, as_member) as client:
        _print(client.run(run), as_json=as_json)


@app.command("list", epilog=examples("run list", "run list --json"))
def list_runs(
    *,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """List the runs of contracts that your institution is a party of."""
    from sealroom.listing import RunEntry

    with open_client(home, passphrase_file, as_member) as client:
        found = client.runs()
    print_entries(RunEntry.head, found, as_json=as_json)


def _print(run: "RunEntry", *, as_json: bool) -> None:
    if as_json:
        print_json(run.fields())
    else:
        print_text(f"{run.run} {run.state}")
        if run.code:
            say(f"{run.code}: {run.detail}")
