"""Attesters: what an enclave asks for a quote. One module for each kind of platform; none is imported here."""

from typing import Protocol

__all__ = ["REPORT_DATA_SIZE", "Attester"]

REPORT_DATA_SIZE = 64
"""Bytes of report data in a quote: exactly so many, never padded or cut."""


class Attester(Protocol):
    """Whatever makes quotes for the enclave that it runs in."""

    def quote(self, report_data: bytes) -> bytes:
        """Return a quote over exactly 64 bytes of report data.

        Raises
        ------
        AttestationError
            ``REPORT_DATA`` for another length.
        TransportError
            The platform did not answer as agreed.
        """
        ...
