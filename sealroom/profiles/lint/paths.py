"""Paths and URIs of a manifest, in the one form in which they can be compared."""

import posixpath
from bisect import bisect_left

__all__ = ["covers", "host_path", "lies_in", "normal", "outside"]

FILE = "file:"


def normal(path: str) -> str:
    """Return a path without doubled slashes, dots and a slash at its end.

    >>> normal("//dev/./shm/..//attestation/")
    '/dev/attestation'
    >>> normal("tree/")
    'tree'
    """
    plain = posixpath.normpath(path)
    # POSIX lets two leading slashes mean something of their own; Gramine, as Linux, takes them for one.
    return plain[1:] if plain.startswith("//") else plain


def host_path(uri: str) -> str | None:
    """Return the host's path that a ``file:`` URI names, or None where it is another URI."""
    return normal(uri.removeprefix(FILE)) if uri.startswith(FILE) else None


def outside(path: str) -> bool:
    """Say whether a normal relative path leads out of the folder that it starts from.

    >>> outside("../x"), outside(".."), outside("..x"), outside("/x")
    (True, True, False, False)
    """
    return path == ".." or path.startswith("../")


def covers(folder: str, path: str) -> bool:
    """Say whether a normal absolute path is that folder or lies in it.

    >>> covers("/dev", "/dev/attestation"), covers("/dev", "/devices"), covers("/", "/x")
    (True, False, True)
    """
    return folder == path or path.startswith(folder.rstrip("/") + "/")


def lies_in(folder: str, paths: list[str]) -> bool:
    """Say whether one of these sorted normal paths is that folder or lies in it.

    >>> lies_in("a", ["a-", "a/b"]), lies_in("a", ["a-", "ab"]), lies_in(".", ["../x", "/x"]), lies_in(".", ["x"])
    (True, False, False, True)
    """
    if folder == ".":
        return any(not path.startswith("/") and not outside(path) for path in paths)
    return any(
        at < len(paths) and covers(folder, paths[at])
        for at in (bisect_left(paths, folder), bisect_left(paths, folder.rstrip("/") + "/"))
    )
