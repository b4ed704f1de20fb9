"""The rules for hits of a genome-wide scan, one by one, and the attacks that run inside."""

import math
from dataclasses import replace
from types import SimpleNamespace

import lung
import numpy as np
import pytest
from genotype_study import draw_dosages, hits_of

from enclave.analyses.projection import orthonormal_basis
from enclave.analyses.results import RawCell, RawCounts, RawHit, Support
from enclave.disclosure import release, release_all
from enclave.disclosure.hits import (
    HITS_PER_SUBJECT,
    MAX_POWER,
    MAX_SINGLE_POWER,
    refuse_second_list,
    release_hits,
)
from enclave.disclosure.membership import attack
from enclave.disclosure.support import coalitions
from protocol.documents.outputs import Hits, Refusal
from protocol.errors import DisclosureRefused
from protocol.presets import PRESETS

SACRO = PRESETS["sacro"]
N = 600


def scene(n=N, variants=6, *, seed=1, dosages=None, trait=None, covariates=None, strata=None, owners=None, **changes):
    """Hits of ``n`` subjects of three owners, the first variant the strongest; effects as regressed."""
    generator = np.random.default_rng(seed)
    dosages = draw_dosages(np.linspace(0.2, 0.8, variants), n, seed) if dosages is None else dosages
    trait = generator.normal(size=n) if trait is None else trait
    covariates = generator.normal(size=(n, 2)) if covariates is None else covariates
    owners = np.arange(n) % 3 if owners is None else owners
    return replace(hits_of(dosages, trait, covariates, owners, strata), **changes)


def sure(raw):
    """The same with p values that leave no doubt that there is an effect, in the same order."""
    return replace(raw, entries=tuple(replace(entry, p=entry.p * 1e-30) for entry in raw.entries))


def judge(raw, recipients="abc", preset=SACRO, owners=None):
    keys = raw.owner_keys if owners is None else owners
    return release_hits(raw, preset, coalitions([lung.OWNERS[slot] for slot in recipients], keys))


def released(raw, **more):
    return [hit.variant for hit in judge(raw, **more).entries]


def refused(raw, **more):
    with pytest.raises(DisclosureRefused) as caught:
        judge(raw, **more)
    return caught.value.code


def test_hits_leave_rounded_and_in_the_catalogues_order():
    raw = scene()
    entries = tuple(
        RawHit(variant, effect, 0.1, p)
        for variant, effect, p in (
            (3, 0.123456, 3e-8),
            (10, -9.96, 1e-8),
            (11, 1234.5, 9.99e-1),
            (12, 2e-5, 1.0),
            (200, 0.05, 0.0),
            (300, 0.449, 1e-3),
        )
    )
    found = judge(replace(raw, entries=entries))
    assert [(hit.variant, hit.effect, hit.log10p) for hit in found.entries] == [
        (3, "0.12", 7),
        (10, "-10", 8),
        (11, "1200", 0),
        (12, "0.000020", 0),
        (200, "0.050", 307),
        (300, "0.45", 3),
    ]
    assert (found.label, found.subjects) == (0, N)


def test_subjects_that_were_left_out_show_where_an_owner_has_k_of_them():
    raw = scene()
    a, b, c = raw.owner_keys
    assert judge(replace(raw, left_out=Support({a: 9, b: 9, c: 0}))).subjects == N + 20  # 618 rows, to the nearest five
    assert judge(replace(raw, left_out=Support({a: 10, b: 30, c: 10}))).subjects == N
    assert judge(replace(raw, left_out=Support({a: 10, b: 9, c: 10}))).subjects == N + 10


def test_somebody_must_be_named():
    assert refused(scene(), recipients="") == "RECIPIENTS"


def test_dosages_must_be_those_of_the_hits():
    raw = scene()
    assert refused(replace(raw, entries=raw.entries[1:])) == "SHAPE"
    assert refused(replace(raw, dosages=raw.dosages[1:])) == "SHAPE"


