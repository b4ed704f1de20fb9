"""A sealed dataset on the owner's disk: files none of which is secret to the custodian's broker.

``NAME.manifest.json`` is signed and public to partners, ``NAME.sealed`` and, where there are genotypes,
``NAME.genotypes.sealed`` open with the data key only, and ``NAME.capsule`` is that key, sealed to the custodian. The
data key itself is kept nowhere else. ``NAME.variants.tsv`` is the catalogue of variants: it is not uploaded; partners
who are to know what results stand for get it from the owner.
"""

from dataclasses import dataclass
from pathlib import Path

from protocol.documents.dataset import GENOTYPES, TABLE, DatasetManifest
from protocol.documents.institution import Institution
from protocol.dsse import MAX_DOCUMENT, Envelope, Verified
from protocol.errors import StorageError
from protocol.governance import verify_manifest
from protocol.types import Name
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
        for suffix in (".manifest.json", f".{GENOTYPES}.sealed", ".sealed", ".capsule", ".variants.tsv"):
            name = name.removesuffix(suffix)
        return cls(path.parent, name)

    @property
    def manifest(self) -> Path:
        """The signed manifest."""
        return self.folder / f"{self.short}.manifest.json"

    @property
    def sealed(self) -> Path:
        """The sealed table."""
        return self.folder / f"{self.short}.sealed"

    def file(self, name: Name) -> Path:
        """Return the path of one of the manifest's files."""
        return self.sealed if name == TABLE else self.folder / f"{self.short}.{name}.sealed"

    @property
    def catalogue(self) -> Path:
        """The catalogue of variants, where there are genotypes."""
        return self.folder / f"{self.short}.variants.tsv"

    @property
    def capsule(self) -> Path:
        """The sealed data key."""
        return self.folder / f"{self.short}.capsule"

    def load(self, institution: Verified[Institution]) -> Verified[DatasetManifest]:
        """Return the manifest, verified under this institution.

        Raises
        ------
        StorageError
            ``FILE_MISSING``, or ``FILE_SIZE`` where a sealed file is not as long as the manifest says.
        """
        envelope = Envelope.from_bytes(read_bounded(self.manifest, MAX_DOCUMENT))
        manifest = verify_manifest(envelope, {institution.document.root: institution})
        for file in manifest.document.files:
            path = self.file(file.name)
            if not path.is_file() or path.stat().st_size != file.sealed_size:
                raise StorageError(
                    "FILE_SIZE", f"{path} is not the file of {file.sealed_size} bytes that was sealed. Seal it again."
                )
        return manifest
