"""Genotypes for tests: packed calls, cohorts with them, and a whole study of three partners behind a lying host.

::

    pack(dosages)                                    # .bed rows of uint8 (variants, samples), 255 where missing
    run(cohorts, calls, ("hits",), trait="height")   # genomics.linear on cohorts, streamed in small blocks
    with GenotypeHost(tmp_path) as host:             # three partners of 240 samples, 300 variants, two planted effects
        host.run(); host.opened()["hits"]
"""

import contextlib
import io
from dataclasses import replace

import factories
import hostile_host
import lung
import numpy as np
import pandas as pd
from factories import resign

from attestation.attesters.simulated import SimulatedAttester
from enclave.analyses.base import Inputs
from enclave.analyses.genomics.linear import Linear
from enclave.analyses.projection import orthonormal_basis, take_out
from enclave.analyses.results import RawHit, RawHits, Support
from enclave.genotypes import BED_HEAD
from enclave.ingest import GenotypeBlock
from enclave.profiles import load_profile
from enclave.relay import Relay
from enclave.session import run_session
from protocol.container import SealingWriter
from protocol.documents import Column, ContractOutput, TableSchema
from protocol.documents.dataset import PART_SIZE, DatasetSchema, GenotypeSchema

SCHEMA = TableSchema(
    columns=(
        Column(name="subject", description="Subject", kind="subject"),
        lung.number("height", "cm", "decimal", scale=6, missing_allowed=True),
        lung.number("age", "a", missing_allowed=True),
        lung.category("sex", ("f", "female"), ("m", "male"), missing_allowed=True),
    )
)
PARAMETERS = {"trait": "height", "covariates": ("age", "sex"), "hits": 20}
PLANTED = {17: 2.5, 204: -2.0}
"""Effects of the study's variants on height, in cm per copy of the first allele."""
SAMPLES = (241, 240, 243)
VARIANTS = 300


