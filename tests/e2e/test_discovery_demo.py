"""The study of compounds, played by the demo with real processes: its proof, its counts, and who can read what."""

import csv
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from enclave.disclosure.overlap import MOST_NOISE
from protocol.documents.receipt import ResultBundle
from protocol.errors import SealroomError
from protocol.hpke import output_info, public_digest
from protocol.types import decode_base64
from sealroom.demo.solubility import DISCOVERY, holders
from sealroom.demo.study import data_of
from sealroom.keystore import Keystore, Passphrase

pytestmark = pytest.mark.slow
SEALROOM = str(Path(sys.executable).with_name("sealroom"))
ANALYSTS = {"a": "anna", "b": "bill", "c": "cleo"}
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The demo's folder."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    command = [SEALROOM, "demo", "--study", "discovery", "--out", str(folder), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as played:
        try:
            told, said = played.communicate(timeout=590)
        finally:
            played.terminate()  # one that hangs stops its services then
    assert played.returncode == 0, said
    assert set(json.loads(told)["files"]) == set(DISCOVERY.results)
    return folder


def opened(out, party, question="qsar"):
    """What a party's analyst found, by output: labels and value."""
    found = json.loads((out / party / "opened" / question / "outputs.json").read_bytes())["outputs"]
    return {entry["output"]: (entry["labels"], entry["value"]) for entry in found}


def figures(value):
    return {text for entry in value["entries"] for text in (entry["value"], entry["lower"], entry["upper"])}


@pytest.mark.parametrize("party", ANALYSTS)
@pytest.mark.parametrize("question", ["qsar", "overlap"])
def test_each_result_verifies_under_the_pins_of_each_party(out, question, party):
    command = [SEALROOM, "verify", out / f"{question}.sealroom", "--trust", out / party / "trust.toml", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["checks"]) == 16


@pytest.mark.parametrize("party", ANALYSTS)
def test_a_party_opens_its_own_uplift_and_finds_no_figure_of_anothers(out, party):
    mine = opened(out, party)
    assert list(mine) == ["pooled", f"uplift-{party}"]
    own = set.union(*(figures(value) for _, value in mine.values()))
    report = (out / party / "opened" / "qsar" / "report.html").read_text("utf-8")
    assert all(text in report for text in own)
    assert report.count("Own against pooled data") == 1
    for other in set(ANALYSTS) - {party}:
        theirs = figures(opened(out, other)[f"uplift-{other}"][1]) - own
        assert len(theirs) > 20
        cells = [f">{text} (" for text in theirs]
        assert not any(cell in report for cell in cells)
        assert any(cell in (out / other / "opened" / "qsar" / "report.html").read_text("utf-8") for cell in cells)


def test_an_uplift_is_sealed_to_one_key_and_opens_with_no_other(out):
    bundle = ResultBundle.from_bytes((out / "qsar.sealroom").read_bytes())
    keys = {
        party: Keystore(out / party / "keys", Passphrase(out / "inputs" / party / "passphrase")).recipient(
            f"{analyst}.recipient"
        )
        for party, analyst in ANALYSTS.items()
    }
    party_of = {public_digest(key.public_bytes()): party for party, key in keys.items()}
    sealed = {(item.output, party_of[item.recipient]) for item in bundle.outputs}
    assert sealed == {*itertools.product(("pooled",), "abc"), *((f"uplift-{party}", party) for party in "abc")}
    claims = bundle.evidence.claims
    for item in bundle.outputs:
        info = output_info(claims.contract, claims.run, item.output, item.recipient)
        for party, key in keys.items():
            if party == party_of[item.recipient]:
                assert item.output.encode() in key.open(decode_base64(item.sealed), info=info)
            else:
                with pytest.raises(SealroomError, match="CAPSULE"):
                    key.open(decode_base64(item.sealed), info=info)


def test_counts_are_those_of_the_libraries_but_for_noise(out):
    rows = csv.DictReader(data_of("discovery").joinpath("solubility.csv").read_text("utf-8").splitlines())
    held = [(holders(number, int(row["scaffold"])), row["scaffold"]) for number, row in enumerate(rows, start=1)]
    labels, value = opened(out, "b", "overlap")["overlap"]
    assert opened(out, "a", "overlap") == opened(out, "b", "overlap") == opened(out, "c", "overlap")
    counts = {labels[cell["label"]]: cell["count"] for cell in value["cells"]}
    for a, b in ("ab", "ac", "bc"):
        both = {scaffold for who, scaffold in held if a in who} & {scaffold for who, scaffold in held if b in who}
        shared = {scaffold for who, scaffold in held if {a, b} <= set(who)}
        for words, exact in (("in common", both), ("with a compound in common", shared)):
            assert abs(counts[f"scaffolds of {a} and {b} {words}"] - len(exact)) <= MOST_NOISE + 2
