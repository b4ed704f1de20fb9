"""``sealroom broker``, ``simulator``, ``host``: servers. Each room reads its own arguments and settings.

The partner's side imports nothing of the operator's: this process becomes the server's.
"""

import os
import sys
from typing import NoReturn

import typer

from sealroom.cli.options import examples, noun

__all__ = ["broker", "host", "simulator"]

broker = noun("Serve a broker (operator).")
simulator = noun("Serve a simulated platform (operator).")
host = noun("Run enclaves (operator).")
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@broker.command(
    "serve",
    context_settings=PASS_ON,
    add_help_option=False,
    epilog=examples("broker serve --help", "broker serve --data /srv/sealroom --port 8443"),
)
def serve_broker(context: typer.Context) -> None:
    """Serve a broker; `sealroom broker serve --help` lists its settings."""
    _become("broker", "serve", *context.args)


@broker.command(
    "invite", context_settings=PASS_ON, add_help_option=False, epilog=examples("broker invite --data /srv/sealroom")
)
def invite(context: typer.Context) -> None:
    """Make an invitation for an institution; `sealroom broker invite --help` lists its settings."""
    _become("broker", "invite", *context.args)


@simulator.command(
    "serve",
    context_settings=PASS_ON,
    add_help_option=False,
    epilog=examples("simulator serve --help", "simulator serve --state /srv/simulator --port 8500"),
)
def serve_simulator(context: typer.Context) -> None:
    """Serve a simulated platform; it keeps no secret from its operator and says SIMULATED everywhere."""
    _become("attestation.simulator", *context.args)


@simulator.command(
    "forge",
    context_settings=PASS_ON,
    add_help_option=False,
    epilog=examples("simulator forge --list", "simulator forge tcb-out-of-date --out forged"),
)
def forge(context: typer.Context) -> None:
    """Forge evidence under a simulated root to try a policy on; `sealroom simulator forge --help` lists its options."""
    _become("attestation.simulator.forge", *context.args)


@host.command(
    "run",
    context_settings=PASS_ON,
    add_help_option=False,
    epilog=examples("host run --help", "host run --data /srv/host --check"),
)
def run_host(context: typer.Context) -> None:
    """Claim runs, start an enclave for each, relay its bytes; `sealroom host run --help` lists its settings."""
    _become("broker.host", *context.args)


def _become(module: str, *arguments: str) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])  # noqa: S606 - our own interpreter and module
