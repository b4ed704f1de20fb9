"""What a plan asks of the owners of its slots, before anything is signed."""

import pytest

from protocol.errors import AnalysisError
from sealroom.local_enclave import PlannedOutput

OUTPUT = PlannedOutput(
    output="validation", type="metrics", labels=("AUROC",), reveals="How well.", apart=(("a", "b"), ("c",), ("d",))
)


def test_groups_of_slots_have_no_owner_in_common():
    OUTPUT.require_apart({"a": "first", "b": "first", "c": "second", "d": "third"})
    with pytest.raises(AnalysisError, match=r"slots a, b have an owner in common with c\. Name datasets of") as caught:
        OUTPUT.require_apart({"a": "first", "b": "second", "c": "second", "d": "third"})
    assert caught.value.code == "SLOTS_APART"
    with pytest.raises(AnalysisError, match="slots c have an owner in common with d"):
        OUTPUT.require_apart({"a": "first", "b": "first", "c": "second", "d": "second"})
