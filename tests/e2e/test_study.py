"""A whole study with real processes, by public commands."""

import pytest

pytestmark = pytest.mark.xdist_group("world")


def test_smoke(world):
    assert world.study.bundle.is_file()
    world.one_result(world.study.run)
    c = world.contract()
    world.one_result(world.start(c))
