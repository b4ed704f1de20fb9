"""Lineages: which versions of one dataset belong together, and the secret behind its subjects' pseudonyms."""

import json
import secrets

from protocol.documents.dataset import Lineage
from protocol.errors import StorageError
from protocol.types import Document, Name
from sealroom.files import read_bounded, write_private
from sealroom.home import Home
from sealroom.keystore import Keystore
from sealroom.typed import typed

__all__ = ["next_version", "remember"]

SECRET_SIZE = 32


class _Kept(Document):
    """What is kept of a lineage beside its secret."""

    short: Name
    lineage: Lineage


def next_version(home: Home, keys: Keystore, short: str) -> tuple[Lineage, bytes]:
    """Return the lineage entry for the next version of a dataset and the lineage's secret; a new one is begun.

    The same subject has the same pseudonym in all versions, so that later versions can be told from new subjects.
    """
    path, name = home.lineages / f"{short}.json", f"lineage.{short}"
    if path.is_file():
        try:
            content = json.loads(read_bounded(path, 65_536))
        except ValueError as error:
            raise StorageError("LINEAGE", f"{path} is damaged; bring it back from a copy.") from error
        kept = typed(_Kept, content, where=str(path)).lineage
        return Lineage(id=kept.id, version=kept.version + 1), keys.secret(name)
    if keys.has(name):  # sealing was interrupted before the first version was remembered
        return Lineage(id=secrets.token_hex(32), version=1), keys.secret(name)
    secret = secrets.token_bytes(SECRET_SIZE)
    keys.keep_secret(name, secret)
    return Lineage(id=secrets.token_hex(32), version=1), secret


def remember(home: Home, short: str, lineage: Lineage) -> None:
    """Note that a version was sealed."""
    kept = _Kept(short=short, lineage=lineage)
    write_private(home.lineages / f"{short}.json", json.dumps(kept.model_dump(mode="json")).encode("utf-8"))
