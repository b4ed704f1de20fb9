"""Compile the Python files of a tree, so that an enclave need not at every start, to the same bytes every time.

Bytecode names its source by where the enclave sees it, never by a folder of this machine, and is not dated. Packages
and the standard library are kept as bytecode alone. Our own sources stay, and Python compares them with their bytecode
when it loads it: what a reviewer reads in the tree is what runs.
"""

import subprocess
from pathlib import Path, PurePosixPath
from typing import Final

from attestation.profiles.packages import PYTHON
from protocol.errors import StorageError

__all__ = ["compile_tree"]

_TAG: Final = f"cpython-{PYTHON.replace('.', '')}"
_PROGRAM: Final = """
import py_compile, sys
from py_compile import PycInvalidationMode as Mode
for line in sys.stdin.buffer.read().decode().split("\\0")[:-1]:
    mode, source, name, target = line.split("\\t")
    try:
        py_compile.compile(source, cfile=target, dfile=name, doraise=True, optimize=0, invalidation_mode=Mode[mode])
    except py_compile.PyCompileError as error:
        sys.exit(f"{name}: {error.exc_type_name}")
"""
_ENVIRONMENT: Final = {"PYTHONHASHSEED": "0"}


def compile_tree(tree: Path, executable: Path, *, mounted: dict[str, PurePosixPath], keep: str) -> None:
    """Compile every ``.py`` file below a tree, and keep the source of those below ``keep``.

    Parameters
    ----------
    tree
        The folder; its sources are replaced in place.
    executable
        The interpreter to compile with: that of the tree, as bytecode belongs to a version of Python.
    mounted
        The enclave's path of each folder at the top of the tree.
    keep
        The folder, relative to the tree, whose sources stay beside their bytecode.

    Raises
    ------
    StorageError
        ``COMPILE`` where a file does not compile.
    """
    jobs = []
    sources = sorted(path for path in tree.rglob("*.py"))
    for source in sources:
        inside = source.relative_to(tree)
        name = mounted[inside.parts[0]].joinpath(*inside.parts[1:])
        if inside.as_posix().startswith(f"{keep}/"):
            cache = source.parent / "__pycache__" / f"{source.stem}.{_TAG}.pyc"
            jobs.append(("CHECKED_HASH", source, name, cache))
        else:
            jobs.append(("UNCHECKED_HASH", source, name, source.with_suffix(".pyc")))
    # One process and one order: marshalled code depends on which strings its process holds already.
    ran = subprocess.run(  # noqa: S603 - this environment's own interpreter
        [str(executable), "-s", "-S", "-P", "-c", _PROGRAM],
        input="".join("\t".join(map(str, job)) + "\0" for job in jobs).encode(),
        env=_ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    if ran.returncode != 0:
        last = ran.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1]
        raise StorageError("COMPILE", f"A Python file of the tree does not compile: {last}")
    for mode, source, _, target in jobs:
        target.chmod(0o644)
        if mode == "UNCHECKED_HASH":
            source.unlink()
