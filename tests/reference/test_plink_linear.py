"""PLINK 2's answers, to its printed digits: ``genomics.linear`` on real genotypes, pooled and cut into partners.

All are of ``plink2 --glm`` with principal components (or the example's covariates) and one intercept.
"""

import hashlib
import math

import genotype_study
import lung
import numpy as np
import pandas as pd
import pytest

from enclave.analyses.genomics.linear.scan import fit_null, scan_block
from enclave.analyses.packed_calls import RowLayout
from enclave.disclosure.hits import release_hits
from enclave.disclosure.support import coalitions
from protocol.documents import Column, TableSchema
from protocol.errors import DisclosureRefused
from protocol.presets import PRESETS

PRINTED = 5.1e-6
"""Half a unit of the sixth digit, relative to the smallest number with six."""
FREQUENCY = 6e-6


class Genotypes:
    """A PLINK 1 fileset with a trait and covariates, and PLINK's answer."""

    def __init__(self, folder, name, answer, trait, covariates):
        self.bim = pd.read_csv(folder / f"{name}.bim", sep=r"\s+", header=None, dtype=str)
        self.bim[4] = self.bim[4].replace("0", ".")  # an allele that nobody has: PLINK 2 writes it so
        self.samples = len((folder / f"{name}.fam").read_text("utf-8").splitlines())
        body = np.fromfile(folder / f"{name}.bed", dtype=np.uint8)[3:].reshape(len(self.bim), -1)
        codes = ((body[:, :, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3).reshape(len(body), -1)
        self.dosages = np.array([2, 255, 1, 0], dtype=np.uint8)[codes[:, : self.samples]]
        self.trait, self.covariates = trait.to_numpy(float), covariates.to_numpy(float)
        read = pd.read_csv(folder / "ref" / answer, sep="\t", dtype={"ID": str, "A1": str})
        place = pd.Series(range(len(self.bim)), index=self.bim[1])[read.ID].to_numpy()
        assert (np.diff(place) > 0).all()
        self.answer, self.place = read, place
        # PLINK's effects are of A1, which is mostly, but not always, the first allele.
        self.sign = np.where(self.bim[4].to_numpy()[place] == read.A1.to_numpy(), 1, -1)

    @property
    def complete(self):
        return np.isfinite(self.trait) & np.isfinite(self.covariates).all(axis=1)

    def scan(self, parts=None, size=500):
        """Scan block by block, the samples in cohorts of these indices."""
        parts = parts or [np.arange(self.samples)]
        order, layout = np.concatenate(parts), RowLayout(tuple(len(part) for part in parts))
        chosen = self.complete[order]
        model = fit_null(layout, chosen, self.trait[order][chosen], self.covariates[order][chosen])
        calls = [genotype_study.pack(self.dosages[:, part]) for part in parts]
        found = [scan_block(layout.join(block.calls), model) for block in genotype_study.blocks(calls, size)]
        names = ("subjects", "frequency", "effect", "standard_error", "statistic", "p")
        return {name: np.concatenate([getattr(block, name) for block in found]) for name in names}

    def require(self, found):
        """Compare every variant that PLINK looked at."""
        mine = {name: values[self.place] for name, values in found.items()}
        assert (mine["subjects"] == self.answer.OBS_CT).all()
        frequency = np.where(self.sign == 1, mine["frequency"], 1 - mine["frequency"])
        assert frequency == pytest.approx(self.answer.A1_FREQ.to_numpy(), rel=PRINTED, abs=1e-12)
        for name, column, sign in (
            ("effect", "BETA", self.sign),
            ("standard_error", "SE", 1),
            ("statistic", "T_STAT", self.sign),
            ("p", "P", 1),
        ):
            wanted = self.answer[column].to_numpy(float)
            assert mine[name] * sign == pytest.approx(wanted, rel=PRINTED, nan_ok=True), name


@pytest.fixture(scope="module")
def folder(reference):
    return reference / "data/genomics"


@pytest.fixture(scope="module")
def maize(folder):
    traits = pd.read_csv(folder / "maize_281.pheno.tsv", sep="\t")
    covariates = pd.read_csv(folder / "maize_281.covar.tsv", sep="\t")[["PC1", "PC2", "PC3"]]
    return {
        name: Genotypes(folder, "maize_281", f"maize_281.{name}.glm.linear.gz", traits[name], covariates)
        for name in ("EarHT", "dpoll", "EarDia")
    }


@pytest.fixture(scope="module")
def hapmap(folder):
    trait = pd.read_csv(folder / "hapmap3_957.pheno.tsv", sep="\t").F
    covariates = pd.read_csv(folder / "hapmap3_957.covar.tsv", sep="\t")[["PC1", "PC2", "PC3", "PC4"]]
    made = Genotypes(folder, "hapmap3_957", "hapmap3_957.F.glm.linear.gz", trait, covariates)
    population = pd.read_csv(folder / "hapmap3_957.pop.tsv", sep="\t").POP.to_numpy()
    return made, [np.flatnonzero(population == name) for name in np.unique(population)]


@pytest.mark.parametrize("trait", ["EarHT", "dpoll", "EarDia"])
def test_maize_in_three_partners(maize, trait):
    """Missing calls, missing traits, and variants with one allele: 140 of them for two traits, 141 for the third."""
    made = maize[trait]
    parts = np.array_split(np.arange(made.samples), 3)
    assert not made.complete.all()
    assert np.isnan(made.answer.BETA).sum() == {"EarHT": 140, "dpoll": 140, "EarDia": 141}[trait]
    made.require(made.scan(parts))
    made.require(made.scan(size=997))


def test_hapmap_with_its_eleven_populations_as_partners(hapmap):
    made, parts = hapmap
    assert len(parts) == 11
    assert len(made.answer) == 14_266
    made.require(made.scan(parts))


def test_hapmap_as_one_cohort(hapmap):
    made, _ = hapmap
    made.require(made.scan(size=1024))


@pytest.mark.parametrize("trait", ["Y1", "Y2"])
def test_the_example_of_regenie(folder, trait):
    traits = pd.read_csv(folder / "regenie_phenotype.txt", sep=" ")
    covariates = pd.read_csv(folder / "regenie_covariates.txt", sep=" ")[["V1", "V2", "V3"]]
    made = Genotypes(folder, "regenie_example", f"regenie.{trait}.glm.linear.gz", traits[trait], covariates)
    assert len(made.answer) == 1000
    made.require(made.scan(np.array_split(np.arange(made.samples), 2)))


def test_counts_and_frequencies_of_all_samples(folder, hapmap, maize):
    for made, name in ((hapmap[0], "hapmap3_957"), (maize["EarHT"], "maize_281")):
        found = Genotypes.scan(everybody(made))
        frequencies = pd.read_csv(folder / "ref" / f"{name}.afreq.gz", sep="\t", dtype={"ID": str, "ALT": str})
        missing = pd.read_csv(folder / "ref" / f"{name}.vmiss.gz", sep="\t", dtype={"ID": str})
        bim = made.bim
        place = pd.Series(range(len(bim)), index=bim[1])
        mine = found["frequency"][place[frequencies.ID]]
        first = bim[4].to_numpy()[place[frequencies.ID]]
        flipped = np.where(first == frequencies.ALT.to_numpy(), mine, 1 - mine)
        assert flipped == pytest.approx(frequencies.ALT_FREQS.to_numpy(float), rel=FREQUENCY, abs=1e-12)
        assert (2 * found["subjects"][place[frequencies.ID]] == frequencies.OBS_CT).all()
        assert (made.samples - found["subjects"][place[missing.ID]] == missing.MISSING_CT).all()
        assert missing.MISSING_CT.sum() > 1000


def everybody(made):
    """The same genotypes with a trait that nobody lacks."""
    every = object.__new__(Genotypes)
    every.__dict__ |= made.__dict__ | {
        "trait": np.arange(made.samples) % 7.0,
        "covariates": np.empty((made.samples, 0)),
    }
    return every


COMPONENTS = ("pc1", "pc2", "pc3", "pc4")
SCALE = 9
"""Decimals that the layout keeps of a trait and of components."""
LAYOUT = 2e-5
"""The shortest components have three digits less than PLINK read, which moves a p value so much."""


def through_the_analysis(made, parts, output, hits):
    """Run all of genomics.linear, tables in the canonical layout, each part an owner's."""
    components = COMPONENTS[: made.covariates.shape[1]]
    schema = TableSchema(
        columns=(
            Column(name="subject", description="Subject", kind="subject"),
            lung.number("trait", "1", "decimal", scale=SCALE, missing_allowed=True),
            *(lung.number(name, "1", "decimal", scale=SCALE) for name in components),
        )
    )
    frame = pd.DataFrame({"trait": made.trait} | dict(zip(components, made.covariates.T, strict=True)))
    cohorts = [
        genotype_study.cohort(
            frame.iloc[part], f"p{number}", schema, len(made.bim), owner=hashlib.sha256(bytes([number])).hexdigest()
        )
        for number, part in enumerate(parts)
    ]
    calls = [genotype_study.pack(made.dosages[:, part]) for part in parts]
    return genotype_study.run(cohorts, calls, (output,), size=500, trait="trait", covariates=components, hits=hits)[
        output
    ]


def require_plinks(made, found, hits):
    """PLINK's strongest of common variants, in PLINK's digits."""
    answer = made.answer.set_index(made.place)
    common = answer[answer.A1_FREQ.between(0.05, 0.95)].nsmallest(hits, "P")
    assert sorted(common.index) == [entry.variant for entry in found.entries]
    wanted = common.sort_index()
    effects = wanted.BETA * pd.Series(made.sign, made.place)[wanted.index]
    assert [entry.effect for entry in found.entries] == pytest.approx(effects.to_list(), rel=PRINTED)
    assert [entry.p for entry in found.entries] == pytest.approx(wanted.P.to_list(), rel=LAYOUT)


@pytest.mark.parametrize("output", ["hits", "hits-by-cohort"])
def test_days_to_pollen_through_the_analysis(maize, output):
    """PLINK's strongest of all, PZA03734.2, has an allele frequency of 4 %, so it is no candidate."""
    made = maize["dpoll"]
    found = through_the_analysis(made, np.array_split(np.arange(made.samples), 3), output, hits=10)
    best = min(found.entries, key=lambda entry: entry.p)
    assert made.bim[1][best.variant] == "PZA03591.1"
    assert made.answer.ID[made.answer.P.idxmin()] == "PZA03734.2"
    if output == "hits":
        require_plinks(made, found, hits=10)


def test_hapmap_with_eleven_owners_through_the_analysis_and_the_gate(hapmap):
    """Of the twenty strongest the gate lets the first two out; given each population's mean, nothing."""
    made, parts = hapmap
    found = through_the_analysis(made, parts, "hits", hits=20)
    require_plinks(made, found, hits=20)
    against = coalitions(found.owner_keys, found.owner_keys)
    assert len(against) == 55  # any two of eleven owners
    left = release_hits(found, PRESETS["sacro"], against)
    first = made.answer.assign(place=made.place, sign=made.sign).nsmallest(2, "P").sort_values("place")
    assert [(made.bim[1][hit.variant], float(hit.effect), hit.log10p) for hit in left.entries] == [
        (row.ID, float(f"{row.BETA * row.sign:.1e}"), math.floor(-math.log10(row.P))) for row in first.itertuples()
    ]
    assert left.subjects == 955
    with pytest.raises(DisclosureRefused, match="LEVERAGE"):
        release_hits(through_the_analysis(made, parts, "hits-by-cohort", hits=20), PRESETS["sacro"], against)
