"""The trusted computing base of the enclave profiles, for people: ``docs/TCB.md``, from the trusted file locks.

``python -m attestation.profiles.tcb`` prints it; ``make generated`` writes it, a test compares.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from attestation.policy import manifests_folder
from attestation.profiles.packages import PYTHON, imported_packages, pinned_packages
from attestation.profiles.trusted_files import LOCK_NAME, load_profile, parse_lock, simulated_files
from protocol.types import Digest

__all__ = ["main", "render_tcb"]

_HEAD = """\
# Trusted computing base

Generated from the trusted file locks and `requirements.lock` by `make generated`; a test compares it. These are the
files of ours that an enclave runs, and whose change alters its measurement, and the packages that it runs them with:
those that they import and what these need, pinned by hash in `requirements.lock`. A build (`sealroom profile build`)
checks each installed file against the record that was installed with it and holds no other package; an environment
altered together with its records shows only where `tree.lock` is compared with another party's. To that come Python
{python} with its standard library, the C library and library OS of Gramine, and shared objects of the machine that
builds; `tree.lock` of a build names every file. Where an enclave runs as a plain process on a simulated platform,
nothing checks that what is installed is what is pinned.
"""


def render_tcb(root: Path) -> str:
    """Render the page for every profile under ``manifests/``."""
    locks = sorted((root / "manifests").glob(f"*/{LOCK_NAME}"))
    profiles = (_render_profile(root, lock.parent.name, parse_lock(lock.read_text("utf-8"))) for lock in locks)
    return "\n".join((_HEAD.format(python=PYTHON), *profiles))


def _render_profile(root: Path, profile: str, lock: Mapping[str, Digest]) -> str:
    sources = [path for path in lock if path.endswith(".py")]
    lines = {path: len((root / path).read_text("utf-8").splitlines()) for path in sources}
    folders = sorted({path.rsplit("/", 1)[0] for path in sources})
    rows = [
        f"| `{folder}/` | {len(inside)} | {sum(lines[path] for path in inside)} |"
        for folder in folders
        if (inside := [path for path in sources if path.rsplit("/", 1)[0] == folder])
    ]
    packages = "\n".join(f"| `{pin.name}` | {pin.version} |" for pin in pinned_packages(root, lock))
    imported = ", ".join(f"`{name}`" for name in imported_packages(root, sources))
    simulated = ", ".join(
        f"`{path}` ({len((root / path).read_text('utf-8').splitlines())} lines)"
        for path in simulated_files(root, load_profile(root, profile))
    )
    return (
        f"## Profile {profile}\n\n| Folder | Files | Lines |\n|---|---|---|\n"
        + "\n".join(rows)
        + f"\n| **all** | **{len(sources)}** | **{sum(lines.values())}** |\n"
        + f"\nBuilds for simulated platforms hold besides: {simulated or 'nothing'}.\n"
        + f"\nThese files import {imported}. With what these need:\n\n| Package | Version |\n|---|---|\n{packages}\n"
    )


def main() -> int:
    """Print the page."""
    sys.stdout.write(render_tcb(manifests_folder().parent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
