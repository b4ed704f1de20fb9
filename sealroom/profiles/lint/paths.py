"""Paths and URIs of a manifest, in the one form in which they can be compared."""

import posixpath

__all__ = ["covers", "host_path", "normal"]

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


def covers(folder: str, path: str) -> bool:
    """Say whether a normal absolute path is that folder or lies in it.

    >>> covers("/dev", "/dev/attestation"), covers("/dev", "/devices"), covers("/", "/x")
    (True, False, True)
    """
    return folder == path or path.startswith(folder.rstrip("/") + "/")
