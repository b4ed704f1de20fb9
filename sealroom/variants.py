"""The variants that released hits name, read from the catalogue whose digest the datasets' owners signed."""

from collections.abc import Mapping
from pathlib import Path

from protocol.catalogue import MAX_LINE, Variant, read_catalogue
from protocol.documents.outputs import Hits, ReleasedOutput
from protocol.errors import DocumentError, StorageError
from sealroom.verification import VerifiedBundle

__all__ = ["read_variants"]


def read_variants(path: Path, verified: VerifiedBundle, opened: Mapping[str, ReleasedOutput]) -> dict[int, Variant]:
    """Return the variants that opened hits name, by their places. The whole file is read, little of it is kept.

    Raises
    ------
    DocumentError
        ``NO_GENOTYPES`` where no dataset of the study has any; ``CATALOGUE`` where the file is not the catalogue that
        the datasets' owners signed, or they signed several; ``VARIANT`` with a line that cannot be read.
    StorageError
        ``FILE_MISSING``.
    """
    signed = {(g.catalogue, g.variants) for m in verified.study.manifests if (g := m.document.genotypes) is not None}
    if not signed:
        raise DocumentError("NO_GENOTYPES", "No dataset of this study has genotypes; leave the catalogue out.")
    if len(signed) > 1:
        raise DocumentError("CATALOGUE", "The datasets of this study do not have one catalogue of variants.")
    if not path.is_file():
        raise StorageError("FILE_MISSING", f"There is no file {path}.")
    ((digest, variants),) = signed
    wanted = {hit.variant for item in opened.values() if isinstance(item.value, Hits) for hit in item.value.entries}
    with path.open("rb") as source:
        lines = iter(lambda: source.readline(MAX_LINE + 1), b"")
        found = enumerate(read_catalogue(lines, digest=digest, variants=variants))
        return {place: variant for place, variant in found if place in wanted}
