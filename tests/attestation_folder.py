"""A folder that behaves like Gramine's ``/dev/attestation``, made of named pipes: real files, opened by real system calls.

::

    with AttestationFolder(tmp_path / "attestation", make_quote) as files:
        files.change = lambda quote: quote[:-1]      # what a faulty platform would give
        GramineAttester(files.path).quote(bytes(64))

As in Gramine, opening ``quote`` has a quote made over what was written to ``user_report_data`` last, padded with zeros
or cut to 64 bytes; with the type ``none`` there is no ``quote``, and outside of SGX nothing but an empty ``keys``.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

REPORT_DATA = 64


class AttestationFolder:
    """The folder; ``kind`` is the attestation type, or None outside of SGX."""

    def __init__(self, path: Path, make: Callable[[bytes], bytes], kind: str | None = "dcap") -> None:
        self.path = path
        self._make = make
        self.change: Callable[[bytes], bytes] = bytes
        """Applied to each quote before it is given."""
        self.piece, self.pause = 65_536, 0.0
        """A quote is given in pieces of so many bytes, with so many seconds before each."""
        self.given = 0
        """Quotes given."""
        self._report_data = bytes(REPORT_DATA)
        self._stopped = False
        (path / "keys").mkdir(parents=True)
        if kind is not None:
            (path / "attestation_type").write_text(kind)
            os.mkfifo(path / "user_report_data")
        if kind not in {None, "none"}:
            os.mkfifo(path / "quote")
        self._serves = (path / "quote").exists()

    def __enter__(self) -> Self:
        if self._serves:
            # A pipe with a reader takes what is written at once, as Gramine does.
            self._written = os.open(self.path / "user_report_data", os.O_RDONLY | os.O_NONBLOCK)
            self._thread = threading.Thread(target=self._serve, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._serves:
            self._stopped = True
            last = os.open(self._pipe, os.O_RDONLY | os.O_NONBLOCK)  # whoever waits for a reader goes on
            self._thread.join(20)
            os.close(last)
            os.close(self._written)

    def _serve(self) -> None:
        self._pipe = self.path / "quote"
        while True:
            with self._pipe.open("wb", buffering=0) as pipe:  # waits for a reader
                if self._stopped:
                    return
                self._renew()
                quote = self.change(self._make(self._take()))
                self.given += 1
                with contextlib.suppress(BrokenPipeError):  # the reader has enough
                    for start in range(0, len(quote), self.piece):
                        time.sleep(self.pause)
                        pipe.write(quote[start : start + self.piece])

    def _renew(self) -> None:
        """Put a fresh pipe in the place of the one that a reader has: the next reader gets a quote of its own."""
        fresh = self.path / "keys" / "fresh"
        os.mkfifo(fresh)
        fresh.replace(self._pipe)

    def _take(self) -> bytes:
        """Take what was written since, of which a whole write may be the last."""
        with contextlib.suppress(BlockingIOError):  # a writer is there, and wrote nothing yet
            if written := os.read(self._written, 65_536):
                self._report_data = written[-REPORT_DATA:].ljust(REPORT_DATA, b"\0")
        return self._report_data
