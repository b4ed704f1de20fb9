"""The slim file tree of an enclave, and its lock.

::

    tree/gramine/   Gramine's library OS, which starts the program
    tree/lib/       /lib       shared objects: Gramine's C library and what the others need
    tree/usr/       /usr       Python's standard library
    tree/sealroom/  /sealroom  bin/ the interpreter, lib/ packages, code/ our own files of the trusted file lock
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from attestation.profiles.packages import PYTHON, pinned_packages
from attestation.profiles.trusted_files import (
    LOCK_NAME,
    load_profile,
    parse_lock,
    profile_folder,
    simulated_files,
)
from protocol.errors import AttestationError
from protocol.types import Digest
from sealroom.profiles.bytecode import compile_tree
from sealroom.profiles.distributions import package_files
from sealroom.profiles.files import Source, copy_all, digest
from sealroom.profiles.interpreter import base_executable, interpreter_files, library_folders, require_python
from sealroom.profiles.libraries import Gramine, find_libraries, gramine_files

__all__ = ["EXECUTABLE", "LIBOS", "MOUNTED", "lock_tree", "make_tree"]

LIBOS: Final = "gramine/libsysdb.so"
MOUNTED: Final = {"lib": PurePosixPath("/lib"), "usr": PurePosixPath("/usr"), "sealroom": PurePosixPath("/sealroom")}
"""Where the enclave sees each folder of the tree."""
EXECUTABLE: Final = f"sealroom/bin/python{PYTHON}"
_STANDARD: Final = f"usr/lib/python{PYTHON}"
_PACKAGES: Final = f"sealroom/lib/python{PYTHON}/site-packages"
_CODE: Final = "sealroom/code"
_WRITTEN: Final = {
    # An environment of its own, so that every Python finds the packages at one place, also those that distributions
    # have changed; home says where the standard library is.
    "sealroom/pyvenv.cfg": f"home = {MOUNTED['usr']}/bin\ninclude-system-site-packages = false\n",
    f"{_PACKAGES}/sealroom.pth": f"{MOUNTED['sealroom']}/code\n",
}


def make_tree(tree: Path, root: Path, profile: str, *, simulated: bool, gramine: Gramine | None) -> None:
    """Make the file tree of a profile in a new folder.

    Raises
    ------
    StorageError
        ``PYTHON``, ``PACKAGE_MISSING``, ``PACKAGE_RECORD``, ``TREE_FILE``, ``LIBRARY_MISSING``, ``COMPILE``.
    AttestationError
        ``PROFILE``, ``TRUSTED_FILES``, ``REQUIREMENTS``.
    """
    require_python()
    trusted = _trusted(root, profile, simulated=simulated)
    copy_all(
        (Source(f"{_CODE}/{path}", root / path, wanted, f"{profile}/{LOCK_NAME}") for path, wanted in trusted.items()),
        tree,
    )
    copy_all(package_files(pinned_packages(root, trusted), _PACKAGES), tree)
    copy_all(interpreter_files(EXECUTABLE, _STANDARD), tree)
    (tree / EXECUTABLE).chmod(0o755)
    for path, text in _WRITTEN.items():
        (tree / path).write_text(text, "utf-8")
    compile_tree(tree, base_executable(), mounted=MOUNTED, keep=_CODE)
    needs = find_libraries(tree, library_folders())
    copy_all((Source(f"lib/{name}", path) for name, path in needs.libraries), tree)
    if gramine is not None:
        copy_all(gramine_files(gramine, needs.c_library, "lib", LIBOS), tree)


def lock_tree(tree: Path) -> Mapping[str, Digest]:
    """Digest every file of a tree, by its path from the build's folder."""
    files = (path for path in tree.rglob("*") if path.is_file())
    return {path.relative_to(tree.parent).as_posix(): digest(path) for path in sorted(files)}


def _trusted(root: Path, profile: str, *, simulated: bool) -> Mapping[str, Digest]:
    lock = parse_lock((profile_folder(root, profile) / LOCK_NAME).read_text("utf-8"))
    stated = load_profile(root, profile)
    for path in sorted(lock.keys() & {*stated.simulated}):
        raise AttestationError(
            "TRUSTED_FILES",
            f"{LOCK_NAME} of {profile} lists {path}, which only simulated builds hold. Write the lock anew: "
            "python -m attestation.profiles.lock --write.",
        )
    return lock | simulated_files(root, stated) if simulated else lock
