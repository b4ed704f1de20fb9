"""The demo's stage: broker, platform and host as processes, what their operator hands over, lines for a shell."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import SealroomError
from sealroom.cli.output import say
from sealroom.demo.processes import service
from sealroom.demo.script import prelude
from sealroom.demo.study import DemoStudy

__all__ = ["Stage", "open_stage", "play_line", "write_secret"]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a study is played: what every line of shell begins with, and the environment that it sees."""

    folder: Path
    prelude: str
    environment: dict[str, str]


@contextmanager
def open_stage(folder: Path, study: DemoStudy, host_arguments: Sequence[str] = ()) -> Iterator[Stage]:
    """Run platform, broker and host until the block ends; what their operator hands over goes to ``operator/``.

    ``host_arguments`` are further arguments of ``sealroom host run``, which runs the study's profile alone. Parties'
    inputs are expected in ``inputs/``.
    """
    from attestation.policy import manifests_folder

    operator = folder / "operator"
    operator.mkdir()
    shutil.copyfile(manifests_folder() / "appraisal.simulated.toml", operator / "appraisal.toml")
    write_secret(operator / "custodian-passphrase", secrets.token_urlsafe(24))
    with ExitStack() as stack:
        stack.enter_context(_stopped_by_sigterm())
        builds = _build(operator / "enclaves", study)
        arguments = ["simulator", "serve", "--state", str(operator / "platform"), *builds]
        platform = stack.enter_context(service("platform", arguments, operator / "platform.log"))["url"]
        (operator / "platform-root.pem").write_bytes(_get(platform + "/v1/root"))
        arguments = ["broker", "serve", "--data", str(operator / "broker")]
        arguments += ["--appraisal-policy", str(operator / "appraisal.toml")]
        arguments += ["--hardware-root", str(operator / "platform-root.pem")]
        arguments += ["--passphrase-file", str(operator / "custodian-passphrase")]
        broker = stack.enter_context(service("broker", arguments, operator / "broker.log"))["url"]
        (operator / "custodian.json").write_bytes(_get(broker + "/v1/custodian"))
        shutil.copy(operator / "broker" / "invite", operator / "invite")
        arguments = ["host", "run", "--broker", broker, "--platform", platform, "--data", str(operator / "host")]
        arguments += ["--host-token-file", str(operator / "broker" / "host-token"), "--profile", study.profile]
        arguments += [*(["--runtime", study.runtime, *builds] if builds else ()), *host_arguments]
        stack.enter_context(service("host", arguments, operator / "host.log"))
        yield Stage(
            folder,
            prelude(study),
            os.environ
            | {
                "BROKER": broker,
                "OPERATOR": str(operator),
                "INPUTS": str(folder / "inputs"),
                "WORK": str(folder),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            },
        )


def play_line(line: str, stage: Stage) -> str:
    """Run a line of shell on the stage and return what it printed.

    Raises
    ------
    SealroomError
        ``DEMO_STEP`` where it fails; what it printed is shown.
    """
    done = subprocess.run(  # noqa: S603 - our own line, by the system's shell
        ["/bin/sh", "-c", stage.prelude + line],
        env=stage.environment,
        cwd=stage.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        say(done.stdout + done.stderr)
        raise SealroomError("DEMO_STEP", f"The command {line!r} ended with exit status {done.returncode}.")
    return done.stdout


def write_secret(path: Path, text: str) -> None:
    """Write a passphrase into a new file that only its owner reads."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
        sink.write(text + "\n")


def _build(enclaves: Path, study: DemoStudy) -> list[str]:
    """Build the enclave that a runtime other than plain Python starts; return the arguments that name it."""
    if study.runtime == "python":
        return []
    command = ["profile", "build", study.profile, "--simulated", "--out", str(enclaves)]
    done = subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-m", "sealroom", *command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SealroomError("DEMO_STEP", f"The enclave could not be built: {done.stderr.strip()}")
    return ["--enclaves", str(enclaves)]


def _get(url: str) -> bytes:
    import httpx

    return httpx.get(url, timeout=30, trust_env=False).raise_for_status().content


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Make SIGTERM an ordinary end, so that the services are stopped as by Ctrl-C and none is left behind."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
