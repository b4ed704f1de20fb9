"""Canonical bytes: one value, one serialisation (RFC 8785), and nothing else is read."""

import json
from typing import Any, NoReturn

import rfc8785

from protocol.errors import DocumentError

__all__ = ["MAX_DEPTH", "MAX_INTEGER", "MAX_NODES", "canonical_bytes", "parse_canonical"]

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 32
MAX_NODES = 100_000
"""No document has more objects, lists and items: each costs about a kilobyte while it is read, however short it is."""


def canonical_bytes(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Serialise a JSON value without floats as RFC 8785.

    Raises
    ------
    DocumentError
        ``CANONICAL`` for floats, integers beyond 2^53 - 1, text that is not UTF-8 or too deep nesting.
    """
    _check(value, 0)
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise DocumentError("CANONICAL", "The value has no RFC 8785 form.") from error


def parse_canonical(data: bytes, *, limit: int, nodes: int = MAX_NODES) -> Any:  # noqa: ANN401 - any JSON value
    """Parse bytes that must be exactly the RFC 8785 form of what they say.

    Raises
    ------
    DocumentError
        ``SIZE`` beyond ``limit`` bytes or ``nodes`` objects, lists and items, ``JSON`` where it does not parse (double
        keys, NaN and floats included), ``CANONICAL`` where re-encoding gives other bytes.
    """
    if len(data) > limit:
        raise DocumentError("SIZE", f"Found {len(data)} bytes where at most {limit} are allowed.")
    # Counted in the bytes, before anything is built from them; what stands inside strings counts too.
    found = sum(data.count(mark) for mark in (b"{", b"[", b","))
    if found > nodes:
        raise DocumentError("SIZE", f"Found {found} objects, lists and items where at most {nodes} are allowed.")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
            parse_float=_no_constant,
        )
    except (ValueError, RecursionError) as error:
        raise DocumentError("JSON", "The bytes are not JSON without floats and duplicate keys.") from error
    if canonical_bytes(value) != data:
        raise DocumentError("CANONICAL", "The bytes are not the canonical form (RFC 8785) of what they say.")
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _no_constant(_text: str) -> NoReturn:
    raise ValueError("not an integer")


def _check(value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise DocumentError("CANONICAL", f"The value is nested deeper than {MAX_DEPTH} levels.")
    match value:
        case None | bool() | str():
            return
        case int():
            if abs(value) > MAX_INTEGER:
                raise DocumentError("CANONICAL", "An integer is beyond 2^53 - 1; write it as a decimal string.")
        case list() | tuple():
            for item in value:
                _check(item, depth + 1)
        case dict():
            for item in value.values():
                _check(item, depth + 1)
        case _:
            raise DocumentError("CANONICAL", f"A {type(value).__name__} has no canonical form.")
