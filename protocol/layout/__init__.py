"""The canonical table layout: the only table format that an enclave parses.

::

    0       8  magic "sealtabl"
    8       4  version, 1
    12      4  length of the header in bytes
    16         header: canonical JSON {"columns": [{"kind", "name", "offset", "size"}], "rows"}
               zero bytes up to a multiple of 8
    data       the columns in the order of the schema, each followed by zero bytes up to a multiple of 8

All numbers are little-endian. Offsets count from the start of the data, sizes are without padding; both must be exactly
those that follow from the schema and the number of rows. Columns are fixed-width:

========  ======  ================================================  ==========
kind      bytes   value                                             missing
========  ======  ================================================  ==========
subject   16      keyed pseudonym                                   never
integer   8       int64, below 2^53 in absolute value               INT64_MIN
decimal   8       int64, the value times 10^scale, below 2^53       INT64_MIN
category  4       int32, index of the level in the schema           -1
bits      w / 8   w bits, the lowest of each byte first             never
digest    16      head of a SHA-256                                 never
========  ======  ================================================  ==========
"""

from protocol.layout.checks import MISSING_CATEGORY, MISSING_NUMBER
from protocol.layout.form import table_size
from protocol.layout.reader import Table, TableReader
from protocol.layout.subjects import SUBJECT_SIZE, subject_pseudonym
from protocol.layout.writer import write_table

__all__ = [
    "MISSING_CATEGORY",
    "MISSING_NUMBER",
    "SUBJECT_SIZE",
    "Table",
    "TableReader",
    "subject_pseudonym",
    "table_size",
    "write_table",
]
