"""Checks of what is mounted where, with every way of writing a path that leads to /dev/attestation."""

from collections.abc import Iterator
from typing import Final

from sealroom.profiles.lint.manifest import Manifest, Mount, shown
from sealroom.profiles.lint.paths import covers, lies_in, outside
from sealroom.profiles.lint.rules import RULES, Finding

__all__ = ["check_mounts"]

ATTESTATION: Final = "/dev/attestation"
SYSTEM: Final = ("/dev", "/proc", "/sys")
KINDS: Final = ("chroot", "encrypted", "tmpfs")


def check_mounts(manifest: Manifest) -> Iterator[Finding]:
    """Yield what is wrong with the root and the mounts."""
    root = manifest.root
    if manifest.get("fs.root.type") not in ("tmpfs", "encrypted"):
        yield Finding(RULES["ROOT"], root.where, shown(manifest.get("fs.root.type")))
    known = manifest.table("fs.insecure__keys")
    yield from _encrypted(root, known)
    if root.kind != "tmpfs" and manifest.get("fs.root") is not None:
        yield from _source(root)
        if root.source is not None and root.source.startswith("/"):
            yield Finding(RULES["MOUNT_ELSEWHERE"], root.where, shown(root.uri))
    yield from _over_trusted(manifest)
    places: set[str] = set()
    for mount in manifest.mounts:
        yield from _place(mount)
        yield from _source(mount)
        yield from _encrypted(mount, known)
        if mount.place is not None:
            if mount.place in places:
                yield Finding(RULES["MOUNT_TWICE"], mount.where, shown(mount.path))
            places.add(mount.place)


def _place(mount: Mount) -> Iterator[Finding]:
    place, found = mount.place, shown(mount.path)
    if place is None or mount.path not in (place, f"{place}/"):
        yield Finding(RULES["MOUNT_PATH"], mount.where, found)
    if place is None:
        return
    if covers(place, ATTESTATION) or covers(ATTESTATION, place):
        yield Finding(RULES["MOUNT_ATTESTATION"], mount.where, found)
    if place == "/":
        yield Finding(RULES["MOUNT_ROOT"], mount.where, found)
    elif any(covers(folder, place) for folder in SYSTEM) and not (place == "/dev/shm" and mount.kind == "tmpfs"):  # noqa: S108 - compared
        yield Finding(RULES["MOUNT_SYSTEM"], mount.where, found)


def _source(mount: Mount) -> Iterator[Finding]:
    found = shown(mount.uri)
    if mount.kind == "untrusted_shm":
        yield Finding(RULES["MOUNT_SHARED"], mount.where, found)
    elif mount.kind not in KINDS:
        yield Finding(RULES["MOUNT_TYPE"], mount.where, shown(mount.kind))
    elif mount.kind != "tmpfs":
        source = mount.source
        if mount.uri is not None and mount.uri.startswith("dev:"):
            yield Finding(RULES["MOUNT_HOST_SYSTEM"], mount.where, found)
        elif source is None or mount.uri == "file:":
            yield Finding(RULES["MOUNT_URI"], mount.where, found)
        elif source == "/":
            yield Finding(RULES["MOUNT_ROOT"], mount.where, found)
        elif any(covers(folder, source) for folder in SYSTEM):
            yield Finding(RULES["MOUNT_HOST_SYSTEM"], mount.where, found)
        elif outside(source):
            yield Finding(RULES["MOUNT_ELSEWHERE"], mount.where, found)


def _over_trusted(manifest: Manifest) -> Iterator[Finding]:
    """Yield what takes the place of trusted files: mounts inside theirs, and later ones over theirs."""
    files = sorted({file.source for file in manifest.trusted if file.source is not None})
    placed = [(at, mount, mount.place) for at, mount in enumerate(manifest.mounts) if mount.place is not None]
    held = [
        (at, place)
        for at, mount, place in placed
        if mount.kind == "chroot" and mount.source is not None and lies_in(mount.source, files)
    ]
    for at, mount, place in placed:
        if mount.kind in ("encrypted", "tmpfs") and any(
            covers(trusted, place) or (earlier < at and covers(place, trusted)) for earlier, trusted in held
        ):
            yield Finding(RULES["MOUNT_OVER_TRUSTED"], mount.where, shown(mount.path))


def _encrypted(mount: Mount, known: dict[str, object]) -> Iterator[Finding]:
    if mount.kind != "encrypted":
        return
    key = "default" if mount.key_name is None else mount.key_name
    yield Finding(RULES["ENCRYPTED_ROLLBACK"], mount.where, shown(mount.uri))
    if key == "_sgx_mrsigner":
        yield Finding(RULES["ENCRYPTED_SIGNER"], mount.where, shown(key))
    elif not isinstance(key, str) or key in known or (key.startswith("_") and key != "_sgx_mrenclave"):
        yield Finding(RULES["ENCRYPTED_KEY"], mount.where, shown(key))
    elif key != "_sgx_mrenclave":
        yield Finding(RULES["ENCRYPTED_UNNAMED"], mount.where, shown(key))
