"""The attester of SGX hardware under Gramine: it asks the pseudo-files of ``/dev/attestation``.

As Gramine documents them: ``attestation_type`` says ``dcap`` where there are quotes. Each write to
``user_report_data`` replaces all 64 bytes, a short one padded with zeros. Opening ``quote`` has a quote made over what
was written last. The files belong to the whole process and are not thread-safe, so one lock stands before them; and a
quote over other report data than was written is found here, not only by a custodian.
"""

import errno
import os
import threading
from pathlib import Path
from typing import Final

from attestation.attesters import REPORT_DATA_SIZE
from protocol.errors import AttestationError, TransportError

__all__ = ["GramineAttester"]

_FOLDER: Final = Path("/dev/attestation")
_MAX_QUOTE: Final = 8_192
"""Gramine's own bound, in bytes."""
_REPORT_DATA: Final = slice(368, 432)
_SIGNED: Final = 436
"""Bytes of header, report and the length of the signature data, which is the rest of a quote."""
_LOCK: Final = threading.Lock()


class GramineAttester:
    """Quotes for the enclave that this process runs in."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._folder = folder

    def quote(self, report_data: bytes) -> bytes:
        """Return a quote over exactly 64 bytes of report data. It waits as long as the quoting enclave does.

        Raises
        ------
        AttestationError
            ``REPORT_DATA`` for another length; ``ATTESTATION_TYPE`` where Gramine makes no DCAP quotes here.
        TransportError
            ``PLATFORM_UNREACHABLE`` where a file cannot be opened, written or read; ``PLATFORM_ANSWER`` where not all
            was written, or the quote is empty, cut or too long; ``PLATFORM_REPORT_DATA`` for one over other data.
        """
        if len(report_data) != REPORT_DATA_SIZE:
            raise AttestationError(
                "REPORT_DATA", f"Found {len(report_data)} bytes of report data, wanted {REPORT_DATA_SIZE}."
            )
        with _LOCK:
            try:
                self._require_dcap()
                self._write(report_data)
                quote = self._read("quote")
            except OSError as error:
                raise TransportError(
                    "PLATFORM_UNREACHABLE",
                    f"Gramine answered {errno.errorcode.get(error.errno or 0, 'an error')} for a file of its "
                    "attestation folder. Does the AESM service run on this machine, with the DCAP quote library?",
                ) from error
        if not _is_whole(quote):
            raise TransportError(
                "PLATFORM_ANSWER", f"Found {len(quote)} bytes that are no quote, wanted one of at most {_MAX_QUOTE}."
            )
        if quote[_REPORT_DATA] != report_data:
            raise TransportError("PLATFORM_REPORT_DATA", "The quote is over other report data than was written for it.")
        return quote

    def _require_dcap(self) -> None:
        try:
            found = self._read("attestation_type")[:32].decode("ascii", "replace").strip()
        except FileNotFoundError:
            found = "no such file, as outside of SGX"
        if found != "dcap":
            raise AttestationError(
                "ATTESTATION_TYPE",
                f"Found attestation type {found!r}, wanted 'dcap': start the enclave with gramine-sgx from a manifest "
                'that says sgx.remote_attestation = "dcap".',
            )

    def _write(self, report_data: bytes) -> None:
        """Write in one go: a second write would replace the first."""
        file = os.open(self._folder / "user_report_data", os.O_WRONLY)
        try:
            written = os.write(file, report_data)
        finally:
            os.close(file)
        if written != REPORT_DATA_SIZE:
            raise TransportError(
                "PLATFORM_ANSWER", f"Gramine took {written} bytes of report data, wanted {REPORT_DATA_SIZE}."
            )

    def _read(self, name: str) -> bytes:
        """Read a file to its end, or one byte more than a quote may have."""
        with (self._folder / name).open("rb", buffering=0) as file:
            data = b""
            while len(data) <= _MAX_QUOTE and (piece := file.read(_MAX_QUOTE + 1 - len(data))):
                data += piece
        return data


def _is_whole(quote: bytes) -> bool:
    """Whether it has a quote's length: neither empty, nor cut, nor followed by anything."""
    signature = int.from_bytes(quote[_SIGNED - 4 : _SIGNED], "little")
    return _SIGNED < len(quote) <= _MAX_QUOTE and len(quote) == _SIGNED + signature
