"""The trusted computing base of the enclave profiles, for people: ``docs/TCB.md``, from the trusted file locks.

``python -m attestation.profiles.tcb`` prints it; ``make generated`` writes it, a test compares.
"""

import ast
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from attestation.policy import manifests_folder
from attestation.profiles.trusted_files import LOCK_NAME, parse_lock
from protocol.types import Digest

__all__ = ["main", "render_tcb"]

_HEAD = """\
# Trusted computing base

Generated from the trusted file locks by `make generated`; a test compares it. These are the files of ours that an
enclave runs, and whose change alters its measurement. Python and the installed packages are pinned by hash in
`requirements.lock`, which is measured too; on the simulated platform nothing checks that what is installed is what is
pinned.
"""


def render_tcb(root: Path) -> str:
    """Render the page for every profile under ``manifests/``."""
    locks = sorted((root / "manifests").glob(f"*/{LOCK_NAME}"))
    profiles = (_render_profile(root, lock.parent.name, parse_lock(lock.read_text("utf-8"))) for lock in locks)
    return "\n".join((_HEAD, *profiles))


def _render_profile(root: Path, profile: str, lock: Mapping[str, Digest]) -> str:
    sources = [path for path in lock if path.endswith(".py")]
    lines = {path: len((root / path).read_text("utf-8").splitlines()) for path in sources}
    folders = sorted({path.rsplit("/", 1)[0] for path in sources})
    rows = [
        f"| `{folder}/` | {len(inside)} | {sum(lines[path] for path in inside)} |"
        for folder in folders
        if (inside := [path for path in sources if path.rsplit("/", 1)[0] == folder])
    ]
    packages = ", ".join(f"`{name}`" for name in _packages(root, sources))
    return (
        f"## Profile {profile}\n\n| Folder | Files | Lines |\n|---|---|---|\n"
        + "\n".join(rows)
        + f"\n| **all** | **{len(sources)}** | **{sum(lines.values())}** |\n"
        + f"\nPackages that these files import: {packages}.\n"
    )


def _packages(root: Path, sources: Iterable[str]) -> list[str]:
    """List what the sources import that is neither ours nor of Python itself."""
    found: set[str] = set()
    for path in sources:
        for node in ast.walk(ast.parse((root / path).read_bytes())):
            match node:
                case ast.Import(names=names):
                    found |= {name.name.split(".")[0] for name in names}
                case ast.ImportFrom(module=str(module)):
                    found.add(module.split(".")[0])
    return sorted(name for name in found - sys.stdlib_module_names if not (root / name).is_dir())


def main() -> int:
    """Print the page."""
    sys.stdout.write(render_tcb(manifests_folder().parent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
