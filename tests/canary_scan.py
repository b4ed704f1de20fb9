"""Looking for secrets in whatever lies about: files, databases, bodies, documents, in every spelling that is likely.

``Scan(needles)`` knows each needle raw, in hexadecimal of both cases and in base64 of both alphabets at each of the three
alignments. ``look`` takes bytes, and follows base64 inside JSON inside base64, as envelopes nest it.
"""

import base64
import binascii
import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SQLITE = b"SQLite format 3\x00"
SHORTEST = 6
DEPTH = 6
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")


def spellings(needle: bytes) -> Iterator[bytes]:
    """Yield each form in which a needle may stand inside something longer."""
    yield needle
    yield needle.hex().encode()
    yield needle.hex().upper().encode()
    for before in range(3):
        # Only the characters that the needle alone decides: what stands around it changes the first and the last.
        text = base64.b64encode(bytes(before) + needle)
        start = -(-8 * before // 6)
        whole = text[start : (8 * (before + len(needle))) // 6]
        yield whole
        yield whole.translate(bytes.maketrans(b"+/", b"-_"))


class Scan:
    """Needles by name; a name may be printed where a needle is found, the needle may not."""

    def __init__(self, needles: Mapping[str, bytes]) -> None:
        assert all(len(needle) >= SHORTEST for needle in needles.values())
        self.names = set(needles)
        self._forms = [(name, form) for name, needle in needles.items() for form in set(spellings(needle))]
        self._clean: set[bytes] = set()

    def look(self, data: bytes) -> set[str]:
        """Return the names of the needles in some bytes and in what they hold."""
        found: set[str] = set()
        for layer in layers(data):
            digest = hashlib.sha256(layer).digest()  # the same documents pass many times
            if digest not in self._clean:
                here = {name for name, form in self._forms if form in layer}
                found |= here
                if not here:
                    self._clean.add(digest)
        return found

    def look_in(self, path: Path) -> set[str]:
        """Look in a file; in a database, also at each value, which may be spread over pages, and at what its log holds."""
        data = path.read_bytes()
        found = self.look(data)
        if data.startswith(SQLITE):
            for value in values(path):
                found |= self.look(value)
        return found


def layers(data: bytes, depth: int = DEPTH) -> Iterator[bytes]:
    """Yield bytes, and whatever is wrapped in them as base64 within JSON."""
    yield data
    if depth and data.lstrip()[:1] in {b"{", b"[", b'"'}:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return
        for text in texts(value):
            if _BASE64.fullmatch(text):
                try:
                    inner = base64.b64decode(
                        text + "=" * (-len(text) % 4), altchars=b"-_" if re.search("[-_]", text) else None
                    )
                except binascii.Error:
                    continue
                yield from layers(inner, depth - 1)


def texts(value: Any) -> Iterator[str]:
    """Yield each text of a JSON value."""
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from texts(item)
        case dict():
            for key, item in value.items():
                yield key
                yield from texts(item)


def values(path: Path) -> Iterator[bytes]:
    """Yield each value of each table, as the database shows it now."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    if value is not None:
                        yield value if isinstance(value, bytes) else str(value).encode()
    finally:
        connection.close()
