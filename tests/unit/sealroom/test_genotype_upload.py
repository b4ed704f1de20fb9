"""Two sealed files at a real broker: an upload that is taken up again, and what partners are shown of genotypes."""

import genotype_files as gf
import httpx
import numpy as np
import pytest
from broker_scene import ProcessBroker
from partner_desk import Desk

from protocol.catalogue import Variant
from protocol.documents.dataset import PART_SIZE
from protocol.errors import TransportError
from sealroom import Client
from sealroom.datasets.package import Package
from sealroom.datasets.upload import upload_package

SAMPLES = 4000
VARIANTS = 20_000
SCHEMA = """
[[columns]]
name = "subject"
description = "IID"
kind = "subject"

[[columns]]
name = "height"
description = "Height"
kind = "integer"
unit = "cm"
"""
RECIPE = """
title = "Height"
analysis = "genomics.linear"
slots = ["a"]
outputs = ["hits"]
[parameters]
trait = "height"
hits = 5
"""


@pytest.fixture
def broker(tmp_path):
    with ProcessBroker(tmp_path) as broker:
        yield broker


@pytest.fixture
def desk(tmp_path, broker):
    desk = Desk(tmp_path / "a")
    desk.folder.mkdir()
    desk.join(short="a")
    invite = desk.write("invite", broker.invite + "\n")
    desk.run("institution", "join", "--broker", broker.url, "--invite-file", invite)
    custodian = tmp_path / "custodian.json"
    custodian.write_bytes(httpx.get(broker.url + "/v1/custodian", trust_env=False).content)
    desk.run("trust", "add-custodian", custodian, "--compared")
    desk.run("trust", "add-measurement", "genomics", "ab" * 32, "--compared")
    return desk


@pytest.fixture
def sealed(desk):
    """The package of a cohort whose genotypes have two parts."""
    names = [f"s{number}" for number in range(SAMPLES)]
    gf.write_bed(desk.folder / "g", np.zeros((1, SAMPLES), dtype=np.uint8), [Variant("1", 1, ".", "A", "C")], names)
    gf.write_bim(desk.folder / "g.bim", [Variant("1", place, ".", "A", "C") for place in range(1, VARIANTS + 1)])
    (desk.folder / "g.bed").write_bytes(b"\x6c\x1b\x01" + bytes(VARIANTS * SAMPLES // 4))
    table = desk.write_csv([["subject", "height"], *([name, str(150 + n % 50)] for n, name in enumerate(names))])
    terms = desk.terms(simulation="true", analyses='["genomics.linear"]', profiles='["genomics"]')
    desk.run(
        *("dataset", "seal", table, desk.write("cohort.toml", SCHEMA), "--policy", terms, "--bfile", desk.folder / "g"),
        *("--assembly", "GRCh38", "--out", desk.folder / "sealed", "--name", "cohort"),
    )
    return Package(desk.folder / "sealed", "cohort")


def client(desk):
    return Client(desk.home, passphrase_file=desk.folder / "passphrase", role="steward")


def test_an_upload_of_two_files_goes_on_where_the_broker_was_killed(desk, broker, sealed):
    sizes = [sealed.sealed.stat().st_size, sealed.file("genotypes").stat().st_size]
    told = []

    def start(total, there, *, kill_after):
        told.append((total, there))

        def advance(amount):
            told.append(amount)
            if len(told) == kill_after:
                broker.kill()

        return advance

    with client(desk) as partner:
        institution = partner.party.institution
        with pytest.raises(TransportError):
            upload_package(partner.broker, sealed, institution, lambda *a: start(*a, kill_after=3))
    assert told == [(sum(sizes), 0), sizes[0], PART_SIZE]
    broker.start()
    told.clear()
    with client(desk) as partner:
        upload_package(partner.broker, sealed, partner.party.institution, lambda *a: start(*a, kill_after=0))
        assert [entry.state for entry in partner.datasets()] == ["complete"]
    assert told == [(sum(sizes), sizes[0] + PART_SIZE), sizes[1] - PART_SIZE]


def test_the_list_and_the_contract_say_what_genotypes_there_are(desk, sealed):
    desk.run("dataset", "upload", sealed.folder / sealed.short)
    (entry,) = desk.run("dataset", "list", "--json").json
    assert entry["genotypes"]["variants"] == VARIANTS
    assert entry["genotypes"]["assembly"] == "GRCh38"
    head, row = (line.split() for line in desk.run("dataset", "list").out.splitlines())
    assert row[head.index("variants")] == str(VARIANTS)
    contract = desk.folder / "contract.json"
    desk.run(
        *("contract", "propose", desk.write("recipe.toml", RECIPE), "--dataset", "a=cohort", "--purpose", "To learn"),
        *("--simulation", "--out", contract),
    )
    said = [line for line in desk.run("contract", "show", contract).out.splitlines() if "genotypes: " in line]
    assert said == [
        f"    genotypes: {SAMPLES} samples, {VARIANTS} variants, assembly GRCh38, catalogue {entry['genotypes']['catalogue']}"
    ]
