"""Bringing this institution to a broker and taking others from it, each checked against the pins."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from protocol.documents.institution import Institution
from protocol.dsse import MAX_DOCUMENT, Envelope, Unverified, Verified
from protocol.errors import StorageError, TransportError
from protocol.types import Key
from sealroom.home import Home
from sealroom.serials import require_not_older
from sealroom.transport import Transport
from sealroom.trust import Trust

__all__ = ["envelope_of", "known_institutions", "require_broker", "upload_institution"]


def require_broker(home: Home) -> str:
    """Return the address of the broker that was joined, or raise ``TransportError`` with code ``NO_BROKER``."""
    address = home.broker()
    if address is None:
        raise TransportError("NO_BROKER", "No broker was joined yet: `sealroom institution join --broker URL`.")
    return address


def upload_institution(home: Home, address: str | None, invite: str | None) -> str:
    """Bring the institution to the broker; returns its address, which is remembered."""
    address = address if address is not None else require_broker(home)
    institution = home.institution()
    with Transport(address) as broker:
        headers = {} if invite is None else {"Sealroom-Invite": invite}
        broker.put(f"/v1/institutions/{institution.document.root}", institution.envelope.to_bytes(), headers)
    home.save_broker(address)
    return address


def known_institutions(broker: Transport, home: Home, trust: Trust) -> Mapping[Key, Verified[Institution]]:
    """Return this institution and those pinned ones that the broker knows; others are not asked for.

    Raises
    ------
    DocumentError
        Where an institution does not verify under its own root.
    AccessDenied
        ``SERIAL`` where the broker shows an older one than before.
    """
    own = home.institution()
    found = {own.document.root: own}
    for pin in trust.institutions:
        if pin.root in found:
            continue
        try:
            answer = broker.get_json(f"/v1/institutions/{pin.root}", limit=MAX_DOCUMENT)
        except StorageError as error:
            if error.code != "INSTITUTION_UNKNOWN":  # it has not joined, or not this broker
                raise
            continue
        found[pin.root] = Unverified.parse(envelope_of(answer), Institution).verify(pin.root)
    require_not_older(home, found.values())
    return found


def envelope_of(item: Any) -> Envelope:  # noqa: ANN401 - any JSON value
    """Read an envelope out of a broker's answer."""
    import json

    try:
        return Envelope.model_validate_json(json.dumps(item))
    except ValidationError as error:
        raise TransportError("ANSWER_SHAPE", "The broker answered with something that is not an envelope.") from error
