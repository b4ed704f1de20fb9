"""Taking in a capsule: the sealed data key of one dataset, from its owner.

The data key is in this process's memory while its commitment is checked and is then let go. Python cannot overwrite
``bytes``: the freed memory may keep the key until it is used again, and may be swapped out by the operating system.
"""

import logging

from sqlalchemy import insert, select

from custodian.context import Context
from custodian.institutions import require_newest
from custodian.tables import capsules
from protocol.commitment import require_commitment
from protocol.documents.dataset import DatasetManifest
from protocol.documents.exchange import CapsuleDeposit
from protocol.dsse import Verified
from protocol.errors import AccessDenied, StorageError
from protocol.governance import require_span, verify_institution, verify_manifest
from protocol.hpke import capsule_info
from protocol.types import Digest, decode_base64, format_time

__all__ = ["deposit", "open_capsule"]

_log = logging.getLogger(__name__)


def deposit(context: Context, message: CapsuleDeposit) -> Digest:
    """Verify and store a capsule; return the name of its dataset manifest. The same deposit again changes nothing.

    Raises
    ------
    DocumentError
        A document is malformed or wrongly signed; ``CAPSULE``, ``KEY_COMMITMENT``.
    AccessDenied
        ``OTHER_CUSTODIAN``, ``ROLE``, ``EXPIRED``, ``INSTITUTION_OLD``, ...
    StorageError
        ``CAPSULE_DIFFERS`` where another capsule is stored for this manifest.
    """
    institution = verify_institution(message.institution)
    institutions = {institution.document.root: institution}
    manifest = verify_manifest(message.manifest, institutions)
    if manifest.document.custodian != context.secrets.public:
        raise AccessDenied(
            "OTHER_CUSTODIAN",
            f"The manifest names custodian {manifest.document.custodian.signing[:16]}; this one is {context.key[:16]}. "
            "Pin this custodian's keys and seal the dataset again, or take the capsule to the other one.",
        )
    capsule = decode_base64(message.capsule)
    open_capsule(context, manifest, capsule)
    with context.store.transaction() as connection:
        at = context.clock()
        require_span(
            f"institution {institution.document.short}", institution.document.issued, institution.document.expires, at
        )
        require_span(
            f"dataset {manifest.document.short}", manifest.document.created, manifest.document.policy.expires, at
        )
        require_newest(connection, institutions)
        stored = connection.execute(select(capsules.c.capsule).where(capsules.c.manifest == manifest.name)).scalar()
        if stored is None:
            connection.execute(
                insert(capsules).values(
                    manifest=manifest.name, owner=manifest.document.owner, capsule=capsule, time=format_time(at)
                )
            )
        elif stored != capsule:
            raise StorageError(
                "CAPSULE_DIFFERS",
                f"A different capsule for dataset {manifest.document.short} is stored. It holds the same data key, "
                "since the manifest commits to that: there is nothing left to deposit.",
            )
    _log.info("capsule stored: dataset %s", manifest.name)
    return manifest.name


def open_capsule(context: Context, manifest: Verified[DatasetManifest], capsule: bytes) -> bytes:
    """Return the data key in a capsule, once it is the one that the manifest commits to.

    Raises
    ------
    DocumentError
        ``CAPSULE`` where it was made for another manifest, owner or custodian, ``KEY_COMMITMENT`` for another key.
    """
    document = manifest.document
    info = capsule_info(manifest.name, document.owner, context.key)
    data_key = context.secrets.encryption.open(capsule, info=info)
    require_commitment(data_key, document.commitment)
    return data_key
