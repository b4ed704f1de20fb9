"""Slots whose owners must differ."""

import pytest

from protocol.errors import AnalysisError
from protocol.governance import require_apart

GROUPS = (("a", "b"), ("c",), ("d",))


def test_groups_of_slots_have_no_owner_in_common():
    require_apart("validation", GROUPS, {"a": "first", "b": "first", "c": "second", "d": "third"})
    with pytest.raises(AnalysisError, match=r"slots a, b have an owner in common with c\. Name datasets of") as caught:
        require_apart("validation", GROUPS, {"a": "first", "b": "second", "c": "second", "d": "third"})
    assert caught.value.code == "SLOTS_APART"
    with pytest.raises(AnalysisError, match="slots c have an owner in common with d"):
        require_apart("validation", GROUPS, {"a": "first", "b": "first", "c": "second", "d": "second"})
