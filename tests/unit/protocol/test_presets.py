from typing import get_args

import pytest

from protocol.documents.dataset import Preset
from protocol.presets import PRESETS, strictest


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
    ],
)
def test_the_strictest_has_the_largest_k_then_suppresses_zeros(names, wanted):
    assert strictest(names) == wanted