# The model


def test_too_few_subjects_without_an_owners_own():
    raw = scene(owners=np.where(np.arange(N) < N - 9, 0, 1))
    assert refused(raw, recipients="a") == "SUBJECTS"


@pytest.mark.parametrize(("covariates", "code"), [(6, "PARAMETERS"), (7, "RESIDUAL_DF")])
def test_parameters_and_degrees_of_freedom(covariates, code):
    """Of 27 subjects 18 are left; with one intercept and the variant they have 8 or 9 parameters."""
    raw = scene(27, covariates=np.random.default_rng(1).normal(size=(27, covariates)))
    assert refused(raw, preset=PRESETS["uk-biobank"]) == code


def waves(n, count):
    """Columns of which every subject has the same leverage."""
    turn = 2 * np.pi * np.arange(n) / n
    return np.column_stack([wave(turn * times) for times in range(1, count + 1) for wave in (np.cos, np.sin)])[
        :, :count
    ]


def test_intercepts_of_cohorts_are_parameters():
    """Of 480 subjects, without one of four owners' and another's, 240 are left: 24 parameters and no more."""
    n = 480
    more = {
        "strata": np.arange(n) // 4 % 4,
        "owners": np.arange(n) % 4,
        "trait": waves(n, 40)[:, 39],
    }
    keys, preset = tuple(lung.OWNERS[slot] for slot in "abcd"), PRESETS["uk-biobank"]
    assert isinstance(judge(scene(n, covariates=waves(n, 19), **more), owners=keys, preset=preset), Hits)
    assert refused(scene(n, covariates=waves(n, 20), **more), owners=keys, preset=preset) == "PARAMETERS"
    pooled = scene(n, covariates=waves(n, 20), **more | {"strata": None})
    assert isinstance(judge(pooled, owners=keys, preset=preset), Hits)


def test_a_cohort_of_few_with_an_intercept_of_its_own():
    assert refused(scene(strata=np.where(np.arange(N) < 14, 1, 0))) == "LEVERAGE"  # nine are left of it
    assert isinstance(judge(scene(strata=np.where(np.arange(N) < 60, 1, 0))), Hits)


@pytest.mark.parametrize("few", [1, 5, 13])
def test_a_trait_of_few(few):
    """An indicator, and one with noise around it."""
    indicator = (np.arange(N) < few).astype(float)
    assert refused(scene(trait=indicator)) == "LEVERAGE"
    assert refused(scene(trait=indicator * 1e6 + np.random.default_rng(1).normal(size=N))) == "LEVERAGE"


def test_a_trait_of_enough():
    assert isinstance(judge(scene(trait=(np.arange(N) < 90).astype(float))), Hits)


def test_a_covariate_of_few():
    dummy = (np.arange(N) < 13).astype(float)[:, None]
    assert refused(scene(covariates=dummy)) == "LEVERAGE"


@pytest.mark.parametrize("within", [True, False])
def test_a_trait_that_is_constant_for_one_coalition(within):
    """Without the first owner's subjects nothing is left to explain, within cohorts or at all."""
    owners = np.arange(N) % 3
    trait = np.where(owners == 0, np.random.default_rng(1).normal(size=N), owners * 3.0 if within else 1.0)
    assert refused(scene(trait=trait, owners=owners, strata=owners if within else None)) == "LEVERAGE"


def test_the_bound_of_leverage_follows_the_preset():
    """Twenty of 400 have another trait: 1/20 each, and the strictest preset wants 21."""
    owners = np.arange(N) % 3
    trait = (np.arange(N) < 30).astype(float)
    quiet = np.empty((N, 0))
    assert isinstance(judge(scene(trait=trait, covariates=quiet, owners=owners)), Hits)
    assert refused(scene(trait=trait, covariates=quiet, owners=owners), preset=PRESETS["all-of-us"]) == "LEVERAGE"


# Each variant


