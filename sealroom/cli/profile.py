"""``sealroom profile``: build enclave profiles, measure builds, check Gramine manifests."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from protocol.errors import AttestationError
from protocol.types import Digest
from sealroom.cli.options import AsJson, examples, noun
from sealroom.cli.output import print_json, print_text, say
from sealroom.cli.profile_lint import LINT_EXAMPLES, lint

if TYPE_CHECKING:
    from sealroom.profiles.measure import Measured

__all__ = ["app"]

app = noun("Build enclave profiles, measure builds, check Gramine manifests.")
app.command("lint", epilog=examples(*LINT_EXAMPLES))(lint)
BUILDS = Path("build/enclave")


@app.command(
    "build",
    epilog=examples(
        "profile build clinical",
        "profile build clinical --simulated --out build/enclave-simulated",
        "profile build clinical --gramine /opt/gramine --json",
    ),
)
def build(
    profile: Annotated[str, typer.Argument(help="Enclave profile: clinical, discovery or genomics.")],
    *,
    out: Annotated[Path, typer.Option(help="Folder of builds; this one becomes its subfolder PROFILE.")] = BUILDS,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Take in the attester of simulated platforms: for demonstrations only.")
    ] = False,
    gramine: Annotated[
        Path | None, typer.Option(help="Where Gramine is installed [default: that of gramine-direct on the PATH].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build an enclave: a slim file tree, its lock, and the Gramine manifest that trusts exactly these files.

    Whoever builds the same sources with the same packages, Python, system libraries and Gramine gets the same bytes.
    Without Gramine its files and the manifest are missing, and the build says INCOMPLETE. An old build is replaced.
    """
    from attestation.policy import manifests_folder
    from sealroom.profiles.build import build_profile
    from sealroom.profiles.libraries import find_gramine
    from sealroom.profiles.measure import digest_build

    made = build_profile(manifests_folder().parent, profile, out, simulated=simulated, gramine=find_gramine(gramine))
    files = digest_build(made.folder)
    if as_json:
        print_json(
            {
                "profile": profile,
                "folder": str(made.folder),
                "files": made.files,
                "bytes": made.size,
                "files_digest": files,
                "simulated": simulated,
                "complete": made.complete,
            }
        )
        return
    print_text(f"{made.folder}: {made.files} files, {made.size / 2**20:.0f} MiB; digest of all {files}")
    if simulated:
        say("SIMULATED: this build holds the attester of simulated platforms. Do not endorse it.")
    if not made.complete:
        say(
            "INCOMPLETE: there is no gramine-direct on the PATH. Gramine's library OS and C library are missing in the "
            "tree, and there is no enclave.manifest. Install Gramine, or name its folder with --gramine."
        )


@app.command(
    "measure",
    epilog=examples(
        "profile measure clinical",
        "profile measure clinical --trust trust.toml",
        "profile measure build/enclave/clinical --endorsed HEX --json",
    ),
)
def measure(
    build: Annotated[str, typer.Argument(metavar="PROFILE|DIR", help=f"A build's folder, or a profile in {BUILDS}.")],
    *,
    endorsed: Annotated[
        list[str] | None, typer.Option("--endorsed", help="A measurement to compare with; may be given many times.")
    ] = None,
    trust: Annotated[
        Path | None, typer.Option("--trust", help="Your pins: compare with the measurements of this profile in them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute MRENCLAVE of a build without SGX, and compare it with endorsed or pinned ones.

    The tree is compared with its lock, the manifest with the one that this release gives. Exit status 5 where it is
    none of those that were given. Without Gramine's tools it says so and gives the digest of all files, the manifest
    included, which an endorsement names too.
    """
    from attestation.policy import manifests_folder
    from sealroom.profiles.measure import measure_folder

    folder = BUILDS / build if re.fullmatch(r"[a-z][a-z0-9-]*", build) else Path(build)
    wanted = _wanted(endorsed, trust, folder.resolve().name)
    measured = measure_folder(folder, manifests_folder().parent)
    verdict = _verdict(measured, wanted)
    if as_json:
        print_json({"folder": str(folder), "files": measured.files, "mrenclave": measured.mrenclave} | verdict)
    else:
        print_text(f"files      {measured.files}")
        print_text(f"MRENCLAVE  {measured.mrenclave or 'not computed'}")
        say(str(verdict["verdict"]))
    if wanted and not verdict["endorsed"]:
        raise typer.Exit(AttestationError.exit_code)


def _wanted(endorsed: list[str] | None, trust: Path | None, profile: str) -> tuple[Digest, ...] | None:
    """Return what to compare with; None where nothing was asked, an error where nothing is pinned."""
    from sealroom.trust import load_trust

    for given in endorsed or ():
        if not re.fullmatch(r"[0-9a-f]{64}", given):
            raise typer.BadParameter(f"A measurement is 64 hexadecimal digits in lower case, not {given[:80]!r}.")
    pinned = () if trust is None else load_trust(trust).measured(profile)
    if trust is not None and not pinned and not endorsed:
        raise AttestationError("MEASUREMENT_UNPINNED", f"{trust} pins no measurement of profile {profile}.")
    return (*(endorsed or ()), *pinned) or None


def _verdict(measured: "Measured", wanted: tuple[Digest, ...] | None) -> dict[str, Any]:
    if measured.mrenclave is None:
        return {"endorsed": None, "verdict": measured.why}
    if wanted is None:
        return {"endorsed": None, "verdict": "Compared with nothing: give --endorsed or --trust."}
    if measured.mrenclave in wanted:
        return {"endorsed": True, "verdict": "It is one of those that were given."}
    return {
        "endorsed": False,
        "verdict": "It is NONE of those that were given. Compare tree.lock line by line with that of who endorsed it.",
    }
