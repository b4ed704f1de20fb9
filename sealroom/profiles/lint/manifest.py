"""A manifest as it is read: values by dotted key, mounts, trusted files. Whatever has the wrong shape is not there."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sealroom.datasets.findings import plain
from sealroom.profiles.lint.paths import covers, host_path, normal

__all__ = ["Manifest", "Mount", "TrustedFile", "full", "shown"]

SHOWN_LENGTH = 120
_LARGE = 2**64
MAX_PATH = 4096
"""Linux takes no longer path."""


def shown(value: object) -> str:
    """Return a value as one short plain line, near to how TOML writes it."""
    match value:
        case None:
            words = "nothing"
        case bool():
            words = "true" if value else "false"
        case str():
            words = f'"{plain(value, SHOWN_LENGTH)}"'
        case int():
            # Python turns a whole number of thousands of digits into text only as hexadecimal.
            words = plain(str(value) if abs(value) < _LARGE else hex(value), SHOWN_LENGTH)
        case float():
            words = str(value)
        case dict() | list():
            words = f"a {'table' if isinstance(value, dict) else 'list'} of {len(value)}"
        case _:
            words = "a date or a time"
    return words


def full(value: object) -> str:
    """Return a value as ``shown``, but a text in full."""
    return f'"{plain(value, len(value))}"' if isinstance(value, str) else shown(value)


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount; ``path`` and ``uri`` are None where they are not texts."""

    where: str
    kind: object
    path: str | None
    uri: str | None
    key_name: object

    @property
    def place(self) -> str | None:
        """The path in normal form, or None where it is none that Gramine takes."""
        if self.path is None or not self.path.startswith("/") or len(self.path) > MAX_PATH:
            return None
        return normal(self.path)

    @property
    def source(self) -> str | None:
        """The host's path in normal form."""
        return None if self.uri is None else host_path(self.uri)


@dataclass(frozen=True, slots=True)
class TrustedFile:
    """One entry of ``sgx.trusted_files``."""

    where: str
    uri: str
    sha256: object

    @property
    def source(self) -> str | None:
        """The host's path in normal form."""
        return host_path(self.uri)


@dataclass(frozen=True)
class Manifest:
    """The content of a manifest."""

    content: dict[str, Any]

    def get(self, key: str) -> Any:  # noqa: ANN401 - any TOML value; None, which TOML has not, where there is nothing
        """Return the value under a dotted key."""
        value: Any = self.content
        for step in key.split("."):
            if not isinstance(value, dict) or step not in value:
                return None
            value = value[step]
        return value

    def items(self, key: str) -> list[tuple[str, Any]]:
        """Return the items of a list, each with where it stands."""
        value = self.get(key)
        return [(f"{key}[{index}]", item) for index, item in enumerate(value)] if isinstance(value, list) else []

    def table(self, key: str) -> dict[str, Any]:
        """Return the table under a key, or an empty one."""
        value = self.get(key)
        return value if isinstance(value, dict) else {}

    @cached_property
    def mounts(self) -> tuple[Mount, ...]:
        """The entries of ``fs.mounts`` that are tables, in their order."""
        return tuple(_mount(where, item) for where, item in self.items("fs.mounts") if isinstance(item, dict))

    @cached_property
    def root(self) -> Mount:
        """The root of the file system."""
        return _mount("fs.root", self.table("fs.root") | {"path": "/"})

    @cached_property
    def trusted(self) -> tuple[TrustedFile, ...]:
        """The entries of ``sgx.trusted_files`` that have a URI."""
        found = []
        for where, item in self.items("sgx.trusted_files"):
            uri, sha256 = (item.get("uri"), item.get("sha256")) if isinstance(item, dict) else (item, None)
            if isinstance(uri, str):
                found.append(TrustedFile(where, uri, sha256))
        return tuple(found)

    def host_file(self, path: str) -> str | None:
        """Return which file of the host a path inside the enclave leads to, or None where it is none or not known."""
        # The last mount that covers a path wins: one at the same place or above hides those before it.
        mount = self.root
        for later in self.mounts:
            if later.place is not None and covers(later.place, path):
                mount = later
        if mount.kind != "chroot" or mount.source is None or mount.place is None:
            return None
        rest = path[len(mount.place) :].lstrip("/")
        return normal(f"{mount.source}/{rest}")


def _mount(where: str, table: dict[str, Any]) -> Mount:
    path, uri = table.get("path"), table.get("uri")
    return Mount(
        where,
        table.get("type", "chroot"),
        path if isinstance(path, str) else None,
        uri if isinstance(uri, str) else None,
        table.get("key_name"),
    )
