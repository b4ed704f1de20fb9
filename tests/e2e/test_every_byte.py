"""Every byte position of the real study's bundle, flipped, is refused: a sample in the quick run, all in the slow one."""

import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime

import pytest

from sealroom.trust import load_trust
from sealroom.verification import VerificationFailed, verify_bundle

REFUSED = {4, 5, 6}  # a document, the evidence or somebody's right is wrong: never 0, never only a missing pin
SAMPLE = 200


def accepted(data: bytes, trust_file, positions) -> list[tuple[int, int]]:
    """Return the flips (position, mask) that are not refused."""
    trust, found = load_trust(trust_file), []
    for position in positions:
        mask = 1 << position % 7
        try:
            verify_bundle(
                data[:position] + bytes([data[position] ^ mask]) + data[position + 1 :], trust, now=datetime.now(UTC)
            )
        except VerificationFailed as error:
            if error.exit_code in REFUSED:
                continue
        found.append((position, mask))
    return found


@pytest.fixture(scope="module")
def bundle(world_of_session):
    world_of_session.ensure()
    return world_of_session.study.bundle.read_bytes(), world_of_session.desks["a"].home / "trust.toml"


def test_the_bundle_verifies_untouched(bundle):
    data, trust = bundle
    checks = verify_bundle(data, load_trust(trust), now=datetime.now(UTC)).verification.checks
    assert {check.status for check in checks} == {"holds"}


def test_sampled_positions_are_refused(bundle):
    data, trust = bundle
    assert accepted(data, trust, sorted(random.sample(range(len(data)), SAMPLE))) == []


@pytest.mark.slow
def test_every_position_is_refused(bundle):
    data, trust = bundle
    shards = [range(start, len(data), 16) for start in range(16)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        for found in pool.map(accepted, [data] * 16, [trust] * 16, shards):
            assert found == []
