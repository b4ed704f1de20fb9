"""Attacks on the hits of a genome-wide scan: each works on what a scan finds, and not on what leaves the gate.

Membership attackers here are real ones: people who took no part are drawn from the population, not made up from the
study as the gate must do, and the attackers know the population's frequencies and effects.
"""

import genotype_study
import lung
import numpy as np
import pandas as pd
import pytest
from genotype_study import hits_of

from enclave.disclosure.hits import HITS_PER_SUBJECT, MAX_POWER, release_hits
from enclave.disclosure.support import coalitions
from protocol.errors import DisclosureRefused
from protocol.presets import PRESETS

SACRO = PRESETS["sacro"]
OUTSIDERS = 20_000


class Population:
    """Independent variants with true effects on a trait."""

    def __init__(self, variants, seed, effect=0.0, tail=None):
        self.draw = np.random.default_rng(seed)
        self.frequency = self.draw.uniform(0.1, 0.9, variants)
        self.effect = self.draw.normal(size=variants) * effect
        self.tail = tail

    def people(self, count):
        """Return dosages (count, variants) and a trait of mean 0."""
        dosages = self.draw.binomial(2, self.frequency, (count, len(self.frequency))).astype(np.uint8)
        noise = self.draw.normal(size=count) if self.tail is None else self.draw.standard_t(self.tail, count)
        return dosages, (dosages - 2 * self.frequency) @ self.effect + noise


def raw_of(dosages, trait, owners=None, covariates=None, strata=None):
    n = len(trait)
    owners = np.arange(n) % 3 if owners is None else owners
    return hits_of(dosages, trait, np.empty((n, 0)) if covariates is None else covariates, owners, strata)


def gate(raw, recipients="abc"):
    return release_hits(raw, SACRO, coalitions([lung.OWNERS[slot] for slot in recipients], raw.owner_keys))


def refused(raw, **more):
    with pytest.raises(DisclosureRefused) as caught:
        gate(raw, **more)
    return caught.value.code


def power(inside, outside):
    """Share of ``inside`` told by a threshold that 5 % of ``outside`` exceed."""
    return float(np.mean(inside > np.quantile(outside, 0.95)))


def effect_scores(dosages, trait, population, places, effects, subjects):
    """Im et al.'s score with the truth known: the likelihood ratio of effects with and without a target."""
    frequency, truth = population.frequency[places], population.effect[places]
    centred = dosages[:, places] - 2 * frequency
    spread = 2 * frequency * (1 - frequency) * subjects
    moved = centred * (trait[:, None] - centred * truth) / spread
    return (moved * spread * (effects - truth - moved / 2)).sum(axis=1)


def frequency_scores(dosages, population, places, study):
    """Sankararaman et al.'s likelihood ratio, the study's frequencies known."""
    truth, own, mine = population.frequency[places], study[places], dosages[:, places]
    return (mine * np.log(own / truth) + (2 - mine) * np.log((1 - own) / (1 - truth))).sum(axis=1)


def attack(population, members, places, effects, subjects, study):
    """Return both attacks' power on members, given (dosages, trait)."""
    outside = population.people(OUTSIDERS)
    told = [effect_scores(*people, population, places, effects, subjects) for people in (members, outside)]
    known = [frequency_scores(people[0], population, places, study) for people in (members, outside)]
    return power(*told), power(*known)


# Few carriers, few subjects with a trait


def test_a_variant_of_one_carrier_tells_his_trait_and_does_not_leave():
    dosages, trait = Population(5, seed=1).people(600)
    carrier = np.zeros((600, 1), dtype=np.uint8)
    carrier[17] = 1
    raw = raw_of(np.hstack([dosages, carrier]), trait)
    others = np.delete(trait, 17).mean()
    assert raw.entries[5].effect == pytest.approx(trait[17] - others)
    assert 5 not in [hit.variant for hit in gate(raw).entries]


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_a_trait_of_one_subject_tells_his_genotypes_and_is_refused(noise):
    dosages, _ = Population(40, seed=2).people(600)
    generator = np.random.default_rng(3)
    trait = (np.arange(600) == 17) + noise * generator.normal(size=600)
    raw = raw_of(dosages, trait)
    effects = np.array([entry.effect for entry in raw.entries])
    guessed = np.round(effects * 600 * dosages.var(axis=0) + dosages.mean(axis=0))
    assert (guessed == dosages[17]).all()
    assert refused(raw) == "LEVERAGE"


