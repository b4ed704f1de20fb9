"""Libraries of compounds as cohorts that went through the canonical layout, and a recipe for them.

Features of ESOL (measured solubility of 1,128 compounds, J. Delaney 2004) are made with RDKit, as an owner would make
them; the enclave never sees a structure. ``simulated`` needs neither RDKit nor reference data.

::

    compounds.esol(reference)             # a frame, one row a compound
    compounds.cut(frame)                  # three partners, a fifth of the compounds at all of them
    compounds.cohorts(compounds.cut(...)) # as cohorts
    compounds.run(cohorts), compounds.plan(...)
"""

import csv
import functools
import hashlib
import io

import lung
import numpy as np
import pandas as pd

from enclave.analyses.base import Inputs
from enclave.analyses.discovery.overlap import Overlap
from enclave.analyses.discovery.qsar import Qsar
from enclave.ingest import read_cohort
from protocol.documents import Column, TableSchema
from protocol.documents.dataset import DatasetSchema
from protocol.layout import TableReader, write_table

WIDTH = 2048
DESCRIPTORS = ("mw", "logp", "tpsa", "hbd", "hba", "rotatable", "rings", "fsp3")
MODELS = ("ridge", "random forest", "gradient boosting")
PARAMETERS = {
    "activity": "activity",
    "fingerprint": "ecfp4",
    "descriptors": DESCRIPTORS,
    "scaffold": "scaffold",
    "compound": "inchikey",
    "models": MODELS,
}
SEED = bytes(range(32))


def number(name, **more):
    return Column(name=name, description=name, kind="decimal", unit="1", scale=6, **more)


def schema(width=WIDTH, descriptors=DESCRIPTORS, **activity):
    return TableSchema(
        columns=(
            Column(name="subject", description="Compound", kind="subject"),
            Column(name="inchikey", description="InChIKey", kind="digest"),
            Column(name="scaffold", description="Bemis-Murcko scaffold", kind="digest"),
            Column(name="ecfp4", description="ECFP4", kind="bits", width=width),
            *(number(name, missing_allowed=True) for name in descriptors),
            number("activity", missing_allowed=True, **activity),
        )
    )


def digest(text):
    return hashlib.sha256(text.encode()).digest()[:16]


@functools.cache
def _esol(path):
    from rdkit import Chem
    from rdkit.Chem import Crippen, Descriptors, rdFingerprintGenerator, rdMolDescriptors
    from rdkit.Chem.Scaffolds import MurckoScaffold

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=WIDTH)
    rows = []
    for row in csv.DictReader(path.read_text("utf-8").splitlines()):
        molecule = Chem.MolFromSmiles(row["smiles"])
        rows.append(
            {
                "inchikey": Chem.MolToInchiKey(molecule),
                "scaffold": MurckoScaffold.MurckoScaffoldSmiles(mol=molecule),  # empty where there is no ring
                "ecfp4": np.packbits(generator.GetFingerprintAsNumPy(molecule), bitorder="little"),
                "mw": Descriptors.MolWt(molecule),
                "logp": Crippen.MolLogP(molecule),
                "tpsa": rdMolDescriptors.CalcTPSA(molecule),
                "hbd": rdMolDescriptors.CalcNumHBD(molecule),
                "hba": rdMolDescriptors.CalcNumHBA(molecule),
                "rotatable": rdMolDescriptors.CalcNumRotatableBonds(molecule),
                "rings": rdMolDescriptors.CalcNumRings(molecule),
                "fsp3": rdMolDescriptors.CalcFractionCSP3(molecule),
                "activity": float(row["measured log solubility in mols per litre"]),
                "published": float(row["ESOL predicted log solubility in mols per litre"]),
            }
        )
    return pd.DataFrame(rows)


def esol(reference):
    """The 1,128 measurements; ``published`` is the prediction that the file itself holds."""
    return _esol(reference / "data/drug/moleculenet_delaney-processed.csv").copy()


