"""On how few subjects numbers rest: at the edges of each rule."""

import numpy as np
import pytest

from enclave.disclosure.concentration import beside_commonest, effective_number, has_few_rare, rests_on_many


def normal(n, seed=1):
    return np.random.default_rng(seed).normal(size=n)


@pytest.mark.parametrize(
    ("counts", "beside"),
    [([], [0, 0, 0]), ([7], [0, 0, 0]), ([3, 9], [3, 0, 0]), ([1, 2, 3, 4, 5], [10, 6, 3]), ([4, 4, 0, 4], [8, 4, 0])],
)
def test_beside_the_commonest_values(counts, beside):
    assert beside_commonest(np.array(counts, dtype=int)).tolist() == beside


@pytest.mark.parametrize(
    ("away", "few"),
    [([30, 0, 0], False), ([30, 10, 0], False), ([30, 9, 0], True), ([30, 10, 9], True), ([30, 10, 10], False)],
)
def test_few_rare(away, few):
    assert has_few_rare(np.array(away), 10) is few


def test_the_effective_number():
    assert effective_number(np.ones(100)) == pytest.approx(100)
    assert effective_number(np.append(np.full(1000, 1e-9), 1.0)) == pytest.approx(1, rel=0.01)
    assert effective_number(np.zeros(5)) == effective_number(np.empty(0)) == 0
    squares = normal(5000) ** 2
    assert effective_number(squares) == pytest.approx(squares.sum() ** 2 / (squares**2).sum())
    assert effective_number(squares * 1e300) == pytest.approx(effective_number(squares))


@pytest.mark.parametrize("k", [5, 8, 10, 11, 21])
@pytest.mark.parametrize("others", [0, 1, 20, 1000])
def test_k_equal_subjects_on_one_side_are_enough_and_fewer_are_not(k, others):
    """However many, or few, are on the other side; also with a little noise everywhere, or an offset."""
    noise = normal(2 * k + others) * 1e-4
    for few, enough in ((k, True), (k - 1, False)):
        values = np.repeat([0.0, 1.0], [k + others, few])
        assert rests_on_many([values], k) is enough
        assert rests_on_many([1e3 * values - 7e3 + 1e3 * noise[: len(values)]], k) is enough


def test_without_a_few_much_must_be_left():
    """Nine far values of forty pass the effective number; more spread among the others hides how many they are."""
    far = np.arange(40) < 9
    for size, enough in ((0.01, False), (0.1, False), (0.6, True)):
        values = far + size * np.sign(np.arange(40) % 2 - 0.5) / 2
        deviations = values - values.mean()
        assert effective_number(deviations**2) >= 10
        assert rests_on_many([values], 10) is enough


def test_few_far_values_on_both_sides():
    values = np.concatenate([normal(60) * 0.01, np.ones(5), -np.ones(4)])
    assert effective_number((values - values.mean()) ** 2) < 10
    assert not rests_on_many([values], 10)
    assert rests_on_many([np.concatenate([values, [1.0, -1.0]])], 10)


def test_parts_are_compared_each_with_its_own_mean():
    """What lies between them is no spread; far values are counted in all of them."""
    one = np.repeat([0.0, 1.0], [30, 5])
    assert not rests_on_many([one, one[:-1] + 1000], 10)
    assert rests_on_many([one, one + 1000], 10)
    assert rests_on_many([one, np.empty(0), one], 10)
    assert not rests_on_many([one, np.full(100, 7.0)], 10)


def test_another_part_does_not_hide_that_few_take_the_mean_of_theirs_with_them():
    few, quiet = np.repeat([0.0, 1.0], [31, 9]), normal(200) * 1e-3
    assert not rests_on_many([few, quiet], 10)
    assert rests_on_many([np.append(few, 1.0), quiet], 10)


def test_the_effective_number_decides_where_enough_is_always_left():
    """Shares of a half, a sixth, a twelfth and so on: without j of them 1 / (j + 1) is left, but one has a half."""
    j = np.arange(1, 10)
    values = np.concatenate([np.sqrt(0.95 / (j * (j + 1))) * (-1.0) ** j, normal(1000) * np.sqrt(0.145 / 1000)])
    assert effective_number((values - values.mean()) ** 2) < 5
    assert not rests_on_many([values], 10)


@pytest.mark.parametrize("parts", [[], [np.empty(0)], [np.ones(30)], [np.ones(20), np.zeros(20)]])
def test_no_spread_rests_on_nobody(parts):
    assert not rests_on_many(parts, 5)


def test_none_has_half_and_no_two_have_two_thirds():
    """The rules of dominance follow, from the mildest preset on."""
    generator = np.random.default_rng(5)
    seen = []
    for _ in range(500):
        values = generator.standard_t(2, generator.integers(5, 40))
        squares = np.sort((values - values.mean()) ** 2)
        dominated = squares[-1] > squares.sum() / 2 or squares[-2:].sum() > squares.sum() * 2 / 3
        seen.append(dominated)
        assert not (dominated and rests_on_many([values], 5))
    assert 50 < sum(seen) < 450


def test_a_larger_k_never_passes_more():
    generator = np.random.default_rng(6)
    for _ in range(200):
        values = generator.standard_t(3, generator.integers(21, 200))
        passed = [rests_on_many([values], k) for k in range(2, 22)]
        assert passed == sorted(passed, reverse=True)


def test_honest_values_pass():
    assert all(rests_on_many([normal(60, seed)], 10) for seed in range(50))
