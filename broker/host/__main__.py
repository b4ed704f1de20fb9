"""``python -m broker.host``: what ``sealroom host run`` runs."""

import argparse
import json
import os
import sys
from pathlib import Path

from broker.host.settings import ENVIRONMENT_PREFIX, HostSettings
from protocol.errors import SealroomError

__all__ = ["main"]

EPILOG = f"""Each setting may also come from the environment ({ENVIRONMENT_PREFIX}BROKER, ...) or a TOML file.

Examples:
  sealroom host run --broker https://broker.example.org --host-token-file host-token \\
      --platform http://127.0.0.1:8500 --data /srv/host
  sealroom host run --broker https://broker.example.org --host-token-file host-token \\
      --runtime gramine-sgx --enclaves build/enclave --pccs https://pccs.example.org:8081 --data /srv/host
  sealroom host run --data /srv/host --check
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the host, or check whether one runs, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="sealroom host run",
        description="Claim runs, start an enclave for each, relay its bytes; until SIGTERM.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, help="TOML file with settings")
    parser.add_argument("--broker", help="the broker's address")
    parser.add_argument(
        "--host-token-file", type=Path, help="a copy of the file host-token in the broker's data folder"
    )
    parser.add_argument(
        "--platform", help="the simulated platform's address, http://127.0.0.1:PORT [default: this machine's hardware]"
    )
    parser.add_argument("--runtime", help="python, gramine-direct or gramine-sgx: what runs enclaves [default: python]")
    parser.add_argument(
        "--enclaves", type=Path, help="folder of builds, as `sealroom profile build` writes it; for Gramine"
    )
    parser.add_argument("--pccs", help="PCCS or PCS for the hardware's collateral, https:// or loopback http://")
    parser.add_argument("--pccs-authority", type=Path, help="file with the certificate that vouches for the PCCS's own")
    parser.add_argument("--data", type=Path, help="folder for working folders of runs")
    parser.add_argument("--profile", action="append", help="enclave profile to run [default: all]; repeatable")
    parser.add_argument("--check", action="store_true", help="health check: exit 0 if a host works in --data")
    flags = vars(parser.parse_args(arguments))
    check, config = flags.pop("check"), flags.pop("config")
    flags["profiles"] = flags.pop("profile", None)
    if check and flags["data"]:
        return _check(flags["data"])
    try:
        settings = HostSettings.load(flags, os.environ, config)
        if check:
            return _check(settings.data)
        from broker.host.loop import serve
        from broker.host.runtime import require_runtime

        require_runtime(settings)
        serve(settings)
    except SealroomError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _check(data: Path) -> int:
    from broker.host.loop import is_alive

    alive = is_alive(data)
    sys.stdout.write(json.dumps({"status": "ok" if alive else "away"}) + "\n")
    return 0 if alive else 1


if __name__ == "__main__":
    sys.exit(main())
