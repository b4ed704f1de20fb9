"""``sealroom verify``: check a result bundle against your own pins, with no keys and, but for ``--now``, no network."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from protocol.documents.receipt import MAX_BUNDLE
from protocol.errors import AttestationError
from sealroom.cli.options import AsJson, examples
from sealroom.cli.output import print_json, print_text, say, wrapped
from sealroom.files import read_bounded
from sealroom.trust import load_trust
from sealroom.verification import Check, VerificationFailed, VerifiedBundle, verify_bundle

if TYPE_CHECKING:  # today's judgement, and the network that it may need, are loaded when they are asked for
    from sealroom.trust import Trust
    from sealroom.verification.today import Today

__all__ = ["BundleFile", "TrustFile", "print_checks", "verify"]

BundleFile = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The result bundle, NAME.sealroom.")]
TrustFile = Annotated[
    Path, typer.Option("--trust", help="Your pins: a trust.toml that you keep, never one that came with a bundle.")
]
MARKS = {"holds": "ok", "unanchored": "UNANCHORED", "fails": "FAILS"}


verify = typer.Typer(rich_markup_mode=None, add_completion=False)


@verify.command(
    "verify",
    epilog=examples(
        "verify lung.sealroom --trust trust.toml",
        "verify lung.sealroom --trust trust.toml --json",
        "verify lung.sealroom --trust trust.toml --now --pccs https://pccs.example:8081",
        "verify lung.sealroom --trust trust.toml --now --collateral collateral.json",
    ),
)
def verify_file(
    *,
    bundle: BundleFile,
    trust: TrustFile,
    today: Annotated[
        bool, typer.Option("--now", help="Then judge the evidence again as of today, under today's collateral.")
    ] = False,
    pccs: Annotated[
        str | None,
        typer.Option("--pccs", metavar="URL", help="With --now: fetch the collateral from this PCCS or PCS."),
    ] = None,
    pccs_authority: Annotated[
        Path | None,
        typer.Option("--pccs-authority", metavar="FILE", help="Certificate, PEM, that the PCCS is checked against."),
    ] = None,
    collateral: Annotated[
        Path | None,
        typer.Option(
            "--collateral", metavar="FILE", help="With --now: collateral at hand, a file or a folder of them."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify a result bundle and print every check with what it found; offline, but for --now with --pccs.

    Exit status 0 only if every check holds; 3 where they hold but rest on something that you have not pinned; else that
    of the check that fails: 4 document, 5 attestation, 6 access. No keys and no home are used.

    With --now a bundle that verifies, as of its own time, is appraised once more as of today, and what changed is said:
    TCB status, advisories, revocations, claims that hold no longer. Where today's appraisal refuses it the exit status
    is 5 with code APPRAISAL_CHANGED, though the bundle was valid then.
    """
    if [pccs, collateral].count(None) != (1 if today else 2):
        raise typer.BadParameter("--now goes with one of --pccs and --collateral, and they with it")
    pins = load_trust(trust)
    data = read_bounded(bundle, MAX_BUNDLE)
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        verified = verify_bundle(data, pins, now=now)
    except VerificationFailed as error:
        if as_json:
            print_json(error.problem() | {"verified": False, "checks": _rows(error.checks)})
            raise typer.Exit(error.exit_code) from error
        print_checks(error.checks)
        raise
    if not as_json:
        _tell(verified, trust)
    judged = _judge(verified, pins, pccs, pccs_authority, collateral, now) if today else None
    if as_json:
        print_json(_answer(verified) | ({} if judged is None else _today(judged)))
    if judged is not None:
        _tell_today(judged, as_json=as_json)


def _tell(verified: VerifiedBundle, trust: Path) -> None:
    print_checks(verified.verification.checks)
    say(f"VERIFIED: all {len(verified.verification.checks)} checks hold under the pins in {trust}.")
    if verified.simulated:
        say("SIMULATED platform: the computation is bound to these documents, but nothing kept its operator out.")


def _tell_today(judged: "Today", *, as_json: bool) -> None:
    """Print today's judgement, but for JSON, where it is printed already; end with its exit status."""
    if as_json:
        if not judged.accepted:
            raise typer.Exit(AttestationError.exit_code)
        return
    for line in judged.lines():
        print_text(f"now  {line}")
    judged.require_accepted()
    say("TODAY: the evidence would be accepted again.")


def _judge(
    verified: VerifiedBundle,
    pins: "Trust",
    pccs: str | None,
    authority: Path | None,
    collateral: Path | None,
    now: datetime,
) -> "Today":
    from protocol.types import decode_base64
    from sealroom.collateral import bundled_source, pccs_source
    from sealroom.verification.today import judge_today

    quote = decode_base64(verified.bundle.evidence.quote)
    policy = pins.policy()
    ages = None if policy is None else policy.collateral_age_days
    if collateral is not None:
        source = bundled_source(collateral)
    else:
        source = pccs_source(str(pccs), root_crl=None, authority=authority, cache=None, ages=ages)
    return judge_today(verified, pins, source.collateral(quote, now), now=now)


def _today(judged: "Today") -> dict[str, Any]:
    """Return today's judgement for programs, as a problem object too where it is a refusal."""
    try:
        judged.require_accepted()
    except AttestationError as error:
        return error.problem() | {"today": judged.fields()}
    return {"today": judged.fields()}


def print_checks(checks: tuple[Check, ...]) -> None:
    """Print number, verdict, title and what was found of each check: one line, which a terminal shows wrapped."""
    verdicts = [MARKS[check.status] + (f" {check.code}" if check.status == "fails" else "") for check in checks]
    wide, title = max(map(len, verdicts)), max(len(check.title) for check in checks)
    for check, verdict in zip(checks, verdicts, strict=True):
        start = f"{check.number:>2}  {verdict.ljust(wide)}  {check.title.ljust(title)}  "
        print_text(wrapped(start, check.found))


def _answer(verified: VerifiedBundle) -> dict[str, Any]:
    stated = verified.receipt.document.predicate
    return {
        "verified": True,
        "simulated": verified.simulated,
        "bundle": verified.digest,
        "run": verified.run,
        "contract": stated.contract,
        "profile": stated.profile,
        "measurement": stated.measurement,
        "datasets": list(stated.datasets),
        "checks": _rows(verified.verification.checks),
    }


def _rows(checks: tuple[Check, ...]) -> list[dict[str, str | int]]:
    return [
        {"number": check.number, "title": check.title, "status": check.status, "code": check.code, "found": check.found}
        for check in checks
    ]
