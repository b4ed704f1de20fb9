"""Withdrawn code stops runs and results: a publisher, its numbered lists, the custodian and a verifier, by commands."""

import shutil

import pytest

REASON = "Reads beyond its input"


@pytest.fixture
def publisher(world):
    """Give the broker's custodian, until the test ends, a policy that obeys party b's withdrawal lists."""
    key = world.run("b", "withdrawal", "key")["key"]
    usual = world.appraisal
    text = usual.read_text("utf-8")
    assert text.count("withdrawal_publishers = []") == 1
    policy = world.operator / "appraisal.obeys.toml"
    policy.write_text(text.replace("withdrawal_publishers = []", f'withdrawal_publishers = ["{key}"]'))
    _serve(world, policy)
    yield policy
    _serve(world, usual)


def _serve(world, policy):
    world.broker.stop()
    world.appraisal = policy
    world.ensure()


def test_a_withdrawn_measurement_gets_no_more_keys_and_its_results_no_more_trust(world, publisher, tmp_path):
    lists = [tmp_path / f"list-{number}.json" for number in (1, 2)]
    world.no_result(world.start(world.contract()), "WITHDRAWALS_MISSING")

    world.run("b", "withdrawal", "sign", "--days", "30", "--out", lists[0])
    assert world.run("b", "withdrawal", "send", lists[0], "--as", "stew")["number"] == 1
    run = world.start(world.contract())
    world.one_result(run)
    bundle = world.run("a", "result", "fetch", run, "--out", tmp_path / "results")["file"]

    added = ("--add", f"measurement={world.measurement}", "--reason", REASON)
    world.run("b", "withdrawal", "sign", "--from", lists[0], *added, "--days", "30", "--out", lists[1])
    assert world.run("a", "withdrawal", "send", lists[1], "--as", "stew")["number"] == 2  # whoever brings it
    refused = world.start(world.contract())
    world.no_result(refused, "WITHDRAWN")
    detail = world.wait(refused).detail
    assert "list 2 of" in detail and REASON in detail

    assert world.run("b", "withdrawal", "send", lists[0], "--as", "stew", code=5)["code"] == "WITHDRAWALS_OLD"
    world.broker.kill()
    world.ensure()
    assert world.run("b", "withdrawal", "send", lists[0], "--as", "stew", code=5)["code"] == "WITHDRAWALS_OLD"
    world.no_result(world.start(world.contract()), "WITHDRAWN")

    verifier = tmp_path / "verifier"
    verifier.mkdir()
    shutil.copy(world.desks["a"].home / "trust.toml", verifier)
    home, verify = ("--home", verifier), ("a", "verify", bundle, "--trust", verifier / "trust.toml")
    world.run(*verify)
    world.run("a", "trust", "set-policy", publisher, "--yes", *home)
    world.run("a", "trust", "update-withdrawals", lists[0], *home)
    world.run(*verify)
    world.run("a", "trust", "update-withdrawals", lists[1], *home)
    told = world.run(*verify, code=5)
    assert told["code"] == "WITHDRAWN"
    assert "keys were released to this run earlier" in told["detail"]
    assert world.run("a", "trust", "update-withdrawals", lists[0], *home, code=5)["code"] == "WITHDRAWALS_OLD"
