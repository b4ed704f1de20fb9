"""The trusted files of a profile: which files an enclave consists of, each with its SHA-256.

``profile.toml`` names whole folders, what of them other profiles alone run, and single files; modules of our other
packages are added where these import them, found by reading the sources (imports inside functions included). Python
itself and the installed packages are pinned by ``requirements.lock``, which is one of the files. The lock has one line
for a file, as ``sha256sum`` writes it.
"""

import ast
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from protocol.errors import AttestationError
from protocol.types import Digest, Document, Name

__all__ = [
    "LOCK_NAME",
    "GramineSizes",
    "Profile",
    "compute_lock",
    "digest_file",
    "files_below",
    "load_profile",
    "parse_lock",
    "profile_folder",
    "render_lock",
    "simulated_files",
]

LOCK_NAME: Final = "trusted-files.lock"
_PATH = r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*"
_LINE = re.compile(rf"([0-9a-f]{{64}})  ({_PATH})")
_PROFILE_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_RelativePath = Annotated[str, Field(pattern=rf"^{_PATH}$")]


class GramineSizes(Document):
    """What the Gramine manifest of a profile says of memory and threads."""

    enclave_size: Annotated[str, Field(pattern=r"^(1|2|4|8|16|32|64|128|256|512)[MG]$")]
    max_threads: Annotated[int, Field(ge=4, le=256)]


class Profile(Document):
    """What is measured: all below ``folders`` that is not below ``without``, ``files``, and what these import.

    Of that, ``simulated`` are the files that only builds for simulated platforms hold.
    """

    version: Literal[1]
    name: Name
    folders: Annotated[tuple[_RelativePath, ...], Field(min_length=1, max_length=20)]
    without: Annotated[tuple[_RelativePath, ...], Field(max_length=100)] = ()
    files: Annotated[tuple[_RelativePath, ...], Field(max_length=100)]
    simulated: Annotated[tuple[_RelativePath, ...], Field(max_length=100)] = ()
    gramine: GramineSizes

    def below(self, root: Path) -> Iterator[str]:
        """List every file below the folders but those left out and the simulated ones, as relative POSIX paths."""
        left_out = tuple(f"{path}/" for path in (*self.without, *self.simulated))
        for folder in self.folders:
            for path in files_below(root, folder):
                if not f"{path}/".startswith(left_out):
                    yield path


def profile_folder(root: Path, profile: str) -> Path:
    """Return the folder of a profile, or raise ``AttestationError`` with code ``PROFILE`` where there is none."""
    folder = root / "manifests" / profile
    if not _PROFILE_NAME.fullmatch(profile) or not (folder / "profile.toml").is_file():
        raise AttestationError(
            "PROFILE", f"There is no enclave profile {profile[:64]!r}. Profiles are folders of manifests/."
        )
    return folder


def load_profile(root: Path, profile: str) -> Profile:
    """Read ``manifests/PROFILE/profile.toml``; ``AttestationError`` with code ``PROFILE`` where it is not right."""
    text = (profile_folder(root, profile) / "profile.toml").read_text("utf-8")
    try:
        found = Profile.model_validate_json(json.dumps(tomllib.loads(text)))
    except (ValueError, TypeError) as error:
        raise AttestationError("PROFILE", f"profile.toml of {profile} is not what a profile must be.") from error
    if found.name != profile:
        raise AttestationError("PROFILE", f"profile.toml of {profile} names itself {found.name}.")
    return found


def compute_lock(root: Path, profile: Profile) -> dict[str, Digest]:
    """Digest every trusted file of a profile, in the tree as it is now, by relative POSIX path.

    Raises
    ------
    AttestationError
        ``TRUSTED_FILES`` where one of them imports a file that only simulated builds hold, or such a file imports what
        is not trusted.
    """
    paths = _with_imports(root, set(profile.below(root)) | set(profile.files))
    for path in sorted(paths & set(profile.simulated)):
        raise AttestationError(
            "TRUSTED_FILES", f"A trusted file of {profile.name} imports {path}, which only simulated builds hold."
        )
    for path in sorted(_with_imports(root, set(profile.simulated)) - set(profile.simulated) - paths):
        raise AttestationError(
            "TRUSTED_FILES", f"A file of {profile.name} for simulated builds imports {path}; name it beside that file."
        )
    return {path: digest_file(root, path) for path in sorted(paths)}


def simulated_files(root: Path, profile: Profile) -> dict[str, Digest]:
    """Digest the files that only simulated builds hold, by relative POSIX path."""
    return {path: digest_file(root, path) for path in sorted(profile.simulated)}


def digest_file(root: Path, path: str) -> Digest:
    """Return the SHA-256 of one file, or raise ``AttestationError`` with code ``TRUSTED_FILE`` where it is missing."""
    try:
        with (root / path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AttestationError(
            "TRUSTED_FILE", f"The trusted file {path} cannot be read. Write the lock anew if it was removed on purpose."
        ) from error


def files_below(root: Path, folder: str) -> Iterator[str]:
    """List every file below a folder but Python's caches, as relative POSIX paths."""
    for path in (root / folder).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(root).as_posix()


def parse_lock(text: str) -> dict[str, Digest]:
    """Read a lock.

    Raises
    ------
    AttestationError
        ``TRUSTED_FILES`` unless each line is ``sha256  relative/path``, sorted, each path once.
    """
    found: dict[str, Digest] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise AttestationError("TRUSTED_FILES", "A line of the trusted file lock is not 'sha256  relative/path'.")
        found[match[2]] = match[1]
    if render_lock(found) != text or not found:
        raise AttestationError(
            "TRUSTED_FILES", "The trusted file lock is not sorted, or names a path twice, or is empty."
        )
    return found


def render_lock(lock: Mapping[str, Digest]) -> str:
    """Write a lock: one line for each file, sorted by path."""
    return "".join(f"{lock[path]}  {path}\n" for path in sorted(lock))


def _with_imports(root: Path, paths: set[str]) -> set[str]:
    """Add to some files all that they import of ours."""
    found = set(paths)
    waiting = [path for path in paths if path.endswith(".py")]
    while waiting:
        for path in _imported_files(root, waiting.pop()):
            if path not in found:
                found.add(path)
                waiting.append(path)
    return found


def _imported_files(root: Path, path: str) -> Iterator[str]:
    """List the files of our own packages that one source file imports, with the packages around them."""
    tree = ast.parse((root / path).read_bytes(), filename=path)
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for name in names:
                    yield from _module_files(root, name.name)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from _module_files(root, module)
                for name in names:
                    yield from _module_files(root, f"{module}.{name.name}")
            case ast.ImportFrom():
                raise AttestationError(
                    "TRUSTED_FILES", f"{path} has a relative import; trusted files import by full name."
                )


def _module_files(root: Path, module: str) -> Iterator[str]:
    """List the file of a module and the ``__init__`` files of the packages around it, as far as they are ours."""
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        stem = "/".join(parts[:depth])
        for candidate in (f"{stem}/__init__.py", f"{stem}.py"):
            if (root / candidate).is_file():
                yield candidate
