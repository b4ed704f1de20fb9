"""Reading a broker's lists: page by page, each document verified on its own."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from protocol.documents.institution import Institution
from protocol.dsse import Envelope, SignedDocument, Unverified, Verified
from protocol.errors import AccessDenied, DocumentError, TransportError
from protocol.types import Digest, Key
from sealroom.listing import Entry, Listing, UnverifiedEntry
from sealroom.registry import envelope_of
from sealroom.transport import Transport

__all__ = ["fetch_named", "is_name", "pages", "verified_listing"]

D = TypeVar("D", bound=SignedDocument)
E = TypeVar("E", bound=Entry)
Item = Mapping[str, Any]
_NAME = re.compile(r"[0-9a-f]{64}")


def is_name(named: str) -> bool:
    """Return whether this is a whole name, for which no list is needed."""
    return _NAME.fullmatch(named) is not None


def pages(broker: Transport, path: str) -> Iterator[tuple[Envelope, Item]]:
    """Give each listed envelope and what stands beside it, until the broker's page is empty.

    Raises
    ------
    TransportError
        ``ANSWER_SHAPE`` where an answer is no list of documents in the order of their names.
    """
    after = ""
    while True:
        answer = broker.get_json(f"{path}?after={after}" if after else path)
        if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
            raise TransportError("ANSWER_SHAPE", "The broker answered with something that is not a list of objects.")
        for item in answer:
            envelope = envelope_of(item.get("envelope", item))
            if envelope.name <= after:
                raise TransportError("ANSWER_SHAPE", "The broker's list is not in the order of names.")
            after = envelope.name
            yield envelope, item
        if not answer:
            return


def verified_listing(
    listed: Iterator[tuple[Envelope, Item]],
    known: Mapping[Key, Verified[Institution]],
    verify: Callable[[Envelope, Mapping[Key, Verified[Institution]]], Verified[D]],
    entry: Callable[[Verified[D], str, Item], E],
    *,
    kind: type[D],
    by: str,
    head: tuple[str, ...],
    columns: tuple[str, str],
) -> Listing[E]:
    """Return the documents of known institutions; one that does not verify spoils none of the others.

    ``by`` is the field that names the institution, ``head`` and ``columns`` are the table's.
    """
    found, unverified = [], []
    for envelope, item in listed:
        try:
            claimed: Key = getattr(Unverified.parse(envelope, kind).claimed, by)
        except DocumentError:
            continue  # it claims to come from nobody
        if claimed not in known:
            continue
        short = known[claimed].document.short
        try:
            document = verify(envelope, known)
        except (AccessDenied, DocumentError) as error:
            unverified.append(UnverifiedEntry(head, columns, envelope.name, short, error.code))
        else:
            found.append(entry(document, short, item))
    return Listing(found, unverified)


def fetch_named(broker: Transport, path: str, name: Digest) -> Envelope:
    """Return the document of this name, whatever else the broker lists.

    Raises
    ------
    DocumentError
        ``NAME`` where the broker answers with another one.
    """
    answer = broker.get_json(f"{path}/{name}")
    if not isinstance(answer, dict):
        raise TransportError("ANSWER_SHAPE", "The broker answered with something that is not an object.")
    envelope = envelope_of(answer.get("envelope", answer))
    if envelope.name != name:
        raise DocumentError("NAME", f"The broker answered with {envelope.name[:16]}, asked was {name[:16]}.")
    return envelope
