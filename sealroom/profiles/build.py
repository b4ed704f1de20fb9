"""Build an enclave profile: ``tree/``, ``tree.lock`` and ``enclave.manifest``, the same bytes for all who build it."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attestation.profiles.trusted_files import load_profile, render_lock
from sealroom.profiles.gramine_manifest import MANIFEST_NAME, read_template, render_manifest
from sealroom.profiles.libraries import Gramine
from sealroom.profiles.tree import EXECUTABLE, lock_tree, make_tree

__all__ = ["TREE_LOCK", "Build", "build_profile"]

TREE_LOCK: Final = "tree.lock"


@dataclass(frozen=True, slots=True)
class Build:
    """A build of a profile.

    Parameters
    ----------
    folder
        Where it lies; Gramine is started there.
    files, size
        How many files the tree has, and their bytes.
    complete
        False where Gramine was not at hand: then its own files and the manifest are missing.
    """

    folder: Path
    files: int
    size: int
    complete: bool


def build_profile(root: Path, profile: str, out: Path, *, simulated: bool, gramine: Gramine | None) -> Build:
    """Build a profile to ``out/PROFILE``, replacing an old build in one step.

    Parameters
    ----------
    root
        Folder of our sources, ``manifests/`` and ``requirements.lock``.
    profile
        Its name.
    out
        Folder of builds.
    simulated
        Take in what only simulated platforms need.
    gramine
        Whose run-time goes into the tree.

    Raises
    ------
    StorageError, AttestationError
        As ``sealroom.profiles.tree.make_tree``.
    """
    stated = load_profile(root, profile)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=f".{profile}.") as work:
        folder = Path(work) / profile
        tree = folder / "tree"
        make_tree(tree, root, profile, simulated=simulated, gramine=gramine)
        lock = lock_tree(tree)
        (folder / TREE_LOCK).write_text(render_lock(lock), "utf-8")
        if gramine is not None:
            (folder / MANIFEST_NAME).write_text(render_manifest(read_template(root), stated, lock), "utf-8")
        _open_to_all(folder)
        size = sum((folder / path).stat().st_size for path in lock)
        target = out / profile
        if target.exists():
            target.rename(Path(work) / "replaced")
        folder.rename(target)
        shutil.rmtree(Path(work) / "replaced", ignore_errors=True)
    return Build(target, len(lock), size, gramine is not None)


def _open_to_all(folder: Path) -> None:
    """Let every account read the build, whatever the umask: the one that runs enclaves may be another."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path == folder / "tree" / EXECUTABLE else 0o644)
