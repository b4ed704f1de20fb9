"""Collateral of today for a quote that is at hand: from a file or folder, or from a PCCS or PCS."""

from pathlib import Path
from typing import Final

from attestation.collateral.cache import FolderCache, MemoryCache
from attestation.collateral.client import PccsClient
from attestation.collateral.source import BundledSource, CollateralSource, PccsSource
from attestation.endorsements import collateral_from_json
from attestation.policy import CollateralAge
from protocol.documents.attested import Evidence
from protocol.documents.receipt import MAX_BUNDLE, ResultBundle
from protocol.errors import DocumentError
from protocol.types import decode_base64
from sealroom.files import read_bounded

__all__ = ["bundled_source", "pccs_source", "read_collateral_text", "read_quote"]

_MAX_COLLATERAL: Final = 2**21


def bundled_source(path: Path) -> CollateralSource:
    """Return the source that gives what is in a file, or in the files of a folder."""
    return BundledSource(path if path.is_dir() else collateral_from_json(read_collateral_text(path)))


def pccs_source(
    url: str, *, root_crl: str | None, authority: Path | None, cache: Path | None, ages: CollateralAge | None = None
) -> PccsSource:
    """Return the source that asks a PCCS or PCS; without a folder nothing outlives this process."""
    client = PccsClient(url, root_crl=root_crl, authority=authority)
    kept = MemoryCache() if cache is None else FolderCache(cache)
    return PccsSource(client, kept) if ages is None else PccsSource(client, kept, ages=ages)


def read_collateral_text(path: Path) -> str:
    """Read a file of collateral."""
    return read_bounded(path, _MAX_COLLATERAL).decode("utf-8", "replace")


def read_quote(path: Path) -> bytes:
    """Read a quote: bare, in a document of evidence, or in a result bundle. Nothing is verified here."""
    data = read_bounded(path, MAX_BUNDLE)
    try:
        return decode_base64(Evidence.model_validate_json(data).quote)
    except ValueError:
        pass
    try:
        return decode_base64(ResultBundle.from_bytes(data).evidence.quote)
    except DocumentError:
        return data
