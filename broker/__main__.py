"""``python -m broker serve`` and ``python -m broker invite``: what ``sealroom broker`` runs."""

import argparse
import os
import sys
from pathlib import Path

from broker.settings import ENVIRONMENT_PREFIX, Settings
from protocol.errors import SealroomError

__all__ = ["main"]

EPILOG = f"""Each setting may also come from the environment ({ENVIRONMENT_PREFIX}PORT, ...) or a TOML file.

Examples:
  sealroom broker serve --data /srv/sealroom --port 8443 --public-url https://broker.example.org
  sealroom broker invite --data /srv/sealroom
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="sealroom broker",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve until SIGTERM; prints one JSON line with the url when ready")
    invite = commands.add_parser("invite", help="print the invitation that a new institution needs to join")
    for command in (serve, invite):
        command.epilog, command.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
        command.add_argument("--config", type=Path, help="TOML file with settings")
        command.add_argument("--data", type=Path, help="folder for all that the broker keeps")
    serve.add_argument("--host", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on; 0 takes any free one (0)")
    serve.add_argument("--public-url", help="the address that partners use; tokens name it as their audience")
    serve.add_argument("--lease-seconds", type=float, help="how long a host keeps a run without a heartbeat (30)")
    serve.add_argument("--appraisal-policy", type=Path, help="appraisal policy of the embedded custodian (TOML)")
    serve.add_argument("--hardware-root", type=Path, action="append", help="hardware root it accepts (PEM); repeatable")
    serve.add_argument("--passphrase-file", type=Path, help="file that holds the passphrase of the custodian's key")
    flags = vars(parser.parse_args(arguments))
    command, config = flags.pop("command"), flags.pop("config")
    flags["hardware_roots"] = flags.pop("hardware_root", None)
    try:
        settings = Settings.load(flags, os.environ, config)
        return _invite(settings) if command == "invite" else _serve(settings)
    except SealroomError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _serve(settings: Settings) -> int:
    from broker.app import serve

    serve(settings)
    return 0


def _invite(settings: Settings) -> int:
    from broker.secretfile import load_or_make_secret

    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    sys.stdout.write(load_or_make_secret(settings.data / "invite") + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
