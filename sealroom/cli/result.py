"""``sealroom result``: fetch result bundles and open them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from protocol.documents.receipt import MAX_BUNDLE
from protocol.errors import StorageError
from sealroom.cli.options import AsJson, AsMember, HomeOption, PassphraseFile, examples, noun, open_home, open_keystore
from sealroom.cli.output import print_json, print_text, say
from sealroom.files import read_bounded, write_private
from sealroom.home import Home
from sealroom.trust import Trust, load_trust
from sealroom.verification import VerifiedBundle, with_own_root

__all__ = ["app"]

app = noun("Fetch and open results.")

OutFolder = Annotated[Path, typer.Option("--out", help="Folder to write to; a different file there is never replaced.")]
OwnTrust = Annotated[Path | None, typer.Option("--trust", help="Your pins [default: trust.toml of your home].")]


@app.command(
    "fetch",
    epilog=examples(
        "result fetch 0123456789abcdef0123456789abcdef --out results",
        "result fetch 0123456789abcdef0123456789abcdef --out results --json",
    ),
)
def fetch(
    *,
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, 32 hex digits.")],
    out: OutFolder = Path(),
    trust: OwnTrust = None,
    member: AsMember = None,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Download a result, verify it under your pins and keep it as RUN.sealroom.

    What does not verify is not written. The bundle stays sealed: it may be passed on to anyone who should verify it.
    """
    from sealroom.download import fetch_bundle
    from sealroom.registry import require_broker
    from sealroom.transport import Caller, Transport

    place = open_home(home)
    pins = _pins(place, trust)
    actor = place.member("analyst", member)
    key = open_keystore(place, passphrase_file).signing(f"{actor.id}.api")
    with Transport(require_broker(place), Caller(place.institution().document.root, actor.id, key)) as broker:
        data, verified = fetch_bundle(broker, run, pins, now=datetime.now(UTC))
    path = out / f"{run}.sealroom"
    _write({path: data})
    if as_json:
        print_json(_origin(verified) | {"file": str(path)})
        return
    say(f"VERIFIED: all {len(verified.verification.checks)} checks hold.")
    _say_simulated(verified)
    print_text(str(path))


@app.command(
    "open",
    epilog=examples(
        "result open results/0123456789abcdef0123456789abcdef.sealroom --out opened",
        "result open scan.sealroom --variants variants.tsv --trust trust.toml --out opened --as ada --json",
    ),
)
def open_result(
    *,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The result bundle, NAME.sealroom.")],
    out: OutFolder = Path(),
    variants: Annotated[
        Path | None,
        typer.Option(metavar="CATALOGUE", help="The study's catalogue of variants: hits get position and alleles."),
    ] = None,
    trust: OwnTrust = None,
    member: AsMember = None,
    home: HomeOption = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Verify a result again, open what was sealed to you and write outputs.json and report.html.

    No network is used. The report is one file without scripts; it is yours to show or to keep.
    """
    from sealroom.report import render_report
    from sealroom.result import open_outputs, outputs_to_bytes
    from sealroom.variants import read_variants
    from sealroom.verification import verify_bundle

    place = open_home(home)
    verified = verify_bundle(read_bounded(bundle, MAX_BUNDLE), _pins(place, trust), now=datetime.now(UTC))
    actor = place.member("analyst", member)
    opened = open_outputs(verified, open_keystore(place, passphrase_file).recipient(f"{actor.id}.recipient"))
    known = {} if variants is None else read_variants(variants, verified, opened)
    files = {
        out / "outputs.json": outputs_to_bytes(verified, opened, known),
        out / "report.html": render_report(verified, opened, known).encode("utf-8"),
    }
    _write(files)
    if as_json:
        outputs, report = map(str, files)
        print_json(_origin(verified) | {"outputs": outputs, "report": report, "opened": list(opened)})
        return
    say(f"VERIFIED: all {len(verified.verification.checks)} checks hold.")
    _say_simulated(verified)
    from sealroom.frames import text_frame_of

    for agreed in verified.study.contract.document.outputs:
        if agreed.output in opened:
            frame = text_frame_of(opened[agreed.output], agreed, known)
            print_text(f"\n{agreed.output}\n{frame.to_string(index=False)}")
    say("\nWritten: " + ", ".join(map(str, files)))


def _pins(place: Home, trust: Path | None) -> Trust:
    return with_own_root(place.trust() if trust is None else load_trust(trust), place.institution().document)


def _write(files: dict[Path, bytes]) -> None:
    """Write all files or none: one that is there with other content stops the command before the first is written."""
    for path, data in files.items():
        if path.exists() and (not path.is_file() or path.read_bytes() != data):
            raise StorageError("FILE_EXISTS", f"{path} is there with other content; choose another --out.")
    for path, data in files.items():
        write_private(path, data)


def _origin(verified: VerifiedBundle) -> dict[str, Any]:
    return {
        "verified": True,
        "simulated": verified.simulated,
        "bundle": verified.digest,
        "run": verified.run,
        "contract": verified.study.contract.name,
    }


def _say_simulated(verified: VerifiedBundle) -> None:
    if verified.simulated:
        say("SIMULATED platform: the result is bound to its documents, but nothing kept the platform's operator out.")
