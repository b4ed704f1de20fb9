from dataclasses import fields
from itertools import pairwise, product
from typing import get_args

import pytest

from protocol.documents.dataset import Preset
from protocol.presets import PRESETS, GatePreset, strictest


def test_every_preset_that_documents_may_name_is_there():
    assert set(PRESETS) == set(get_args(Preset))
    assert all(preset.name == name and preset.base == 5 and preset.k >= 5 for name, preset in PRESETS.items())


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["sacro"], "sacro"),
        (["sacro", "cms"], "cms"),
        (["cms", "all-of-us", "uk-biobank"], "all-of-us"),
        (["sacro", "uk-llc"], "uk-llc"),
        (["uk-llc", "sacro"], "uk-llc"),
        (["opensafely", "uk-biobank"], "opensafely"),
        (["cms", "uk-llc"], "cms"),
        (["uk-llc", "cms"], "cms"),
    ],
)
def test_the_strictest_has_the_largest_k_whatever_the_order(names, wanted):
    assert strictest(names) == wanted


def test_any_two_presets_compare_in_every_respect():
    order = list(PRESETS.values())
    for looser, stricter in pairwise(order):
        assert looser.k <= stricter.k
        assert looser.base == stricter.base
    # Nothing else tells presets apart: a field that did would need an order of its own.
    assert {field.name for field in fields(GatePreset)} == {"name", "k", "base", "source"}


def test_the_strictest_is_as_strict_as_each():
    for names in product(PRESETS, repeat=3):
        assert PRESETS[strictest(names)].k == max(PRESETS[name].k for name in names)
        assert strictest(names) in names