@pytest.mark.parametrize("recipients", ["a", "b", "h"])
def test_an_owner_cannot_pad_a_trait_with_its_own_rows(recipients):
    """The first owner gives a hundred of its rows the trait of its target; h owns nothing and may be anybody's friend."""
    dosages, _ = Population(40, seed=2).people(900)
    owners = np.arange(900) % 3
    target = 1 + 3 * 50
    trait = ((owners == 0) & (np.arange(900) < 300)) | (np.arange(900) == target)
    raw = raw_of(dosages, trait.astype(float), owners)
    assert np.count_nonzero(trait) > 100
    assert refused(raw, recipients=recipients) == "LEVERAGE"


def test_an_owner_cannot_pad_a_variant_with_its_own_rows():
    """Its samples carry the allele as often as it likes; of the others one does."""
    dosages, trait = Population(5, seed=1).people(900)
    owners = np.arange(900) % 3
    padded = ((owners == 0) & (np.arange(900) < 600)).astype(np.uint8)
    padded[1] = 1
    raw = raw_of(np.hstack([dosages, padded[:, None]]), trait, owners)
    assert 5 not in [hit.variant for hit in gate(raw).entries]


def test_covariates_cannot_leave_few_in_the_model():
    """With a covariate that is the genotype of all but nine, the effect is these nine's."""
    dosages, trait = Population(5, seed=1).people(900)
    near = dosages[:, 2].astype(float)
    near[:13] = 2 - near[:13]
    raw = raw_of(dosages, trait, covariates=near[:, None])
    found = gate(raw)
    assert 2 not in [hit.variant for hit in found.entries]
    assert len(found.entries) == 4


def scanned_with_gaps(height):
    """Three cohorts of 300; of the second variant forty calls each, which follow from sex but for the target's, c's first.

    Both sexes have a hundred and fifty in each cohort, and the variant's other calls are missing.
    """
    cohorts, calls, rows = [], [], np.arange(300)
    for number, slot in enumerate("abc"):
        generator = np.random.default_rng(10 + number)
        frame = pd.DataFrame({"height": generator.normal(170, 7, 300).round(6), "age": generator.integers(20, 80, 300)})
        frame["sex"] = np.where(rows < 150, "f", "m")
        dosages = generator.binomial(2, 0.4, (3, 300)).astype(np.uint8)
        dosages[1] = np.select([rows < 20, (rows >= 150) & (rows < 170)], [0, 2], 255)
        if slot == "c":
            dosages[1, 0] = 1
            frame.loc[0, "height"] = height
        cohorts.append(genotype_study.cohort(frame, slot, variants=3))
        calls.append(genotype_study.pack(dosages))
    return genotype_study.run(cohorts, calls, trait="height", covariates=("sex",), hits=3)["hits"]


def test_missing_calls_cannot_leave_one_in_a_variants_fit():
    """In all 900 the covariate leaves the variant alone; among its 120 calls the effect is the target's trait."""
    raws = [scanned_with_gaps(height) for height in (160.0, 180.0)]
    assert [np.count_nonzero(raws[0].dosages[:, place] != 255) for place in range(3)] == [900, 120, 900]
    assert raws[1].entries[1].effect - raws[0].entries[1].effect == pytest.approx(20, rel=1e-9)
    assert [[hit.variant for hit in gate(raw).entries] for raw in raws] == [[0, 2], [0, 2]]


def test_a_cohort_of_few_does_not_stand_alone():
    dosages, trait = Population(5, seed=1).people(609)
    strata = np.where(np.arange(609) < 9, 1, 0)
    assert refused(raw_of(dosages, trait, strata=strata)) == "LEVERAGE"


# Membership


def test_the_attacks_work_on_more_than_the_gate_lets_out():
    """As many variants as subjects: a quarter of the members is told, where 5 % would be by chance."""
    population = Population(400, seed=5)
    dosages, trait = members = population.people(400)
    raw = raw_of(dosages, trait)
    effects = np.array([entry.effect for entry in raw.entries])
    found = attack(population, members, np.arange(400), effects, 400, dosages.mean(axis=0) / 2)
    assert min(found) > 0.2
    assert len(gate(raw).entries) <= HITS_PER_SUBJECT * 400 * 2 / 3


