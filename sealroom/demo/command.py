"""``sealroom demo``: start the services, play the study, leave the result."""

import secrets
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from protocol.errors import DocumentError, StorageError
from sealroom.cli.options import AsJson, examples
from sealroom.cli.output import print_json, say
from sealroom.demo.script import Step, as_script, steps
from sealroom.demo.stage import Stage, open_stage, play_line, write_secret
from sealroom.demo.studies import STUDIES
from sealroom.demo.study import DemoStudy, Runtime

__all__ = ["demo"]

MARK = ".sealroom-demo"
CANNOT = 77
"""Exit status where a runtime is not installed: what test drivers take for skipped."""
SHOWN = ("contract show", "result open", "sealroom verify")
"""Commands whose output is shown."""


demo = typer.Typer(rich_markup_mode=None, add_completion=False)


@demo.command(
    "demo",
    epilog=examples(
        "demo",
        "demo --study genomics --out gwas",
        "demo --study clinical --data uci-heart-disease --json",
        "demo --runtime gramine-direct",
    ),
)
def play_demo(
    *,
    study: Annotated[str, typer.Option(help=f"Which study to play: {', '.join(STUDIES)}.")] = "survival",
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with data that the demo does not ship. Only clinical needs it: the four files "
            "processed.*.data of UCI Heart Disease (archive.ics.uci.edu/dataset/45)."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; a former demo there is replaced.")] = Path(
        "demo-output"
    ),
    runtime: Annotated[
        Runtime,
        typer.Option(help="What runs the enclave: plain Python, or Gramine without SGX from a build made here."),
    ] = "python",
    as_json: AsJson = False,
) -> None:
    """Play a whole study of several institutions on this machine, with real processes and a SIMULATED platform.

    Broker, platform and host are started on loopback and stopped at the end. Everything else is done by public
    commands, which stand in commands.txt. With --runtime gramine-direct the enclave runs inside Gramine, from its
    profile; where Gramine is not installed the demo ends with exit status 77.
    """
    if runtime != "python" and shutil.which(runtime) is None:
        say(f"{runtime} is not on the PATH. Install Gramine (docs/deployment-sgx.md), or leave --runtime out.")
        raise typer.Exit(CANNOT)
    started = time.monotonic()
    if study not in STUDIES:
        raise DocumentError("STUDY", f"There is no study {study!a}; the demo plays {', '.join(STUDIES)}.")
    chosen = replace(STUDIES[study], runtime=runtime)
    chosen.require(data)
    folder = _fresh(out)
    counts = _inputs(chosen, folder, data)
    say(f"{chosen.intro}: {', '.join(f'{party.upper()} {rows} rows' for party, rows in counts.items())}.")
    (folder / "commands.txt").write_text(as_script(chosen), "utf-8")
    if runtime != "python":
        say(f"Building the enclave of profile {chosen.profile} for Gramine ...")
    say("Starting the simulated platform, the broker and an enclave host ...")
    with open_stage(folder, chosen) as stage:
        for step in steps(chosen):
            _play(step, stage)
    seconds = time.monotonic() - started
    if as_json:
        print_json({"seconds": round(seconds, 1), "files": {name: str(folder / name) for name in chosen.results}})
        return
    say(f"\nDone in {seconds:.0f} s. Written to {folder}: {', '.join(chosen.results)}, one folder per party.")
    say(f"Open {folder / chosen.results[0]} in a browser.")


def _fresh(folder: Path) -> Path:
    """Empty the folder of a former demo, whole or interrupted; never touch a folder that is not one."""
    folder = folder.resolve()
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).is_file():
            raise StorageError("FOLDER_IN_USE", f"{folder} holds files that no demo made; choose another --out.")
        # The mark stays to the end: emptying that is interrupted can be taken up again.
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != MARK:
                entry.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("A demo may empty this folder.\n")
    return folder


def _inputs(study: DemoStudy, folder: Path, data: Path | None) -> dict[str, int]:
    inputs = folder / "inputs"
    for party in study.parties:
        (inputs / party).mkdir(parents=True)
        write_secret(inputs / party / "passphrase", secrets.token_urlsafe(24))
    return study.prepare(inputs, data)


def _play(step: Step, stage: Stage) -> None:
    say(f"\n== {step.title}\n   {step.story}")
    for line in step.lines:
        say(f"   $ {line}")
        printed = play_line(line, stage)
        if any(words in line for words in SHOWN):
            say("\n".join(f"     {text}" for text in printed.splitlines()))
