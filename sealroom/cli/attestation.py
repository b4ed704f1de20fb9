"""``sealroom attestation``: read appraisal policies in words, and have evidence explained."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from protocol.errors import AttestationError, DocumentError
from protocol.types import format_time
from sealroom.cli.options import AsJson, examples, noun
from sealroom.cli.output import print_json, print_text, say
from sealroom.files import read_bounded

if TYPE_CHECKING:
    from attestation.policy import AppraisalPolicy
    from attestation.roots import HardwareRoot

__all__ = ["app"]

app = noun("Read appraisal policies in words, and have evidence explained.")
policies = noun("Appraisal policies in words.")
app.add_typer(policies, name="policy")
MAX_FILE = 4 * 2**20
REFUSED = AttestationError.exit_code

PolicyFile = Annotated[Path, typer.Argument(metavar="FILE", help="An appraisal policy, TOML.")]


@policies.command("show", epilog=examples("attestation policy show appraisal.toml"))
def show_policy(file: PolicyFile, *, as_json: AsJson = False) -> None:
    """Say in sentences what an appraisal policy accepts and what it does not look at."""
    from attestation.policy_words import describe_policy

    sentences = describe_policy(_policy(file))
    if as_json:
        print_json(sentences)
    else:
        print_text("\n".join(sentences))


@policies.command("diff", epilog=examples("attestation policy diff old.toml new.toml"))
def diff_policies(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The appraisal policy of now.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The one that may take its place.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Say what a new appraisal policy accepts more (LOOSER) and less (stricter) than an old one."""
    from attestation.policy_words import describe_changes
    from sealroom.policy_change import change_lines

    changes = describe_changes(_policy(old), _policy(new))
    if as_json:
        print_json([{"key": item.key, "effect": item.effect, "sentence": item.sentence} for item in changes])
    elif changes:
        print_text("\n".join(change_lines(changes)))
    else:
        say("Both accept the same.")


@app.command(
    "explain",
    epilog=examples(
        "attestation explain evidence.json --policy appraisal.toml",
        "attestation explain lung.sealroom --trust trust.toml",
        "attestation explain quote.bin --collateral collateral.json --policy appraisal.toml --at 2026-01-31T12:00:00Z",
    ),
)
def explain(
    *,
    evidence: Annotated[Path, typer.Argument(metavar="EVIDENCE", help="Evidence, a result bundle, or a bare quote.")],
    policy: Annotated[
        Path | None, typer.Option("--policy", help="The appraisal policy [default: that of --trust].")
    ] = None,
    trust: Annotated[Path | None, typer.Option("--trust", help="Your pins, for their roots and policy.")] = None,
    root: Annotated[
        Path | None, typer.Option("--root", help="A root certificate, PEM [default: those of --trust, or Intel's].")
    ] = None,
    collateral: Annotated[
        Path | None, typer.Option("--collateral", help="Collateral of a bare quote, JSON as dcap-qvl writes it.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="Judge as of 2026-01-31T12:00:00Z, or of the release that a `bundle` states [default: now].",
        ),
    ] = None,
    endorsements: Annotated[
        list[Path] | None, typer.Option("--endorsement", help="An endorsement of a measurement; may be given again.")
    ] = None,
    withdrawals: Annotated[
        list[Path] | None, typer.Option("--withdrawals", help="A withdrawal list; may be given again.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain evidence claim by claim: what was found, what the policy wants, what to do.

    Exit status 0 if every claim holds, 5 if one is refused. No contract is at hand here, so whether the measurement is
    the agreed one is left out, as are contract, run and nonces: `sealroom verify` judges a bundle with its contract.
    The time of `--at bundle` is the bundle's own word: whoever made the file may have chosen it.
    """
    from sealroom.evidence_files import judge_file, read_evidence, read_reference
    from sealroom.explanation import explain_json, explain_text

    roots, wanted = _roots(trust, root), _wanted(policy, trust)
    found = read_evidence(evidence, collateral)
    stated = at == "bundle"
    moment = _stated(found.at) if stated else (_moment(at) or datetime.now(UTC))
    known = read_reference(endorsements or [], withdrawals or [], wanted.reference_values)
    examination = judge_file(found, policy=wanted, roots=roots, at=moment, reference=known)
    if as_json:
        print_json(explain_json(examination, wanted) | {"time_verified": not stated})
    else:
        if stated:
            print_text(f"TIME NOT VERIFIED: judged as of {format_time(moment)}, which the bundle states of itself.")
        print_text("\n".join(explain_text(examination, wanted)))
    if examination.failed:
        raise typer.Exit(REFUSED)


def _stated(time: datetime | None) -> datetime:
    if time is None:
        raise typer.BadParameter("--at bundle goes with a result bundle only")
    if time > datetime.now(UTC):
        raise DocumentError("TIME", f"The bundle states that keys were released at {format_time(time)}: in the future.")
    return time


def _policy(file: Path) -> "AppraisalPolicy":
    from attestation.policy import load_policy

    return load_policy(read_bounded(file, MAX_FILE).decode("utf-8", "replace"))


def _wanted(policy: Path | None, trust: Path | None) -> "AppraisalPolicy":
    from sealroom.trust import load_trust

    if policy is not None:
        return _policy(policy)
    pinned = None if trust is None else load_trust(trust).policy()
    if pinned is None:
        raise typer.BadParameter("give --policy, or --trust with pins that hold an appraisal policy")
    return pinned


def _roots(trust: Path | None, root: Path | None) -> "tuple[HardwareRoot, ...]":
    from attestation.roots import INTEL_ROOT, load_root
    from sealroom.trust import load_trust

    if root is not None:
        return (load_root(read_bounded(root, MAX_FILE).decode("utf-8", "replace")),)
    return (INTEL_ROOT,) if trust is None else load_trust(trust).roots()


def _moment(text: str | None) -> datetime | None:
    from pydantic import TypeAdapter, ValidationError

    from protocol.types import Timestamp, parse_time

    if text is None:
        return None
    try:
        return parse_time(TypeAdapter(Timestamp).validate_python(text))
    except ValidationError as error:
        raise DocumentError("TIME", f"--at is {text!a}; wanted a time such as 2026-01-31T12:00:00Z.") from error
