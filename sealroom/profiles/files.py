"""What goes into an enclave's file tree: each file with where it comes from and what it must be."""

import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import StorageError
from protocol.types import Digest

__all__ = ["Source", "copy_all"]


@dataclass(frozen=True, slots=True)
class Source:
    """One file to copy.

    Parameters
    ----------
    target
        Where it goes, relative to the tree.
    origin
        Where it lies on this machine.
    sha256
        What it must hold, or None where nothing but the build's own lock says so.
    stated
        Who says so, for messages.
    """

    target: str
    origin: Path
    sha256: Digest | None = None
    stated: str = ""


def copy_all(sources: Iterable[Source], tree: Path) -> None:
    """Copy files into a tree and compare what was copied with what it must be.

    Raises
    ------
    StorageError
        ``TREE_FILE`` for a file that cannot be read, that differs, or whose place is taken.
    """
    for source in sources:
        target = tree / source.target
        if target.exists():
            raise StorageError(
                "TREE_FILE", f"Two files want to be {source.target} in the tree; one is {source.origin}."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(source.origin, target)
        except OSError as error:
            raise StorageError("TREE_FILE", f"{source.origin} cannot be copied: {error.strerror}.") from error
        target.chmod(0o644)
        if source.sha256 is not None and digest(target) != source.sha256:
            raise StorageError(
                "TREE_FILE",
                f"{source.origin} is not what {source.stated} says: a modified file is not built in. Restore it, or "
                "install anew.",
            )


def digest(path: Path) -> Digest:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