def pack(dosages):
    """Return .bed rows, uint8 of shape (variants, ceil(samples / 4))."""
    codes = np.full((len(dosages), -(-dosages.shape[1] // 4) * 4), 0, dtype=np.uint8)
    codes[:, : dosages.shape[1]] = np.select([dosages == 2, dosages == 1, dosages == 0], [0, 2, 3], 1)
    quads = codes.reshape(len(codes), -1, 4)
    return (quads << np.array([0, 2, 4, 6], dtype=np.uint8)).sum(axis=2, dtype=np.uint8)


def bed(dosages):
    """Return the bytes of a .bed file."""
    return BED_HEAD + pack(dosages).tobytes()


def blocks(calls, size=64):
    """Yield blocks of the cohorts' packed rows."""
    for start in range(0, len(calls[0]), size):
        yield GenotypeBlock(start, tuple(part[start : start + size] for part in calls))


def genotype_schema(variants, catalogue="ab" * 32):
    return GenotypeSchema(variants=variants, catalogue=catalogue, assembly="GRCh38")


def cohort(frame, slot, schema=SCHEMA, variants=VARIANTS, owner=None, subjects=None):
    """Return a cohort that went through the canonical layout and has genotypes."""
    made = lung.cohort(frame, slot, schema, owner, subjects)
    return replace(made, schema=DatasetSchema(table=schema, genotypes=genotype_schema(variants)))


def plan(cohorts, outputs=("hits",), **parameters):
    return Linear().plan(parameters, outputs, {item.slot: item.schema for item in cohorts})


def run(cohorts, calls, outputs=("hits",), size=64, **parameters):
    """Plan and run genomics.linear; ``calls`` are each cohort's packed rows."""
    inputs = Inputs(tuple(cohorts), blocks(calls, size), bytes(32))
    return Linear().run(plan(cohorts, outputs, **parameters), inputs)


def draw(samples, variants, seed, missing=0.02):
    """Draw dosages of common variants in equilibrium."""
    generator = np.random.default_rng(seed)
    frequency = np.random.default_rng(variants).uniform(0.1, 0.9, variants)  # the same whatever the cohort
    dosages = generator.binomial(2, frequency[:, None], (variants, samples)).astype(np.uint8)
    dosages[generator.random(dosages.shape) < missing] = 255
    return dosages


def people(dosages, seed, planted=None, shift=0.0):
    """Draw a table to go with dosages: height in cm, age, sex; a few values missing."""
    generator = np.random.default_rng(seed)
    samples = dosages.shape[1]
    age = generator.integers(20, 80, samples).astype(float)
    sex = generator.random(samples) < 0.5
    height = 170 + shift + 12 * sex - 0.05 * age + generator.normal(0, 5, samples)
    for variant, effect in (PLANTED if planted is None else planted).items():
        height += effect * np.where(dosages[variant] == 255, 1, dosages[variant])
    frame = pd.DataFrame({"height": height.round(6), "age": age, "sex": np.where(sex, "m", "f")})
    frame.loc[generator.random(samples) < 0.03, "height"] = np.nan
    frame.loc[generator.random(samples) < 0.02, "age"] = np.nan
    return frame


def draw_dosages(frequencies, n=600, seed=1):
    """Dosages of variants in equilibrium: uint8, shape (n, variants)."""
    return np.random.default_rng(seed).binomial(2, frequencies, (n, len(frequencies))).astype(np.uint8)


def hits_of(dosages, trait, covariates, owners, strata=None):
    """Return raw hits of dosages (subjects, variants), as a scan of them would; missing calls stand at the mean."""
    from scipy.special import stdtr

    basis = orthonormal_basis(covariates, strata)
    left, entries = take_out(trait - trait.mean(), basis), []
    for place, column in enumerate(dosages.T):
        called = column != 255
        mean = column[called].mean() if called.any() else 0.0
        dosage = np.where(called, take_out(np.where(called, column - mean, 0.0), basis), 0.0)
        square = max(dosage @ dosage, 1e-9)
        effect = dosage @ left / square
        freedom = len(trait) - basis.shape[1] - 1
        error = np.sqrt(max((left @ left - effect**2 * square) / freedom, 1e-30) / square)
        p = float(2 * stdtr(freedom, -abs(effect / error)))
        entries.append(RawHit(place, float(effect), float(error), p))
    keys = tuple(lung.OWNERS[slot] for slot in "abcdefgh"[: max(owners) + 1])
    return RawHits(
        label="height (cm) per copy of the first allele",
        entries=tuple(entries),
        dosages=dosages.astype(np.uint8),
        trait=trait,
        covariates=covariates,
        strata=strata,
        owners=owners,
        owner_keys=keys,
        left_out=Support(dict.fromkeys(keys, 20)),
        scanned=dosages.shape[1],
    )


def study_data():
    """Return frames and dosages of the three partners."""
    dosages = [draw(samples, VARIANTS, 100 + place) for place, samples in enumerate(SAMPLES)]
    frames = [people(part, 200 + place, shift=2.0 * place) for place, part in enumerate(dosages)]
    return frames, dosages


def study_cohorts():
    """Return the same as cohorts and packed rows."""
    frames, dosages = study_data()
    cohorts = [cohort(frame, slot) for slot, frame in zip("abc", frames, strict=True)]
    return cohorts, [pack(part) for part in dosages]


def seal(data_key, plain):
    """Seal bytes; return the sealed bytes and what the manifest lists."""
    sink = io.BytesIO()
    writer = SealingWriter(sink, data_key)
    writer.write(plain)
    listed = writer.finish().sealed_file("genotypes")
    return sink.getvalue(), listed


def _sealed(party, custodian, slot, frame, plain):
    dataset = factories.make_dataset(
        party,
        custodian,
        plain=lung.table_bytes(frame, slot, SCHEMA),
        table=SCHEMA,
        policy={"analyses": ("genomics.linear",), "profiles": ("genomics",)},
        changes={"rows": len(frame)},
    )
    sealed, listed = seal(dataset.data_key, plain)
    document = dataset.manifest.document
    manifest = resign(
        document,
        party.people["steward"].manifest,
        files=(*document.files, listed),
        genotypes=genotype_schema(VARIANTS),
    )
    return replace(dataset, manifest=manifest), sealed


class GenotypeHost(hostile_host.Host):
    """A host of the three partners' genotypes. ``beds`` replaces a partner's .bed file, ``respoil`` its sealed bytes."""

    def __init__(self, folder, *, outputs=("hits", "subjects"), beds=None, respoil=None):
        super().__init__(folder)
        parties = tuple(factories.make_institution(short) for short in ("north", "south", "east"))
        frames, dosages = study_data()
        plains = [(beds or {}).get(place) or bed(part) for place, part in enumerate(dosages)]
        keys = self.scene.custodian.keys()
        made = [
            _sealed(party, keys, slot, frame, plain)
            for party, slot, frame, plain in zip(parties, "abc", frames, plains, strict=True)
        ]
        if respoil:
            made = [
                respoil(parties[place], *pair, plains[place]) if place == 0 else pair for place, pair in enumerate(made)
            ]
        datasets = tuple(dataset for dataset, _ in made)
        self.genotypes = {dataset.manifest.name: sealed for dataset, sealed in made}
        recipe = factories.make_recipe(
            parties[0],
            ("north", "south", "east"),
            changes={"analysis": "genomics.linear", "parameters": PARAMETERS, "outputs": outputs},
        )
        described = dict.fromkeys(recipe.document.slots, datasets[0].manifest.document.described)
        planned = Linear().plan(PARAMETERS, outputs, described)
        agreed = tuple(
            ContractOutput(
                output=output.output,
                type=output.type,
                labels=output.labels,
                recipients=tuple(factories.recipient_of(party) for party in parties),
            )
            for output in planned.outputs
        )
        contract = factories.make_contract(
            parties[0], recipe, datasets, parties, changes={"outputs": agreed, "profile": "genomics"}
        )
        votes = tuple(factories.approve(contract, party) for party in parties)
        self.study = factories.StudyParts(parties, None, datasets, recipe, contract, votes)

    def run(self):
        relay = Relay.connect(self.launch)
        with contextlib.closing(relay._client):
            return run_session(relay, SimulatedAttester(self.url, hostile_host.TICKET), load_profile("genomics"))

    def _answer_part(self, asked):
        dataset, file, index = asked.rest
        if file == "table":
            return super()._answer_part(asked)
        return self.genotypes[dataset][int(index) * PART_SIZE : (int(index) + 1) * PART_SIZE]
