"""Checking genotypes and their table without sealing anything."""

import os
import tempfile
from pathlib import Path

from protocol.documents.dataset import GenotypeSchema
from sealroom.datasets.check import Checked, read_into
from sealroom.datasets.csv_rows import open_csv
from sealroom.datasets.genotypes.cohort import GenotypeCohort, GenotypeFiles
from sealroom.datasets.genotypes.lines import require_file
from sealroom.datasets.genotypes.matching import rows_of_samples
from sealroom.datasets.genotypes.source import Progress
from sealroom.datasets.schema import OwnerSchema
from sealroom.datasets.spool import Spool

__all__ = ["check_with_genotypes"]


def check_with_genotypes(
    path: Path, schema: OwnerSchema, files: GenotypeFiles, progress: Progress
) -> tuple[Checked, GenotypeSchema]:
    """Check a CSV file and genotypes; ``progress`` is told of characters and of genotypes' bytes.

    Raises
    ------
    CheckError
        As ``read_into``, ``rows_of_samples`` and ``GenotypeCohort``.
    """
    folder, secret = Path(tempfile.gettempdir()), os.urandom(32)
    with (
        open_csv(require_file(path)) as text,
        Spool(schema.table, folder) as spool,
        GenotypeCohort(files, folder, progress) as cohort,
    ):
        checked = read_into(spool, text, path.name, schema, secret, progress)
        rows_of_samples(spool, schema.table, path.name, secret, cohort.source.samples)
        for _ in cohort.blocks():
            pass
        return Checked(checked.rows, (*checked.warnings, *cohort.notes())), cohort.described("not said")