def with_variant(column, **more):
    """Six sound variants, and this one, the strongest, in the second place."""
    dosages = draw_dosages(np.linspace(0.2, 0.8, 6))
    return scene(dosages=np.insert(dosages, 1, column, axis=1), **more)


def spread(ones, n=N):
    """A column with so many heterozygotes, every owner having a third of them."""
    return (np.arange(n) < ones).astype(np.uint8)


@pytest.mark.parametrize(
    ("column", "fits"),
    [
        (spread(57), False),  # 0.0475 in all
        (spread(60), True),  # 0.05 in all, and without anybody's
        (2 - spread(57), False),
        (2 - spread(60), True),
        (spread(60) * (np.arange(N) % 3 != 0) + spread(60) * 2 * (np.arange(N) % 3 == 0), True),
        (spread(90) * (np.arange(N) % 3 != 1), False),  # without the first owner's 0.0375, of the third's alone
    ],
)
def test_allele_frequency_without_each_owners_subjects(column, fits):
    raw = with_variant(column)
    assert (1 in released(raw)) is fits
    assert {0, 2, 3, 4, 5, 6} <= set(released(raw))


@pytest.mark.parametrize("turned", [False, True])
def test_carriers_of_the_rarer_allele(turned):
    """Ten heterozygotes of 100 have k and a frequency of 0.05; nine homozygotes have 0.09, but are nine."""
    n, owners = 150, np.arange(150) % 3
    quiet = {"n": n, "covariates": np.empty((n, 0)), "owners": owners}
    for ones, fits in ((15, True), (13, False)):
        column = (np.arange(n) < ones).astype(np.uint8) * (1 if fits else 2)
        dosages = np.column_stack([draw_dosages([0.5], n), 2 - column if turned else column])
        trait = waves(n, 2)[:, 0]
        assert (1 in released(sure(scene(dosages=dosages, trait=trait, **quiet)))) is fits


@pytest.mark.parametrize("value", [0, 1, 2])
def test_a_variant_of_one_dosage(value):
    assert 1 not in released(with_variant(np.full(N, value)))
    assert 1 not in released(with_variant(np.where(np.arange(N) % 3 == 0, 1, value)))  # for two coalitions


@pytest.mark.parametrize("few", [1, 13])
def test_a_variant_that_few_tell_from_one_dosage_for_all(few):
    """All are heterozygous but few: a frequency near one half, and as many carriers as one likes."""
    assert 1 not in released(with_variant(1 + spread(few)))


def test_a_variant_that_few_tell_from_a_covariate():
    column = draw_dosages([0.4], seed=5)[:, 0]
    near = column.astype(float)
    near[:9] = 1 - near[:9]
    raw = with_variant(column, covariates=near[:, None])
    assert 1 not in released(raw)
    assert 1 in released(with_variant(column))


def test_a_variant_that_is_a_covariate():
    column = draw_dosages([0.4], seed=5)[:, 0]
    assert 1 not in released(with_variant(column, covariates=column[:, None].astype(float)))


def test_missing_calls_are_nobodys():
    column = spread(300)
    assert 1 in released(with_variant(np.where(np.arange(N) % 7 == 0, 255, column)))
    assert 1 not in released(with_variant(np.where(np.arange(N) > 20, 255, column)))
    assert 1 not in released(with_variant(np.full(N, 255)))
    assert 1 not in released(with_variant(np.where(np.arange(N) % 3 == 0, column, 255)))  # called at one owner only


