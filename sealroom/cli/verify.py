"""``sealroom verify``: check a result bundle against your own pins, with no network and no keys."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from protocol.documents.receipt import MAX_BUNDLE
from sealroom.cli.options import AsJson, examples
from sealroom.cli.output import print_json, print_text, say, wrapped
from sealroom.files import read_bounded
from sealroom.trust import load_trust
from sealroom.verification import Check, VerificationFailed, VerifiedBundle, verify_bundle

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
    ),
)
def verify_file(bundle: BundleFile, trust: TrustFile, *, as_json: AsJson = False) -> None:
    """Verify a result bundle, offline, and print every check with what it found.

    Exit status 0 only if every check holds; 3 where they hold but rest on something that you have not pinned; else that
    of the check that fails: 4 document, 5 attestation, 6 access. No network, no keys and no home are used.
    """
    pins = load_trust(trust)
    data = read_bounded(bundle, MAX_BUNDLE)
    try:
        verified = verify_bundle(data, pins, now=datetime.now(UTC))
    except VerificationFailed as error:
        if as_json:
            print_json(error.problem() | {"verified": False, "checks": _rows(error.checks)})
            raise typer.Exit(error.exit_code) from error
        print_checks(error.checks)
        raise
    if as_json:
        print_json(_answer(verified))
        return
    print_checks(verified.verification.checks)
    say(f"VERIFIED: all {len(verified.verification.checks)} checks hold under the pins in {trust}.")
    if verified.simulated:
        say("SIMULATED platform: the computation is bound to these documents, but nothing kept its operator out.")


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
