"""The measurement of a build: MRENCLAVE, computed without SGX by Gramine's own signing tool, and its files' digest.

The key that signs is made for the moment and thrown away: MRENCLAVE does not depend on it.
"""

import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attestation.profiles.trusted_files import load_profile, render_lock
from protocol.errors import StorageError
from protocol.types import Digest
from sealroom.profiles.build import TREE_LOCK
from sealroom.profiles.files import digest
from sealroom.profiles.gramine_manifest import MANIFEST_NAME, read_template, render_manifest
from sealroom.profiles.tree import LIBOS, lock_tree

__all__ = ["SIGNER", "Measured", "digest_build", "measure_folder"]

SIGNER: Final = "gramine-sgx-sign"
_MRENCLAVE: Final = slice(960, 992)
"""Where SIGSTRUCT holds ENCLAVEHASH: Intel's manual, volume 3D, table 38-19."""
_SIGSTRUCT: Final = 1808


@dataclass(frozen=True, slots=True)
class Measured:
    """What a build is: the digest of its files, and MRENCLAVE, or None and the reason why it was not computed."""

    files: Digest
    mrenclave: Digest | None
    why: str = ""


def digest_build(folder: Path) -> Digest:
    """Return what stands for all files of a build: the SHA-256 of ``tree.lock`` and, after it, the manifest's line.

    ``(cat tree.lock; sha256sum enclave.manifest) | sha256sum`` says the same. A build without Gramine has no manifest.
    """
    text = (folder / TREE_LOCK).read_bytes()
    if (folder / MANIFEST_NAME).is_file():
        text += f"{digest(folder / MANIFEST_NAME)}  {MANIFEST_NAME}\n".encode()
    return hashlib.sha256(text).hexdigest()


def measure_folder(folder: Path, root: Path) -> Measured:
    """Measure the build in a folder, after comparing its tree with its lock and its manifest with ours.

    The folder has the profile's name; ``root`` is the project's folder, whose ``manifests/`` say what the manifest is.

    Raises
    ------
    StorageError
        ``BUILD`` where it is no build, its tree is not what its lock says or its manifest not what we would write;
        ``MEASURE`` where Gramine's tool fails.
    AttestationError
        ``PROFILE`` where the folder's name is no profile.
    """
    stated = load_profile(root, folder.resolve().name)
    lock = folder / TREE_LOCK
    if not lock.is_file():
        raise StorageError("BUILD", f"{folder} is no build: it has no {TREE_LOCK}. See: sealroom profile build --help.")
    text = lock.read_bytes()
    tree = lock_tree(folder / "tree")
    found = render_lock(tree).encode()
    if found != text:
        lines = {*found.splitlines()} ^ {*text.splitlines()}
        changed = sorted({line.split(b"  ", 1)[-1].decode(errors="replace") for line in lines})
        raise StorageError(
            "BUILD", f"{folder} is not what its {TREE_LOCK} says: {', '.join(changed[:5])}. Build it anew."
        )
    files = digest_build(folder)
    if not (folder / MANIFEST_NAME).is_file():
        return Measured(files, None, "The build is incomplete: it was made without Gramine, whose files are missing.")
    wanted = render_manifest(read_template(root), stated, tree) if f"tree/{LIBOS}" in tree else ""
    if (folder / MANIFEST_NAME).read_bytes() != wanted.encode():
        raise StorageError(
            "BUILD",
            f"{MANIFEST_NAME} of {folder} is not the one that this project's template and profile give for its tree. "
            "Build it anew with the same release, and compare the two with diff.",
        )
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
