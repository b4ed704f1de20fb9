"""Molecules for tests: schemas of computed columns, SD files, and one pass over a file without sealing it.

::

    molecules.schema("inchikey", "ecfp4", molecules="smiles")   # an owner's schema with the compound as subject
    molecules.sdf(("CCO", {"NAME": "ethanol"}), ...)            # the text of an SD file
    molecules.arrays(text, name, schema)                        # columns as the canonical layout holds them
    molecules.cells("CCO", "mw", "logp")                        # computed cells of one SMILES
    monkeypatch.setattr(source, "MoleculeReader", molecules.ReaderHere)  # no process per file, for many small files
"""

import io

import numpy as np

from protocol.documents.dataset import Column, TableSchema
from sealroom.datasets.cells import Wrong
from sealroom.datasets.convert import Converter
from sealroom.datasets.findings import Findings
from sealroom.datasets.molecules.columns import FEATURES, RESERVED
from sealroom.datasets.schema import OwnerSchema
from sealroom.datasets.sources import rows_of

SECRET = bytes(range(32))
COMPUTED = tuple(name for name in FEATURES if name != "compound")


def column(name):
    feature = FEATURES[name]
    return Column(
        name=name,
        description=name,
        kind=feature.kind,
        unit=feature.unit,
        scale=feature.scale,
        width=feature.width,
    )


def schema(*features, subject="molecule:compound", molecules=None, left_out=(), more=()):
    """``more`` are further columns, read from the file under their own names."""
    first = Column(name="compound", description="compound", kind="subject")
    columns = (first, *(column(name) for name in features), *more)
    headings = {"compound": subject, **{name: RESERVED + name for name in features}}
    headings |= {further.name: further.name for further in more}
    return OwnerSchema(TableSchema(columns=columns), headings, frozenset(left_out), molecules)


def sdf(*records, v3000=False):
    from rdkit import Chem

    texts = []
    for smiles, properties in records:
        table = Chem.MolToMolBlock(Chem.MolFromSmiles(smiles), forceV3000=v3000)
        values = "".join(f">  <{name}>\n{value}\n\n" for name, value in properties.items())
        texts.append(f"{table}{values}$$$$\n")
    return "".join(texts)


def arrays(text, name, owner_schema, *, alerts=False):
    """Return by name the whole columns, and the notes; raises what a check raises."""
    findings = Findings()
    source = rows_of(io.StringIO(text, newline=""), name, owner_schema, findings, alerts=alerts)
    converter = Converter(owner_schema.table, name, SECRET, findings)
    blocks = [converter.convert(block) for block in source.blocks()]
    findings.require_none()
    names = [column.name for column in owner_schema.table.columns]
    return dict(zip(names, map(np.concatenate, zip(*blocks, strict=True)), strict=True)), source.notes()


class ReaderHere:
    """A ``MoleculeReader`` that has no process, and no bounds."""

    def __init__(self, kind, features, *, alerts):
        from sealroom.datasets.molecules.reader import describer

        self.describe = describer(kind, features, alerts=alerts)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def standard(smiles):
    from sealroom.datasets.molecules.structure import Standardiser

    found = Standardiser().smiles(smiles)
    assert not isinstance(found, Wrong), (smiles, found)
    return found


def cells(smiles, *features):
    from sealroom.datasets.molecules.descriptors import cell_of

    found = standard(smiles)
    return tuple(cell_of(feature, found) for feature in features)
