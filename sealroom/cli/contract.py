"""``sealroom contract``: propose, show, list, approve, revoke."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from protocol.errors import AccessDenied
from sealroom.cli.options import (
    AsJson,
    AsMember,
    HomeOption,
    PassphraseFile,
    Yes,
    examples,
    noun,
    open_client,
)
from sealroom.cli.output import confirm, print_entries, print_json, print_text, say
from sealroom.cli.recipe import MaxRuns, Simulation, SlotDatasets

if TYPE_CHECKING:  # what needs the network or cryptography is loaded by the commands that use it
    from sealroom.studies import Judged

__all__ = ["ContractArgument", "app"]

app = noun("Propose, read, approve and revoke contracts.")

ContractArgument = Annotated[
    str, typer.Argument(metavar="CONTRACT", help="A file from `contract propose`, or a contract's name or its start.")
]


@app.command(
    "propose",
    epilog=examples(
        "contract propose recipe.toml --dataset a=hospital-a/lung --dataset b=hospital-b/lung \\\n"
        '      --purpose "Does age go with survival?" --out contract.json',
        "contract propose recipe.toml --dataset a=lung-a --dataset b=lung-b --recipient cox=hospital-a/ada \\\n"
        '      --purpose "..." --simulation --out contract.json',
    ),
)
def propose_contract(
    *,
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="TOML, as `sealroom recipe new` writes it.")],
    dataset: SlotDatasets,
    purpose: Annotated[str, typer.Option(help="What for, in words that approvers read.")],
    out: Annotated[Path, typer.Option(help="File for the signed documents of the study.")],
    recipient: Annotated[
        list[str] | None,
        typer.Option(help="OUTPUT=INSTITUTION/MEMBER [default: each output to every analyst of every owner]."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title [default: the recipe's].")] = None,
    expires: Annotated[int, typer.Option(help="Days; never beyond the owners' terms.", min=1, max=3650)] = 30,
    max_runs: MaxRuns = 1,
    measurement: Annotated[str | None, typer.Option(help="Which pinned measurement, if there are several.")] = None,
    simulation: Simulation = False,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """Sign a recipe and a contract and bring them to the broker.

    Datasets are taken from the broker and verified under your pins; labels are planned by the enclave program that is
    installed here; the terms are the strictest of all owners'. What cannot work is said here.
    """
    from sealroom.files import write_private
    from sealroom.proposals import Proposal, parse_pairs, propose
    from sealroom.recipe_files import load_recipe
    from sealroom.studies import pack_bytes

    draft = load_recipe(recipe)
    with open_client(home, passphrase_file, as_member, role="analyst") as client:
        proposal = Proposal(
            recipe=draft,
            datasets=client.datasets_for(dataset),
            recipients=parse_pairs(recipient or [], "--recipient"),
            purpose=purpose,
            title=title if title is not None else draft.title,
            days=expires,
            max_runs=max_runs,
            simulation=simulation,
            measurement=measurement,
        )
        pack, _ = propose(proposal, client.party, client.trust, client.institutions())
        client.submit(pack)
    write_private(out, pack_bytes(pack))
    if as_json:
        print_json({"contract": pack.contract.name, "recipe": pack.recipe.name, "file": str(out)})
    else:
        print_text(pack.contract.name)
        say(f"Each owner's approvers read it with `sealroom contract show {pack.contract.name[:16]}` and sign.")


@app.command("show", epilog=examples("contract show contract.json", "contract show 5d3f0c91a2 --json"))
def show(
    *,
    contract: ContractArgument,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """Say in plain words who learns what, from which data, on which terms.

    Everything is verified under your pins first and planned anew by the enclave program that is installed here. A file
    is read without a network.
    """
    with open_client(home, passphrase_file, as_member) as client:
        judged = client.study(contract)
    _show(judged, as_json=as_json)


@app.command("list", epilog=examples("contract list", "contract list --json"))
def list_contracts(
    *,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """List the contracts that pinned institutions proposed, with their state."""
    from sealroom.listing import ContractEntry

    with open_client(home, passphrase_file, as_member) as client:
        found = client.contracts()
    print_entries(ContractEntry.head, found.lines, as_json=as_json)


@app.command("approve", epilog=examples("contract approve contract.json", "contract approve 5d3f0c91a2 --yes"))
def approve(
    *,
    contract: ContractArgument,
    yes: Yes = False,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """Sign a contract as an approver, after reading it.

    The contract is shown in words first. Whatever it rests on has to be pinned: institutions, measurement, custodian.
    """
    from sealroom.votes import sign_approval
    from sealroom.words import contract_words

    with open_client(home, passphrase_file, as_member, role="approver") as client:
        judged = client.study(contract, current=True)
        judged.require_anchored()
        _ask(contract_words(judged), "Do you approve this contract?", yes=yes)
        answer = client.vote("approvals", sign_approval(judged, client.party))
    _finish(answer, "approved", as_json=as_json)


@app.command("revoke", epilog=examples('contract revoke 5d3f0c91a2 --reason "A subject withdrew consent"'))
def revoke(
    *,
    contract: ContractArgument,
    reason: Annotated[str, typer.Option(help="Why; all parties read it.")],
    yes: Yes = False,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_member: AsMember = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw your institution's consent to a contract. It cannot be taken back.

    Runs that have not released anything are stopped by the custodian. What was released before stays released. It takes
    the contract and your own institution, nothing else: no other party's documents, and no enclave program, are read.
    """
    from sealroom.votes import sign_revocation
    from sealroom.words import unverified_words

    with open_client(home, passphrase_file, as_member, role="approver") as client:
        found = client.contract(contract)
        _ask(unverified_words(found), "Do you revoke this contract for good?", yes=yes)
        answer = client.vote("revocations", sign_revocation(found, client.party, reason))
    _finish(answer, "revoked", as_json=as_json)


def _show(judged: "Judged", *, as_json: bool) -> None:
    from sealroom.words import contract_fields, contract_words

    if as_json:
        print_json(contract_fields(judged))
    else:
        print_text(contract_words(judged))


def _ask(words: str, question: str, *, yes: bool) -> None:
    say(words)
    if not yes and not confirm(f"\n{question}"):
        raise AccessDenied("NOT_CONFIRMED", "Nothing was signed. Answer yes on a terminal, or give --yes.")


def _finish(answer: dict[str, Any], done: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        print_text(f"{answer['name']} {answer['state']}")
        say(f"You {done} it; at the broker the contract is now {answer['state']}.")
