"""The measurement of a build: MRENCLAVE, computed without SGX by Gramine's own signing tool, and its lock's digest.

The key that signs is made for the moment and thrown away: MRENCLAVE does not depend on it.
"""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attestation.profiles.trusted_files import render_lock
from protocol.errors import StorageError
from protocol.types import Digest
from sealroom.profiles.build import TREE_LOCK
from sealroom.profiles.files import digest
from sealroom.profiles.gramine_manifest import MANIFEST_NAME
from sealroom.profiles.tree import lock_tree

__all__ = ["SIGNER", "Measured", "digest_lock", "measure_folder"]

SIGNER: Final = "gramine-sgx-sign"
_MRENCLAVE: Final = slice(960, 992)
"""Where SIGSTRUCT holds ENCLAVEHASH: Intel's manual, volume 3D, table 38-19."""
_SIGSTRUCT: Final = 1808


@dataclass(frozen=True, slots=True)
class Measured:
    """What a build is: the digest of ``tree.lock``, and MRENCLAVE, or None and the reason why it was not computed."""

    files: Digest
    mrenclave: Digest | None
    why: str = ""


def digest_lock(folder: Path) -> Digest:
    """Return the SHA-256 of a build's lock, which stands for all its files."""
    return digest(folder / TREE_LOCK)


def measure_folder(folder: Path) -> Measured:
    """Measure the build in a folder, after comparing its tree with its lock.

    Raises
    ------
    StorageError
        ``BUILD`` where it is no build or its tree is not what its lock says, ``MEASURE`` where Gramine's tool fails.
    """
    lock = folder / TREE_LOCK
    if not lock.is_file():
        raise StorageError("BUILD", f"{folder} is no build: it has no {TREE_LOCK}. See: sealroom profile build --help.")
    text = lock.read_bytes()
    found = render_lock(lock_tree(folder / "tree")).encode()
    if found != text:
        lines = {*found.splitlines()} ^ {*text.splitlines()}
        changed = sorted({line.split(b"  ", 1)[-1].decode(errors="replace") for line in lines})
        raise StorageError(
            "BUILD", f"{folder} is not what its {TREE_LOCK} says: {', '.join(changed[:5])}. Build it anew."
        )
    files = digest(lock)
    if not (folder / MANIFEST_NAME).is_file():
        return Measured(files, None, "The build is incomplete: it was made without Gramine, whose files are missing.")
    signer = shutil.which(SIGNER)
    if signer is None:
        return Measured(files, None, f"{SIGNER} is not on the PATH; install Gramine's tools to compute MRENCLAVE.")
    return Measured(files, _mrenclave(folder, signer))


def _mrenclave(folder: Path, signer: str) -> Digest:
    with tempfile.TemporaryDirectory() as work:
        key, signature = Path(work) / "key.pem", Path(work) / "enclave.sig"
        key.write_bytes(_throwaway_key())
        arguments = ["--manifest", MANIFEST_NAME, "--output", f"{work}/{MANIFEST_NAME}.sgx"]
        arguments += ["--key", str(key), "--sigfile", str(signature), "--quiet"]
        command = [signer, *arguments]
        ran = subprocess.run(command, cwd=folder, capture_output=True, check=False)  # noqa: S603 - Gramine's own tool
        structure = signature.read_bytes() if signature.is_file() else b""
        if ran.returncode != 0 or len(structure) != _SIGSTRUCT:
            last = ran.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1]
            raise StorageError("MEASURE", f"{SIGNER} could not measure {folder}: {last or ran.returncode}")
        return structure[_MRENCLAVE].hex()


def _throwaway_key() -> bytes:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(public_exponent=3, key_size=3072)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
