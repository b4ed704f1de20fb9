"""Checks of the files that the enclave may open, and of the two that are run first."""

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from sealroom.profiles.lint.manifest import MAX_PATH, Manifest, TrustedFile, shown
from sealroom.profiles.lint.paths import host_path, lies_in, normal, outside
from sealroom.profiles.lint.rules import RULES, Finding

__all__ = ["check_files"]

MANY_FILES: Final = 10_000
"""A slim tree of Python with its scientific libraries has some thousands; whole library folders have twice this."""
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
_WILDCARD: Final = re.compile(r"[*?]|\[.*\]")
_LIBRARIES: Final = re.compile(
    r"/|/opt|/usr|(/usr|/usr/local)?/(lib|lib64|lib32|bin|sbin|share)|(/usr|/usr/local)?/lib(64)?/[^/]+-linux-gnu"
    r"|(/usr|/usr/local)?/lib(64)?/python[0-9.]+|(.*/)?(site|dist)-packages"
)
_CODE: Final = re.compile(
    r"\.(py|pyc|pyd|pth|so|sh|pl|rb|jar|class|js|r)(\.[0-9.]+)?$|(^|/)(lib|lib64|bin|sbin|libexec|site-packages|dist-packages)(/|$)",
    re.IGNORECASE,
)


def check_files(manifest: Manifest) -> Iterator[Finding]:
    """Yield what is wrong with trusted and allowed files and with the entry points."""
    yield from _trusted(manifest)
    yield from _allowed(manifest)
    yield from _entrypoints(manifest)


def _hashed(sha256: object) -> bool:
    return isinstance(sha256, str) and _SHA256.fullmatch(sha256) is not None


def _trusted(manifest: Manifest) -> Iterator[Finding]:
    hashes: dict[str, object] = {}
    for file in manifest.trusted:
        source = file.source
        if source is None or file.uri == "file:" or len(source) > MAX_PATH:
            yield Finding(RULES["TRUSTED_URI"], file.where, shown(file.uri))
            continue
        yield from _one_trusted(file, source)
        if source in hashes:
            same = str(hashes[source]).lower() == str(file.sha256).lower()
            yield Finding(RULES["TRUSTED_TWICE" if same else "TRUSTED_CONFLICT"], file.where, shown(file.uri))
        hashes.setdefault(source, file.sha256)
    if len(manifest.trusted) > MANY_FILES:
        yield Finding(RULES["TRUSTED_MANY"], "sgx.trusted_files", f"{len(manifest.trusted)} files")


def _one_trusted(file: TrustedFile, source: str) -> Iterator[Finding]:
    if _LIBRARIES.fullmatch(source):
        yield Finding(RULES["TRUSTED_LIBRARIES"], file.where, shown(file.uri))
    elif file.uri.endswith("/") or posixpath.basename(source) in {"", ".", ".."}:
        yield Finding(RULES["TRUSTED_FOLDER"], file.where, shown(file.uri))
    elif _WILDCARD.search(source):
        yield Finding(RULES["TRUSTED_WILDCARD"], file.where, shown(file.uri))
    elif not _hashed(file.sha256):
        yield Finding(RULES["TRUSTED_HASH"], file.where, f"{shown(file.uri)} with {shown(file.sha256)}")
    if source.startswith("/") or outside(source):
        yield Finding(RULES["TRUSTED_ELSEWHERE"], file.where, shown(file.uri))


def _allowed(manifest: Manifest) -> Iterator[Finding]:
    """Yield every allowed file: worse where it is, holds or may hold what is run."""
    sources = {file.source for file in manifest.trusted} | {mount.source for mount in manifest.mounts}
    run = sorted(source for source in sources if source is not None)
    for where, uri in manifest.items("sgx.allowed_files"):
        path = host_path(uri) if isinstance(uri, str) else None
        code = path is not None and (path in {"/", "."} or _CODE.search(path) is not None or lies_in(path, run))
        yield Finding(RULES["ALLOWED_CODE" if code else "ALLOWED_FILE"], where, shown(uri))


def _entrypoints(manifest: Manifest) -> Iterator[Finding]:
    trusted = {file.source for file in manifest.trusted if _hashed(file.sha256)}
    uri, sha256 = manifest.get("loader.entrypoint.uri"), manifest.get("loader.entrypoint.sha256")
    source = host_path(uri) if isinstance(uri, str) else None
    if source is None or not (_hashed(sha256) or source in trusted):
        yield Finding(RULES["LOADER_ENTRYPOINT"], "loader.entrypoint", f"{shown(uri)} with {shown(sha256)}")
    if isinstance(sha256, str) and any(
        file.source == source and str(file.sha256).lower() != sha256.lower() for file in manifest.trusted
    ):
        yield Finding(RULES["TRUSTED_CONFLICT"], "loader.entrypoint.sha256", shown(sha256))
    entrypoint, start = manifest.get("libos.entrypoint"), manifest.get("fs.start_dir")
    program = None
    if isinstance(entrypoint, str):
        program = manifest.host_file(normal(posixpath.join("/", start if isinstance(start, str) else "", entrypoint)))
    if program is None or program not in trusted:
        yield Finding(RULES["LIBOS_ENTRYPOINT"], "libos.entrypoint", shown(entrypoint))
