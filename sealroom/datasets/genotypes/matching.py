"""Which row of the table is which sample: exactly the same subjects, each once, in both."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocol.documents.dataset import TableSchema
from protocol.layout import subject_pseudonym
from sealroom.datasets.findings import Finding, Findings
from sealroom.datasets.genotypes.samples import Samples
from sealroom.datasets.spool import Spool

__all__ = ["rows_of_samples"]

_SIZE: Final = 16


def rows_of_samples(
    spool: Spool, table: TableSchema, table_name: str, secret: bytes, samples: Samples
) -> NDArray[np.int64]:
    """Return for each sample, in the order of the genotypes, its row in the spool: int64 of shape (samples,).

    The table holds pseudonyms only, so the samples' are made with the same secret.

    Raises
    ------
    CheckError
        ``SAMPLE_WITHOUT_ROW`` and ``ROW_WITHOUT_SAMPLE`` for each that the other file lacks.
    """
    column = table.columns.index(table.subject)
    subjects = b"".join(values.tobytes() for values in spool.column(column))
    rows = {subjects[start : start + _SIZE]: row for row, start in enumerate(range(0, len(subjects), _SIZE))}
    findings, order = Findings(), np.empty(len(samples), dtype=np.int64)
    for place, name in enumerate(samples.names):
        row = rows.pop(subject_pseudonym(secret, name), None)
        if row is None:
            findings.add(
                Finding(
                    "SAMPLE_WITHOUT_ROW",
                    samples.file,
                    f"a sample that {table_name} does not have",
                    f"the same subjects in both ({table.subject.name} = IID)",
                    column="IID",
                    value=name,
                )
            )
        else:
            order[place] = row
    for row in rows.values():
        findings.add(
            Finding(
                "ROW_WITHOUT_SAMPLE",
                table_name,
                f"a subject that {samples.file} does not have",
                f"the same subjects in both ({table.subject.name} = IID)",
                column=table.subject.name,
                row=row + 1,
            )
        )
    findings.require_none()
    return order
