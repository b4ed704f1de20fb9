"""What runs an enclave: plain Python, or Gramine from a folder of builds, without SGX or with it."""

import shutil
from pathlib import Path
from typing import Final

from broker.host.settings import HostSettings
from protocol.errors import DocumentError

__all__ = ["require_runtime", "start_command"]

_FILES: Final = {"gramine-direct": ("enclave.manifest",), "gramine-sgx": ("enclave.manifest.sgx", "enclave.sig")}
"""What a profile's build must hold for each of Gramine's programs."""


def require_runtime(settings: HostSettings) -> None:
    """Check that the runtime is installed and that there is a build of each profile.

    Raises
    ------
    DocumentError
        ``SETTINGS``: what is missing and how to get it.
    """
    if settings.enclaves is None:
        return
    if shutil.which(settings.runtime) is None:
        raise DocumentError("SETTINGS", f"{settings.runtime} is not on the PATH. Install Gramine, or set the PATH.")
    for profile in settings.profiles:
        for name in _FILES[settings.runtime]:
            if not (settings.enclaves / profile / name).is_file():
                signed = " and sign it with gramine-sgx-sign" if settings.runtime == "gramine-sgx" else ""
                raise DocumentError(
                    "SETTINGS",
                    f"There is no {settings.enclaves / profile / name}. Make the build with `sealroom profile build "
                    f"{profile} --out {settings.enclaves}`{signed}, or name with --profile what is built.",
                )


def start_command(settings: HostSettings, profile: str, folder: Path) -> tuple[tuple[str, ...], Path]:
    """Return the command that starts an enclave and the folder to start it in: ``folder``, or the build's.

    A build's arguments are fixed in its manifest. Gramine's program is looked up on the host's PATH, of which the
    enclave's process gets nothing.
    """
    if settings.enclaves is not None:
        found = shutil.which(settings.runtime)  # relative where the PATH is: the enclave starts in another folder
        program = settings.runtime if found is None else str(Path(found).absolute())
        return (program, "enclave"), settings.enclaves / profile
    return (*(settings.enclave_command or (settings.python, "-I", "-m", "enclave")), profile), folder
