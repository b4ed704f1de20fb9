"""The highest serial of each institution that this home has seen: an older document may not come back.

A removed member, or a key that was replaced, would otherwise return with a broker that serves an old institution.
"""

import json
from collections.abc import Iterable

from protocol.documents.institution import Institution
from protocol.dsse import Verified
from protocol.errors import AccessDenied, StorageError
from protocol.types import Count, Document, Key
from sealroom.files import read_bounded, write_private
from sealroom.home import Home
from sealroom.typed import typed

__all__ = ["require_not_older"]

MAX_SERIALS = 2**20


class _Serials(Document):
    """Serial by root."""

    serials: dict[Key, Count]


def require_not_older(home: Home, institutions: Iterable[Verified[Institution]]) -> None:
    """Compare institutions with what was seen before, and remember those that are newer.

    Raises
    ------
    AccessDenied
        ``SERIAL`` where a document is older than one that was seen.
    """
    path = home.folder / "serials.json"
    seen = dict(_load(home).serials)
    changed = False
    for institution in institutions:
        document = institution.document
        before = seen.get(document.root, 0)
        if document.serial < before:
            raise AccessDenied(
                "SERIAL",
                f"The broker shows serial {document.serial} of {document.short}; you have seen serial {before}. "
                "Members may have left since. Ask the institution and the operator.",
            )
        changed |= document.serial > before
        seen[document.root] = document.serial
    if changed:
        write_private(path, json.dumps({"serials": seen}).encode("utf-8"))


def _load(home: Home) -> _Serials:
    path = home.folder / "serials.json"
    if not path.is_file():
        return _Serials(serials={})
    try:
        content = json.loads(read_bounded(path, MAX_SERIALS))
    except ValueError as error:
        raise StorageError("SERIALS", f"{path} is damaged; bring it back from a copy.") from error
    return typed(_Serials, content, where=str(path))
