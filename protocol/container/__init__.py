"""The sealed container: Crypt4GH v1 segments, cut into parts that the dataset manifest lists by SHA-256.

Crypt4GH alone does not notice dropped, reordered or truncated segments. Here nothing is decrypted before the exact size
and the digest of its part were found right.
"""

from protocol.container.header import read_header, write_header
from protocol.container.keys import DATA_KEY_SIZE, generate_data_key
from protocol.container.opening import PartOpener
from protocol.container.sealing import ByteSink, Sealed, SealingWriter
from protocol.container.stock import open_stock

__all__ = [
    "DATA_KEY_SIZE",
    "ByteSink",
    "PartOpener",
    "Sealed",
    "SealingWriter",
    "generate_data_key",
    "open_stock",
    "read_header",
    "write_header",
]
