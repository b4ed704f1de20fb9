"""The Gramine manifest of a build: the template of ``manifests/`` with the profile's sizes and every file's digest."""

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Final

from attestation.profiles.packages import PYTHON
from attestation.profiles.trusted_files import Profile
from protocol.types import Digest
from sealroom.profiles.tree import EXECUTABLE, LIBOS, MOUNTED

__all__ = ["MANIFEST_NAME", "read_template", "render_manifest"]

MANIFEST_NAME: Final = "enclave.manifest"


def read_template(root: Path) -> str:
    """Read the template of a project."""
    return (root / "manifests" / f"{MANIFEST_NAME}.template").read_text("utf-8")


def render_manifest(template: str, profile: Profile, lock: Mapping[str, Digest]) -> str:
    """Fill in the template; ``lock`` has the files of the tree by their path from the build's folder."""
    mounts = (f'  {{ path = "{path}", uri = "file:tree/{folder}" }},' for folder, path in MOUNTED.items())
    files = (f'  {{ uri = "file:{path}", sha256 = "{lock[path]}" }},' for path in sorted(lock))
    return Template(template).substitute(
        profile=profile.name,
        python=f"python{PYTHON}",
        executable=f"/{EXECUTABLE}",
        path=f"/{EXECUTABLE}".rsplit("/", 1)[0],
        libos=f"file:tree/{LIBOS}",
        libos_sha256=lock[f"tree/{LIBOS}"],
        enclave_size=profile.gramine.enclave_size,
        max_threads=profile.gramine.max_threads,
        mounts="\n".join(mounts),
        trusted_files="\n".join(files),
    )
