"""A sealed dataset on the owner's disk: three files, none of which is secret to the custodian's broker.

``NAME.manifest.json`` is signed and public to partners, ``NAME.sealed`` opens with the data key only, and
``NAME.capsule`` is that key, sealed to the custodian. The data key itself is kept nowhere else.
"""

from dataclasses import dataclass
from pathlib import Path

from protocol.documents.dataset import DatasetManifest
from protocol.documents.institution import Institution
from protocol.dsse import MAX_DOCUMENT, Envelope, Verified
from protocol.errors import StorageError
from protocol.governance import verify_manifest
from sealroom.files import read_bounded

__all__ = ["Package"]


@dataclass(frozen=True, slots=True)
class Package:
    """The files of one dataset: ``folder`` and ``short`` name."""

    folder: Path
    short: str

    @classmethod
    def at(cls, path: Path) -> "Package":
        """Return the package that a user names: DIR/NAME, or any of its files."""
        name = path.name
        for suffix in (".manifest.json", ".sealed", ".capsule"):
            name = name.removesuffix(suffix)
        return cls(path.parent, name)

    @property
    def manifest(self) -> Path:
        """The signed manifest."""
        return self.folder / f"{self.short}.manifest.json"

    @property
    def sealed(self) -> Path:
        """The sealed file."""
        return self.folder / f"{self.short}.sealed"

    @property
    def capsule(self) -> Path:
        """The sealed data key."""
        return self.folder / f"{self.short}.capsule"

    def load(self, institution: Verified[Institution]) -> Verified[DatasetManifest]:
        """Return the manifest, verified under this institution.

        Raises
        ------
        StorageError
            ``FILE_MISSING``, or ``FILE_SIZE`` where the sealed file is not as long as the manifest says.
        """
        envelope = Envelope.from_bytes(read_bounded(self.manifest, MAX_DOCUMENT))
        manifest = verify_manifest(envelope, {institution.document.root: institution})
        (file,) = manifest.document.files
        if not self.sealed.is_file() or self.sealed.stat().st_size != file.sealed_size:
            raise StorageError(
                "FILE_SIZE",
                f"{self.sealed} is not the file of {file.sealed_size} bytes that was sealed. Seal it again.",
            )
        return manifest