@pytest.mark.parametrize(("few", "fits"), [(1, False), (13, False), (18, True)])
def test_a_covariate_that_predicts_a_variant_among_those_who_have_a_call(few, fits):
    """In all it predicts half of the dosages; where there is a call, all but those of few."""
    covariate = np.arange(N) % 2
    column = np.where(np.arange(N) < 300, covariate * 2, 255)
    column[:few] = 2 - column[:few]
    full = np.where(column == 255, np.arange(N) // 2 % 3, column)
    assert (1 in released(with_variant(column, covariates=covariate[:, None] * 1.0))) is fits
    assert 1 in released(with_variant(full, covariates=covariate[:, None] * 1.0))


def test_a_trait_of_few_among_those_who_have_a_call():
    trait, column = (np.arange(N) % 20 < 9).astype(float), draw_dosages([0.4], seed=5)[:, 0]
    for few, fits in ((13, False), (18, True)):
        gaps = np.where((trait == 1) & (np.cumsum(trait) > few), 255, column)
        assert (1 in released(with_variant(gaps, trait=trait))) is fits
    assert 1 in released(with_variant(column, trait=trait))


def test_a_trait_that_is_constant_among_those_who_have_a_call():
    trait, column = (
        np.where(np.arange(N) < 300, 0.0, np.random.default_rng(1).normal(size=N)),
        draw_dosages([0.4], seed=5)[:, 0],
    )
    more = {"trait": trait, "covariates": np.empty((N, 0))}
    assert 1 not in released(with_variant(np.where(np.arange(N) < 300, column, 255), **more))
    assert 1 in released(with_variant(column, **more))


@pytest.mark.parametrize(("called", "fits"), [(360, True), (315, False)])
def test_parameters_among_those_who_have_a_call(called, fits):
    """Without one owner's 240 or 210 have one, for 22 parameters with intercept and variant."""
    n = 1200
    more = {"n": n, "covariates": waves(n, 20), "trait": waves(n, 42)[:, 41]}
    column = np.where(np.arange(n) % 10 < called * 10 // n, draw_dosages([0.4], n, 5)[:, 0], 255)
    raw = scene(dosages=np.column_stack([draw_dosages([0.5], n), column]), **more)
    assert (1 in released(sure(raw), preset=PRESETS["uk-biobank"])) is fits


@pytest.mark.parametrize("name", ["effect", "standard_error", "p"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_does_not_leave(name, bad):
    raw = scene()
    spoilt = (replace(raw.entries[0], **{name: bad}), *raw.entries[1:])
    assert released(replace(raw, entries=spoilt)) == [1, 2, 3, 4, 5]


# The list


def test_no_more_than_a_share_of_the_subjects_left_and_the_strongest_of_them():
    """Of 150 subjects 100 are left without an owner's: at most 13 variants."""
    raw = sure(scene(150, 40, covariates=np.empty((150, 0)), trait=waves(150, 2)[:, 0]))
    found = released(raw, preset=PRESETS["uk-biobank"])
    strongest = sorted(range(40), key=lambda place: raw.entries[place].p)
    assert found == sorted(strongest[: len(found)])
    assert 8 <= len(found) <= int(HITS_PER_SUBJECT * 100)


def test_a_variant_that_few_have_takes_more_of_the_list():
    """Called in a third of the subjects it is as three: of 600 left 78 whole ones, or 26, whatever the attacks say."""
    dosages = draw_dosages(np.full(100, 0.4), 900)
    raw = scene(900, dosages=dosages, covariates=np.empty((900, 0)), trait=waves(900, 2)[:, 0])
    third = np.where((np.arange(900) // 3 % 3 == 0)[:, None], dosages, 255)
    some = replace(raw, dosages=third.astype(np.uint8))
    assert len(released(raw)) > 26
    assert len(released(some)) == int(HITS_PER_SUBJECT * 200)


def test_as_many_as_keep_the_attacks_below_their_bound():
    """The list ends where the worst coalition's power would reach the bound, and not before."""
    raw = sure(scene(n=450, variants=60))
    found = released(raw)
    strongest = np.array(sorted(range(60), key=lambda place: raw.entries[place].p))
    most = int(HITS_PER_SUBJECT * 300)
    power = []
    for owner in range(3):
        rest = raw.owners != owner
        basis = orthonormal_basis(raw.covariates[rest])
        chosen = raw.dosages[rest][:, strongest[:most]]
        power.append(attack(chosen, raw.trait[rest], basis, np.ones(most, dtype=bool), 2))
    worst = np.max([found.share for found in power], axis=0)
    assert max(found.single[-1] for found in power) < MAX_SINGLE_POWER
    assert worst[-1] >= MAX_POWER  # else the attacks would not have decided
    count = np.flatnonzero(worst < MAX_POWER)[-1] + 1
    assert 0 < count < most
    assert found == sorted(strongest[:count].tolist())


def test_no_list_where_nothing_may_leave():
    assert refused(scene(dosages=np.zeros((N, 3), dtype=np.uint8))) == "HITS"
    assert refused(scene(dosages=np.zeros((N, 0), dtype=np.uint8))) == "HITS"


def test_no_more_than_leave_every_single_subject_in_doubt():
    """Of 600 subjects few have a far value, too many for the rule of leverage, and 40 variants would tell them."""
    generator = np.random.default_rng(2)
    trait = np.where(np.arange(N) < 18, 30.0, 1.0) * generator.choice([-1, 1], N) + generator.normal(size=N)
    more = {"variants": 40, "covariates": np.empty((N, 0))}
    loud, quiet = released(sure(scene(trait=trait, **more))), released(sure(scene(trait=np.sign(trait), **more)))
    assert 0 < len(loud) < 35 < len(quiet)


def test_the_same_data_give_the_same_hits():
    raw = scene(n=450, variants=60)
    again = replace(raw, dosages=np.asfortranarray(raw.dosages.copy()), trait=raw.trait.copy())
    assert judge(raw) == judge(again)


def test_more_coalitions_or_a_larger_k_release_no_more():
    raw = sure(scene(n=450, variants=60))
    everybody = set(released(raw))
    nobody = release_hits(raw, SACRO, frozenset({frozenset()}))
    assert everybody < {hit.variant for hit in nobody.entries}
    loose = set(released(raw, preset=PRESETS["uk-biobank"]))
    assert everybody <= loose


# The gate as a whole


def entry(recipients="abc"):
    planned = SimpleNamespace(output="hits", type="hits", labels=("height (cm) per copy of the first allele",))
    return lung.contract_output(planned, recipients)


def test_the_gate_knows_hits():
    raw = scene()
    assert release(raw, entry(), preset="sacro", owners=raw.owner_keys) == judge(raw)
    none = scene(dosages=np.zeros((N, 3), dtype=np.uint8))
    assert release(none, entry(), preset="sacro", owners=raw.owner_keys) == Refusal(refusal="POLICY")
    huge = replace(raw, entries=tuple(replace(hit, effect=1e18) for hit in raw.entries))
    assert release(huge, entry(), preset="sacro", owners=raw.owner_keys) == Refusal(refusal="POLICY")


def test_a_type_without_a_rule_does_not_leave():
    unknown = SimpleNamespace(type="hits", labels=entry().labels)
    assert release(unknown, entry(), preset="sacro", owners=scene().owner_keys) == Refusal(refusal="INTERNAL")


def test_two_lists_of_one_contract_do_not_leave():
    raw = scene()
    counts = RawCounts((RawCell("all", Support(dict.fromkeys(raw.owner_keys, 100))),))
    cells = SimpleNamespace(output="subjects", type="counts", labels=counts.labels)
    planned = [entry(), entry().model_copy(update={"output": "hits-by-cohort"}), lung.contract_output(cells)]
    contract = SimpleNamespace(outputs=tuple(planned), preset="sacro", owners=raw.owner_keys)
    both = release_all({"hits": raw, "hits-by-cohort": raw, "subjects": counts}, contract)
    assert [type(item.value) for item in both[:2]] == [Refusal, Refusal]
    assert not isinstance(both[2].value, Refusal)
    one = release_all({"hits": raw, "subjects": counts}, contract)
    assert [type(item.value) for item in one[:2]] == [Hits, Refusal]
    assert refuse_second_list({}) == {}
