"""Withdrawals name one thing each, nothing twice, and a list runs out after it was issued."""

import pytest
from pydantic import ValidationError

from protocol.documents.reference import WithdrawalList, Withdrawn

MEASUREMENT, PPID = "ab" * 32, "cd" * 16


@pytest.mark.parametrize("names", [{}, {"measurement": MEASUREMENT, "ppid": PPID}])
def test_a_withdrawal_names_one_thing(names):
    with pytest.raises(ValidationError, match="names one measurement, ppid, fmspc or advisory"):
        Withdrawn(reason="leaked", **names)
    assert Withdrawn(reason="leaked", ppid=PPID).ppid == PPID


def made(issued="2026-11-24T12:00:00Z", next_update="2026-12-24T12:00:00Z", withdrawn=()):
    return WithdrawalList(
        publisher="ee" * 32, number=1, issued=issued, next_update=next_update, withdrawn=tuple(withdrawn)
    )


@pytest.mark.parametrize("next_update", ["2026-11-24T12:00:00Z", "2026-11-24T11:59:59Z"])
def test_a_list_runs_out_after_it_was_issued(next_update):
    assert made().number == 1
    with pytest.raises(ValidationError, match="next_update is not after issued"):
        made(next_update=next_update)


def test_nothing_is_withdrawn_twice():
    leaked, sold = Withdrawn(reason="leaked", ppid=PPID), Withdrawn(reason="sold", ppid=PPID)
    with pytest.raises(ValidationError, match="is withdrawn twice"):
        made(withdrawn=[leaked, sold])
    assert len(made(withdrawn=[leaked, Withdrawn(reason="leaked", measurement=MEASUREMENT)]).withdrawn) == 2
