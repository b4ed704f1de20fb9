"""The measurement of a simulated enclave: what MRENCLAVE is on hardware, taken from outside, from the files on disk."""

import hashlib
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

__all__ = ["measure"]

_TAG = b"sealroom simulated measurement v1\x00"
"""Sets simulated measurements apart: none of them can be the MRENCLAVE of a real enclave."""


def measure(profile: str, root: Path) -> Digest:
    """Measure a profile's enclave: SHA-256 over the profile's name and each trusted file as it is on disk now.

    Trusted are the files of ``manifests/PROFILE/trusted-files.lock`` and whatever else lies below the profile's whole
    folders, since Python would import it. One changed byte, one more file or one less changes the measurement.

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
    paths.update(load_profile(root, profile).below(root))
    files = {path: digest_file(root, path) for path in paths}
    return hashlib.sha256(_TAG + canonical_bytes({"profile": profile, "files": files})).hexdigest()
