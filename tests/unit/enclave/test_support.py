import pytest

from enclave.analyses.results import Support
from enclave.disclosure.support import coalitions, collusion, safe_count

A, B, C, D, ANALYST = "aaaa", "bbbb", "cccc", "dddd", "eeee"


@pytest.mark.parametrize(("owners", "wanted"), [((A,), 0), ((A, B, C), 0), ((A, B, C, D), 1), ((A, A, B, B, C), 0)])
def test_collusion_is_expected_from_four_contributors(owners, wanted):
    assert collusion(owners) == wanted


def test_a_recipient_subtracts_its_own():
    support = Support({A: 9, B: 5, C: 4})
    assert safe_count(support, coalitions([A], (A, B, C))) == 9
    assert safe_count(support, coalitions([C], (A, B, C))) == 14


def test_the_worst_recipient_decides():
    assert safe_count(Support({A: 9, B: 5, C: 4}), coalitions([A, B, C], (A, B, C))) == 9


def test_a_recipient_without_data_subtracts_nothing():
    assert safe_count(Support({A: 9, B: 5}), coalitions([ANALYST], (A, B))) == 14


def test_one_of_four_colludes():
    support = Support({A: 1, B: 20, C: 6, D: 5})
    assert safe_count(support, coalitions([A], (A, B, C, D))) == 11  # without A and the largest other, B
    assert safe_count(support, coalitions([B], (A, B, C, D))) == 6  # without B and C
    assert safe_count(support, coalitions([ANALYST], (A, B, C, D))) == 12


def test_nobody_named_means_nothing_is_safe():
    assert safe_count(Support({A: 100}), coalitions([], (A, B))) == 0


def test_a_single_owner_hides_nothing_from_itself():
    assert safe_count(Support({A: 100}), coalitions([A], (A,))) == 0


def test_support_subtracts_owner_by_owner():
    assert Support({A: 9, B: 5}).minus(Support({A: 4})) == Support({A: 5, B: 5})
