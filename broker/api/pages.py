"""Lists, page by page: no answer grows with what all institutions together keep here.

A caller asks again behind the last name that it was given, until a page is empty. A page may hold fewer entries than
were asked for: it ends with the entry that makes it longer than ``PAGE_BYTES``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Query
from pydantic import BaseModel
from starlette.responses import Response

from protocol.canonical import canonical_bytes
from protocol.types import Digest

__all__ = ["PAGE_BYTES", "Page", "page_response"]

PAGE_BYTES: Final = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Wanted:
    """At most ``limit`` entries with names behind ``after``."""

    after: str
    limit: int


def read_page(
    after: Annotated[Digest | None, Query(description="The last name of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Wanted:
    """Return which page is wanted: the first one unless the query says otherwise."""
    return Wanted(after or "", limit)


Page = Annotated[Wanted, Depends(read_page)]


def page_response(entries: Iterable[BaseModel]) -> Response:
    """Answer with a canonical list; entries are taken, and computed, until the page is full."""
    parts, size = [], 0
    for entry in entries:
        parts.append(canonical_bytes(entry.model_dump(mode="json", by_alias=True)))
        size += len(parts[-1])
        if size > PAGE_BYTES:
            break
    return Response(b"[" + b",".join(parts) + b"]", media_type="application/json")