def simulated(n=600, scaffolds=60, seed=3, *, slope=1.0):
    """Compounds whose activity follows from some bits, one descriptor and noise."""
    generator = np.random.default_rng(seed)
    bits = generator.random((n, WIDTH)) < np.where(np.arange(WIDTH) < 64, 0.3, 0.002)
    frame = pd.DataFrame({name: generator.normal(size=n).round(6) for name in DESCRIPTORS})
    effect = np.linspace(-1, 1, 8)
    frame["activity"] = (slope * (bits[:, :8] @ effect + frame.logp) + 0.3 * generator.normal(size=n)).round(6)
    frame["inchikey"] = [f"compound {place}" for place in range(n)]
    frame["scaffold"] = [f"scaffold {place}" for place in generator.integers(0, scaffolds, n)]
    frame["ecfp4"] = list(np.packbits(bits, axis=1, bitorder="little"))
    return frame


def cut(frame, share=0.2, seed=1, partners="abc"):
    """Give each compound to one partner, and a share of them to all: the same frame with the column ``partner``."""
    generator = np.random.default_rng(seed)
    home = np.array(list(partners))[generator.integers(0, len(partners), len(frame))]
    everywhere = generator.random(len(frame)) < share
    parts = [frame[(home == slot) | everywhere].assign(partner=slot) for slot in partners]
    return pd.concat(parts, ignore_index=True)


def table_bytes(frame, slot, table=None, subjects=None):
    """Write a frame in the canonical layout."""
    table = table or schema()
    identifiers = subjects or [f"{slot}-{place}" for place in range(len(frame))]
    columns = {}
    for column in table.columns:
        match column.kind:
            case "subject":
                values = np.array([list(digest(text)) for text in identifiers], dtype="u1")
            case "digest":
                values = np.array([list(digest(text)) for text in frame[column.name]], dtype="u1")
            case "bits":
                values = np.vstack(list(frame[column.name])).astype("u1")
            case _:
                values = lung.encode(column, frame[column.name])
        columns[column.name] = values
    sink = io.BytesIO()
    write_table(table, columns, sink)
    return sink.getvalue()


def cohort(frame, slot, table=None, owner=None, subjects=None):
    """Write a frame in the canonical layout, read it back, make a cohort."""
    table = table or schema()
    read = TableReader.read(table_bytes(frame, slot, table, subjects), table, row_limit=len(frame))
    return read_cohort(slot, owner or lung.OWNERS[slot], read, DatasetSchema(table=table))


def cohorts(frame=None, table=None):
    """One cohort for each value of the column ``partner``; without a frame, 600 simulated compounds."""
    frame = cut(simulated()) if frame is None else frame
    return [cohort(part, slot, table) for slot, part in frame.groupby("partner")]


def outputs(slots="abc"):
    return ("pooled", *(f"uplift-{slot}" for slot in slots))


def plan(slots="abc", wanted=None, table=None, **changes):
    parameters = {name: value for name, value in {**PARAMETERS, **changes}.items() if value is not None}
    return Qsar().plan(
        parameters, wanted or outputs(slots), dict.fromkeys(slots, DatasetSchema(table=table or schema()))
    )


def run(data=None, wanted=None, seed=SEED, table=None, **changes):
    """Plan and run; ``data`` is a list of cohorts."""
    data = cohorts() if data is None else data
    slots = [item.slot for item in data]
    return Qsar().run(plan(slots, wanted, table, **changes), Inputs(tuple(data), iter(()), seed))


def overlap_plan(slots="abc", table=None, **changes):
    parameters = {"scaffold": "scaffold", "compound": "inchikey", **changes}
    return Overlap().plan(parameters, ("overlap",), dict.fromkeys(slots, DatasetSchema(table=table or schema())))


def overlap(data, seed=SEED):
    """Raw overlap of cohorts."""
    plan = overlap_plan([item.slot for item in data])
    return Overlap().run(plan, Inputs(tuple(data), iter(()), seed))["overlap"]


def contract(planned, preset="sacro", slots="abc"):
    """The fields of a contract that the gate reads; an output about one slot goes to its owner alone."""
    everybody = lung.contract(planned, preset, slots, slots)
    everybody.outputs = tuple(lung.contract_output(output, output.about or slots) for output in planned.outputs)
    return everybody