@pytest.mark.parametrize(
    ("n", "effect", "tail"),
    [(450, 0.0, None), (450, 0.1, None), (1500, 0.05, None), (450, 0.1, 5)],
    ids=["nothing to find", "true effects", "1500 subjects", "long tails"],
)
def test_what_leaves_tells_no_more_than_a_tenth_of_the_members(n, effect, tail):
    """Over several studies: 5 % by chance, at most 10 % with it; two standard errors on top."""
    found = []
    for seed in range(8):
        population = Population(n // 4, seed, effect, tail)
        dosages, trait = members = population.people(n)
        try:
            left = gate(raw_of(dosages, trait))
        except DisclosureRefused as refusal:
            assert tail is not None  # a far value may hold too much of a trait's variation
            assert refusal.code in {"LEVERAGE", "HITS"}
            continue
        places = np.array([hit.variant for hit in left.entries])
        effects = np.array([float(hit.effect) for hit in left.entries])
        found.append(attack(population, members, places, effects, n, dosages.mean(axis=0) / 2))
    assert len(found) >= 4
    spread = np.sqrt(MAX_POWER * (1 - MAX_POWER) / (n * len(found)))
    assert (np.mean(found, axis=0) < MAX_POWER + 2 * spread).all()


def test_an_owner_that_subtracts_its_rows_tells_no_more_of_the_others():
    """It takes its own part out of effects and frequencies, whose other ingredients it is taken to know."""
    found, n = [], 600
    for seed in range(8):
        population = Population(n // 4, seed, 0.05)
        dosages, trait = population.people(n)
        owners = np.arange(n) % 3
        mine, rest = owners == 0, owners != 0
        left = gate(raw_of(dosages, trait, owners))
        places = np.array([hit.variant for hit in left.entries])
        told = np.array([float(hit.effect) for hit in left.entries])
        centred = dosages[:, places] - dosages[:, places].mean(axis=0)
        squares = centred**2
        own = (centred[mine] * (trait[mine] - trait.mean())[:, None]).sum(axis=0)
        effects = (told * squares.sum(axis=0) - own) / squares[rest].sum(axis=0)
        people = dosages[rest], trait[rest]
        found.append(attack(population, people, places, effects, rest.sum(), dosages[rest].mean(axis=0) / 2))
    spread = np.sqrt(MAX_POWER * (1 - MAX_POWER) / (400 * len(found)))
    assert (np.mean(found, axis=0) < MAX_POWER + 2 * spread).all()


def test_a_subject_with_a_far_value_stays_in_doubt():
    """Eighteen subjects hold most of a trait's variation: sixty effects tell them, those that leave do not."""
    n, far = 450, np.arange(450) < 18
    raised = []
    for everything in (True, False):
        told = []
        for seed in range(6):
            population = Population(60, seed)
            dosages, trait = population.people(n)
            trait = np.where(far, 30.0 * np.sign(trait), trait)
            raw = raw_of(dosages, trait)
            released = gate(raw).entries
            places = np.arange(60) if everything else np.array([hit.variant for hit in released])
            effects = np.array([raw.entries[place].effect for place in places])
            # The variants have no effect, so a stranger's sign does not matter.
            strangers = population.people(OUTSIDERS)[0], np.full(OUTSIDERS, 30.0)
            both = (dosages[far], trait[far]), strangers
            told.append(power(*(effect_scores(*people, population, places, effects, n) for people in both)))
        raised.append(np.mean(told))
    assert raised[0] > 0.5 > raised[1]


# What else a list might carry


def test_order_and_number_carry_no_more_than_which_variants_they_are():
    population = Population(100, seed=9, effect=0.1)
    dosages, trait = population.people(900)
    raw = raw_of(dosages, trait)
    found = gate(raw)
    assert [hit.variant for hit in found.entries] == sorted(hit.variant for hit in found.entries)
    assert type(found).model_fields.keys() == {"type", "label", "subjects", "entries"}
    assert type(found.entries[0]).model_fields.keys() == {"variant", "effect", "log10p"}
    for hit in found.entries:
        assert len(hit.effect.lstrip("-0.").replace(".", "")) <= 2
