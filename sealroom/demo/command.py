"""``sealroom demo``: start the services, play the study, leave the result."""

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from protocol.errors import SealroomError, StorageError
from sealroom.cli.options import AsJson
from sealroom.cli.output import print_json, say
from sealroom.demo.cut import PARTIES, cut_lung
from sealroom.demo.processes import service
from sealroom.demo.script import PRELUDE, Step, as_script, steps

__all__ = ["demo"]

MARK = ".sealroom-demo"
RESULTS = ("result.sealroom", "trust.toml", "outputs.json", "report.html", "commands.txt")


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays: the environment that every command sees."""

    folder: Path
    environment: dict[str, str]


def demo(
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
    with _services(folder) as stage:
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
        shutil.rmtree(folder)
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
        _write_secret(place / "passphrase", secrets.token_urlsafe(24))
    (folder / "inputs" / "recipe.toml").write_text(data.joinpath("recipe.toml").read_text("utf-8"), "utf-8")
    return counts


def _write_secret(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
        sink.write(text + "\n")


@contextmanager
def _services(folder: Path) -> Iterator[Stage]:
    """Start platform, broker and host, and put what their operator hands over into ``operator/``."""
    from attestation.policy import manifests_folder

    operator = folder / "operator"
    operator.mkdir()
    shutil.copyfile(manifests_folder() / "clinical" / "appraisal.simulated.toml", operator / "appraisal.toml")
    _write_secret(operator / "custodian-passphrase", secrets.token_urlsafe(24))
    with ExitStack() as stack:
        say("Starting the simulated platform, the broker and an enclave host ...")
        platform = stack.enter_context(
            service(
                "platform", ["simulator", "serve", "--state", str(operator / "platform")], operator / "platform.log"
            )
        )["url"]
        (operator / "platform-root.pem").write_bytes(_get(platform + "/v1/root"))
        arguments = ["broker", "serve", "--data", str(operator / "broker")]
        arguments += ["--appraisal-policy", str(operator / "appraisal.toml")]
        arguments += ["--hardware-root", str(operator / "platform-root.pem")]
        arguments += ["--passphrase-file", str(operator / "custodian-passphrase")]
        broker = stack.enter_context(service("broker", arguments, operator / "broker.log"))["url"]
        (operator / "custodian.json").write_bytes(_get(broker + "/v1/custodian"))
        shutil.copy(operator / "broker" / "invite", operator / "invite")
        arguments = ["host", "run", "--broker", broker, "--platform", platform, "--data", str(operator / "host")]
        arguments += ["--host-token-file", str(operator / "broker" / "host-token")]
        stack.enter_context(service("host", arguments, operator / "host.log"))
        yield Stage(
            folder,
            os.environ
            | {
                "BROKER": broker,
                "OPERATOR": str(operator),
                "INPUTS": str(folder / "inputs"),
                "WORK": str(folder),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            },
        )


def _get(url: str) -> bytes:
    import httpx

    return httpx.get(url, timeout=30, trust_env=False).raise_for_status().content


def _play(step: Step, stage: Stage) -> None:
    say(f"\n== {step.title}\n   {step.story}")
    for line in step.lines:
        say(f"   $ {line}")
        done = subprocess.run(  # noqa: S603 - our own line, by the system's shell
            ["/bin/sh", "-c", PRELUDE + line],
            env=stage.environment,
            cwd=stage.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            say(done.stdout + done.stderr)
            raise SealroomError("DEMO_STEP", f"The command above ended with exit status {done.returncode}.")
        if any(words in line for words in SHOWN):
            say(_indented(done.stdout))


SHOWN = ("contract show", "result open", "sealroom verify")


def _indented(text: str) -> str:
    return "\n".join(f"     {line}" for line in text.splitlines())
