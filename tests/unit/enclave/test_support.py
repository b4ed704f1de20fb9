import pytest

from enclave.analyses.results import Support
from enclave.disclosure.support import coalitions, collusion, safe_count

A, B, C, D, ANALYST = "aaaa", "bbbb", "cccc", "dddd", "eeee"


@pytest.mark.parametrize(("owners", "wanted"), [((A,), 0), ((A, B, C), 0), ((A, B, C, D), 1), ((A, A, B, B, C), 0)])
def test_collusion_is_expected_from_four_contributors(owners, wanted):
    assert collusion(owners) == wanted


@pytest.mark.parametrize("recipients", [[A], [C], [A, B, C], [ANALYST]])
def test_the_worst_owner_decides_whoever_receives(recipients):
    assert safe_count(Support({A: 9, B: 5, C: 4}), coalitions(recipients, (A, B, C))) == 9


def test_an_owner_is_no_recipient_and_pads_with_its_own():
    assert safe_count(Support({A: 80, B: 1}), coalitions([ANALYST], (A, B))) == 1


def test_beside_the_only_owners_subjects_there_is_nobody_to_protect():
    assert safe_count(Support({A: 14}), coalitions([ANALYST], (A,))) == 14


def test_one_of_four_colludes():
    support = Support({A: 1, B: 20, C: 6, D: 5})
    for recipient in (A, B, ANALYST):
        assert safe_count(support, coalitions([recipient], (A, B, C, D))) == 6  # without the two largest, B and C
    outside = frozenset({ANALYST, B})  # who owns nothing may collude as well
    assert outside in coalitions([ANALYST], (A, B, C, D))


def test_nobody_named_means_nothing_is_safe():
    assert safe_count(Support({A: 100}), coalitions([], (A, B))) == 0


def test_a_single_owner_hides_nothing_from_itself():
    assert safe_count(Support({A: 100}), coalitions([A], (A,))) == 0


def test_support_subtracts_owner_by_owner():
    assert Support({A: 9, B: 5}).minus(Support({A: 4})) == Support({A: 5, B: 5})
