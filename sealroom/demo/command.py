"""``sealroom demo``: start the services, play the study, leave the result."""

import secrets
import shutil
import time
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from protocol.errors import StorageError
from sealroom.cli.options import AsJson, examples
from sealroom.cli.output import print_json, say
from sealroom.demo.cut import PARTIES, cut_lung
from sealroom.demo.script import Step, as_script, steps
from sealroom.demo.stage import Stage, open_stage, play_line, write_secret

__all__ = ["demo"]

MARK = ".sealroom-demo"
RESULTS = ("result.sealroom", "trust.toml", "outputs.json", "report.html", "commands.txt")
SHOWN = ("contract show", "result open", "sealroom verify")
"""Commands whose output is shown."""


demo = typer.Typer(rich_markup_mode=None, add_completion=False)


@demo.command("demo", epilog=examples("demo", "demo --out lung-study --json"))
def play_demo(
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; a former demo there is replaced.")] = Path(
        "demo-output"
    ),
    as_json: AsJson = False,
) -> None:
    """Play a whole study of three institutions on this machine, with real processes and a SIMULATED platform.

    Broker, platform and host are started on loopback and stopped at the end. Everything else is done by public
    commands, which stand in commands.txt.
    """
    started = time.monotonic()
    folder = _fresh(out)
    inputs = _inputs(folder)
    say(f"Three partners of the NCCTG lung trial: {', '.join(f'{p.upper()} {n} patients' for p, n in inputs.items())}.")
    (folder / "commands.txt").write_text(as_script(), "utf-8")
    say("Starting the simulated platform, the broker and an enclave host ...")
    with open_stage(folder) as stage:
        for step in steps():
            _play(step, stage)
    seconds = time.monotonic() - started
    if as_json:
        print_json({"seconds": round(seconds, 1), "files": {name: str(folder / name) for name in RESULTS}})
        return
    say(f"\nDone in {seconds:.0f} s. Written to {folder}: {', '.join(RESULTS)}, one folder per party.")
    say(f"Open {folder / 'report.html'} in a browser.")


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


def _inputs(folder: Path) -> dict[str, int]:
    data = files("sealroom.demo").joinpath("data")
    counts = cut_lung(folder / "inputs")
    for party in PARTIES:
        place = folder / "inputs" / party
        for name in ("schema.toml", "policy.toml"):
            (place / name).write_text(data.joinpath(name).read_text("utf-8"), "utf-8")
        write_secret(place / "passphrase", secrets.token_urlsafe(24))
    (folder / "inputs" / "recipe.toml").write_text(data.joinpath("recipe.toml").read_text("utf-8"), "utf-8")
    return counts


def _play(step: Step, stage: Stage) -> None:
    say(f"\n== {step.title}\n   {step.story}")
    for line in step.lines:
        say(f"   $ {line}")
        printed = play_line(line, stage)
        if any(words in line for words in SHOWN):
            say("\n".join(f"     {text}" for text in printed.splitlines()))
