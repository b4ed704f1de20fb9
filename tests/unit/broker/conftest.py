"""One live broker for the tests of a module; each test brings institutions of its own."""

import pytest
from broker_scene import LiveBroker, Scene


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with LiveBroker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture
def scene(broker):
    return Scene(broker)


@pytest.fixture
def ready(broker):
    return Scene(broker).ready()
