"""The measurement of a simulated enclave: what MRENCLAVE is on hardware, taken from outside, from the files on disk."""

import hashlib
import re
from pathlib import Path

from attestation.profiles.trusted_files import (
    LOCK_NAME,
    digest_file,
    load_profile,
    parse_lock,
    profile_folder,
)
from protocol.canonical import canonical_bytes
from protocol.errors import AttestationError
from protocol.types import Digest

__all__ = ["BUILD_MANIFEST", "measure", "measure_build"]

BUILD_MANIFEST = "enclave.manifest"
"""The Gramine manifest in a build's folder."""

_TAG = b"sealroom simulated measurement v1\x00"
_BUILD_TAG = b"sealroom simulated measurement of a build v1\x00"
"""Set simulated measurements apart: none of them can be the MRENCLAVE of a real enclave, or one of the other kind."""


def measure(profile: str, root: Path) -> Digest:
    """Measure a profile's enclave: SHA-256 over the profile's name and each trusted file as it is on disk now.

    Trusted are the files of ``manifests/PROFILE/trusted-files.lock``, those that simulated enclaves alone hold, and
    whatever else lies below the profile's whole folders, since Python would import it. One changed byte, one more file
    or one less changes the measurement.

    Raises
    ------
    AttestationError
        ``PROFILE`` for an unknown profile, ``TRUSTED_FILES`` for a lock that cannot be read, ``TRUSTED_FILE`` for a
        file that is missing.
    """
    lock = profile_folder(root, profile) / LOCK_NAME
    try:
        paths = set(parse_lock(lock.read_bytes().decode("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise AttestationError("TRUSTED_FILES", f"Profile {profile} has no readable {LOCK_NAME}.") from error
    stated = load_profile(root, profile)
    paths.update(stated.below(root), stated.simulated)
    files = {path: digest_file(root, path) for path in paths}
    return hashlib.sha256(_TAG + canonical_bytes({"profile": profile, "files": files})).hexdigest()


def measure_build(profile: str, enclaves: Path) -> Digest:
    """Measure a build of a profile: SHA-256 over the profile's name and the digest of its Gramine manifest.

    The manifest names each trusted file with its digest, and Gramine refuses a file that is another one. Without
    Gramine nobody checks the files: such a build is only run by ``gramine-direct`` or ``gramine-sgx``.

    Raises
    ------
    AttestationError
        ``PROFILE`` for what cannot be a profile's name, ``BUILD`` where ``enclaves/PROFILE/enclave.manifest`` cannot be
        read.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", profile):
        raise AttestationError("PROFILE", f"There is no enclave profile {profile[:64]!r}.")
    try:
        manifest = (enclaves / profile / BUILD_MANIFEST).read_bytes()
    except OSError as error:
        raise AttestationError(
            "BUILD",
            f"There is no readable {BUILD_MANIFEST} of profile {profile} among the builds. Make one with: "
            f"sealroom profile build {profile} --simulated.",
        ) from error
    digest = hashlib.sha256(manifest).hexdigest()
    return hashlib.sha256(_BUILD_TAG + canonical_bytes({"profile": profile, "manifest": digest})).hexdigest()
