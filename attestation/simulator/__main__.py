"""``python -m attestation.simulator``: what ``sealroom simulator serve`` runs."""

import argparse
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attestation.simulator.server import serve
from attestation.simulator.settings import Settings
from protocol.errors import DocumentError, SealroomError

__all__ = ["ENVIRONMENT_PREFIX", "load_settings", "main"]

ENVIRONMENT_PREFIX: Final = "SEALROOM_SIMULATOR_"
MAX_PORT: Final = 65_535
EPILOG: Final = f"""Each setting may also come from the environment ({ENVIRONMENT_PREFIX}STATE, ...) or a TOML file.

Examples:
  sealroom simulator serve --state /srv/simulator --port 8500
  sealroom simulator serve --enclaves build/enclave-simulated
  sealroom simulator serve --config simulator.toml
"""
_NAMES: Final = ("state", "files", "enclaves", "host", "port")
_PROJECT: Final = Path(__file__).resolve().parents[2]


def load_settings(arguments: list[str], environment: Mapping[str, str]) -> Settings:
    """Build settings: flags before environment before a TOML file.

    Raises
    ------
    DocumentError
        ``SETTINGS`` for a file that cannot be read, an unknown key or a port that is no number.
    TransportError
        ``LOOPBACK_ONLY`` for a host that is not this machine.
    """
    parser = argparse.ArgumentParser(
        prog="sealroom simulator serve",
        description="Serve a simulated platform on loopback. It proves nothing about confidentiality.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, help="TOML file with settings")
    parser.add_argument("--state", help="folder for the platform's keys (simulator-state)")
    parser.add_argument("--files", help="root of the tree that is measured (the installed files)")
    parser.add_argument("--enclaves", help="folder of builds to measure instead, as `sealroom profile build` writes it")
    parser.add_argument("--host", help="numeric loopback address (127.0.0.1)")
    parser.add_argument("--port", help="port; 0 takes any free one (0)")
    flags = vars(parser.parse_args(arguments))
    values = {"state": "simulator-state", "files": str(_PROJECT), "host": "127.0.0.1", "port": "0"}
    config = flags.pop("config")
    if config is not None:
        values |= _read(config)
    values |= {name: environment[key] for name in _NAMES if (key := ENVIRONMENT_PREFIX + name.upper()) in environment}
    values |= {name: value for name, value in flags.items() if value is not None}
    if not (values["port"].isascii() and values["port"].isdecimal() and int(values["port"]) <= MAX_PORT):
        raise DocumentError("SETTINGS", f"The port is {values['port']!r}, wanted a number from 0 to {MAX_PORT}.")
    return Settings(
        state=Path(values["state"]),
        files=Path(values["files"]),
        enclaves=Path(values["enclaves"]) if "enclaves" in values else None,
        host=values["host"],
        port=int(values["port"]),
    )


def _read(config: Path) -> dict[str, str]:
    try:
        found = tomllib.loads(config.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DocumentError("SETTINGS", f"The settings file {config} cannot be read as TOML.") from error
    if unknown := sorted(set(found) - set(_NAMES)):
        raise DocumentError("SETTINGS", f"{config} names {', '.join(unknown)}, which a simulator does not know.")
    return {name: str(value) for name, value in found.items()}


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code."""
    try:
        serve(load_settings(arguments, os.environ))
    except SealroomError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
