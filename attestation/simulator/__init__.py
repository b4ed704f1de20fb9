"""The software platform: a process of its own that holds its keys, measures an enclave's files and quotes for it.

It follows SGX byte for byte so that simulated and real evidence take one path. It keeps nothing from whoever runs it:
its root says SIMULATED, and only policies that allow simulation accept it.
"""

from attestation.simulator.measurement import measure, measure_build
from attestation.simulator.settings import Settings

__all__ = ["Settings", "measure", "measure_build", "serve"]


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; see ``attestation.simulator.server``."""
    # Late, because only the service needs the web framework.
    from attestation.simulator import server

    server.serve(settings)
