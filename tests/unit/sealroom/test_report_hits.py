"""Hits: named by places in the catalogue, and by chromosome, position and alleles where the catalogue is given."""

import json
import tracemalloc
from datetime import UTC, datetime, timedelta

import factories
import pytest
from factories_bundle import LUNG
from partner_desk import Desk
from report_page import Page, genotype_bundle, hits, laid_out

from protocol.canonical import parse_canonical
from protocol.catalogue import Variant
from protocol.errors import DocumentError, StorageError
from sealroom.home import Home
from sealroom.keystore import Keystore, Passphrase
from sealroom.report.section import MOST_DRAWN
from sealroom.result import open_outputs
from sealroom.results import Result
from sealroom.trust import save_trust
from sealroom.variants import read_variants
from sealroom.verification import verify_bundle

CATALOGUE = tuple(
    Variant(str(1 + place % 22), 0 if place == 7 else 10_000 + place, f"rs{place}", "A", "GT") for place in range(50)
)
FOUND = ((3, "0.33", 12), (7, "-0.058", 9), (41, "0.4", 24))
OUTPUTS = {"hits": hits(*FOUND), "cox": LUNG["cox"]}


def write(folder, variants=CATALOGUE):
    path = folder / "variants.tsv"
    path.write_text("".join(variant.line() for variant in variants))
    return path


@pytest.fixture(scope="module")
def made():
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    return genotype_bundle(OUTPUTS, CATALOGUE, at=at)


@pytest.fixture(scope="module")
def verified(made):
    return verify_bundle(made.data, made.trust, now=made.now)


def opened(made, verified):
    return open_outputs(verified, made.study.parties[0].people["analyst"].recipient)


def test_without_a_catalogue_hits_have_their_places():
    section = laid_out(hits(*FOUND))
    (table,) = section.tables
    assert table.head == ("Place", "Effect", "\N{MINUS SIGN}log10 p")
    assert table.rows == (("3", "0.33", "12"), ("7", "-0.058", "9"), ("41", "0.4", "24"))
    assert section.lead == (
        "height (cm) per copy of the first allele: a scan of 2,000 variants over about 950 subjects; "
        "3 variants were released."
    )
    assert "place 41 effect 0.4, p about 10^-24" in section.plots[0]
    assert any("--variants" in note for note in section.notes)


def test_with_a_catalogue_they_have_chromosome_position_identifier_and_alleles():
    section = laid_out(hits(*FOUND), variants={place: CATALOGUE[place] for place, *_ in FOUND})
    (table,) = section.tables
    assert table.head[:5] == ("Chromosome", "Position", "Identifier", "First allele (counted)", "Second allele")
    assert table.rows[0] == ("4", "10,003", "rs3", "A", "GT", "3", "0.33", "12")
    assert table.rows[1][1] == "unknown"
    assert "rs41 effect 0.4, p about 10^-24" in section.plots[0]
    assert not any("--variants" in note for note in section.notes)


def test_long_alleles_are_shortened():
    variants = {3: Variant("4", 10_003, "r" * 60, "A" * 12, "GT" * 200)}
    (row,) = laid_out(hits(FOUND[0]), variants=variants).tables[0].rows
    assert row[2:5] == ("r" * 33 + "…", "A" * 12, "GTGTGTGTGTGT… (400 letters)")


def test_a_variant_without_an_identifier_is_drawn_by_its_place_in_the_genome():
    variants = {3: Variant("4", 10_003, ".", "A", "GT"), 7: CATALOGUE[7]}
    (plot,) = laid_out(hits(*FOUND), variants=variants).plots
    assert "4:10003 effect 0.33" in plot
    assert "rs7 effect" in plot
    assert "place 41 effect" in plot


@pytest.mark.parametrize(
    ("scanned", "words"),
    [
        (2000, "p = 0.05 / 2,000 (Bonferroni): 2 of the 5 variants are beyond it (filled), and of 1 more the power"),
        (400_000, "p = 0.05 / 400,000 (Bonferroni): 0 of the 5 variants are beyond it (filled), and of 1 more the"),
        (5_000, "p = 0.05 / 5,000 (Bonferroni): 2 of the 5 variants are beyond it (filled). Any other may be there"),
    ],
)
def test_what_chance_among_so_many_variants_may_do_is_said(scanned, words):
    """A power of ten of 4 is a p from 1e-4 down to 1e-5: beyond 0.05 / 2,000 = 2.5e-5 or not."""
    found = ((1, "0.1", 2), (2, "0.1", 3), (3, "0.1", 4 if scanned == 2000 else 3), (4, "0.1", 5), (5, "0.1", 6))
    section = laid_out(hits(*found), scanned=scanned)
    assert section.notes[0].startswith(f"The dashed line is {words}")
    fills = [style for style in section.plots[0].split('style="')[1:] if style.startswith("fill: #56b4e9")]
    assert len(fills) == int(words.split(": ")[1].split()[0])


def test_a_scan_without_hits_is_said():
    section = laid_out(hits())
    assert section.lead.endswith("of which no variant was released.")
    assert section.tables == section.plots == ()


def test_of_many_hits_the_strongest_are_drawn_in_the_catalogue_s_order():
    section = laid_out(hits(*((place, "0.1", 8 + place % 100) for place in range(200))))
    assert len(section.tables[0].rows) == 200
    drawn = [place for place in range(200) if f"place {place} effect" in section.plots[0]]
    assert drawn == [*range(80, 100), *range(180, 200)]
    assert len(drawn) == MOST_DRAWN
    assert f"The plot shows the {MOST_DRAWN} strongest of 200." in section.notes


@pytest.mark.parametrize("effect", ["0", "-999999999999999999", "0.000000000000000001"])
@pytest.mark.parametrize("log10p", [0, 400])
def test_hits_of_any_size_can_be_drawn(effect, log10p):
    assert laid_out(hits((0, effect, log10p))).plots[0].count("<svg") == 1


def test_the_catalogue_is_read_under_the_digest_that_owners_signed(made, verified, tmp_path):
    found = read_variants(write(tmp_path), verified, opened(made, verified))
    assert found == {place: CATALOGUE[place] for place, *_ in FOUND}


@pytest.mark.parametrize(
    "variants",
    [
        CATALOGUE[:-1],
        (*CATALOGUE, CATALOGUE[0]),
        (CATALOGUE[1], CATALOGUE[0], *CATALOGUE[2:]),
        (Variant("1", 10_000, "rs0", "G", "GT"), *CATALOGUE[1:]),
        (),
    ],
    ids=["shorter", "longer", "another order", "another allele", "empty"],
)
def test_another_catalogue_names_nothing(made, verified, tmp_path, variants):
    with pytest.raises(DocumentError) as caught:
        read_variants(write(tmp_path, variants), verified, opened(made, verified))
    assert caught.value.code == "CATALOGUE"


def test_a_file_that_is_no_catalogue_is_refused_without_being_read_whole(made, verified, tmp_path):
    path = tmp_path / "variants.tsv"
    with path.open("wb") as sink:
        sink.truncate(2**26)  # one line
    mine = opened(made, verified)
    tracemalloc.start()
    try:
        with pytest.raises(DocumentError):
            read_variants(path, verified, mine)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    path.write_bytes(b"chromosome position\n")
    with pytest.raises(DocumentError) as caught:
        read_variants(path, verified, opened(made, verified))
    assert caught.value.code == "VARIANT"
    with pytest.raises(StorageError) as missing:
        read_variants(tmp_path / "nothing", verified, opened(made, verified))
    assert missing.value.code == "FILE_MISSING"


def test_a_study_without_genotypes_takes_no_catalogue(tmp_path):
    from factories_bundle import make_bundle

    made = make_bundle(small=True)
    verified = verify_bundle(made.data, made.trust, now=made.now)
    with pytest.raises(DocumentError) as caught:
        read_variants(write(tmp_path), verified, {})
    assert caught.value.code == "NO_GENOTYPES"


def test_datasets_on_several_catalogues_are_named_by_none(verified, tmp_path):
    from dataclasses import replace

    first, *rest = verified.study.manifests
    genotypes = first.document.genotypes.model_copy(update={"catalogue": "12" * 32})
    other = replace(first, document=first.document.model_copy(update={"genotypes": genotypes}))
    mixed = replace(verified, study=replace(verified.study, manifests=(other, *rest)))
    with pytest.raises(DocumentError) as caught:
        read_variants(write(tmp_path), mixed, {})
    assert caught.value.code == "CATALOGUE"


@pytest.mark.parametrize("place", [50, 199_999_999])
def test_a_variant_beyond_the_catalogue_does_not_open(place):
    made = genotype_bundle({"hits": hits((place, "0.1", 9))}, CATALOGUE)
    with pytest.raises(DocumentError) as caught:
        opened(made, verify_bundle(made.data, made.trust, now=made.now))
    assert caught.value.code == "OUTPUT_VARIANT"


def test_the_last_variant_of_the_catalogue_opens():
    made = genotype_bundle({"hits": hits((49, "0.1", 9))}, CATALOGUE)
    assert opened(made, verify_bundle(made.data, made.trust, now=made.now))["hits"].value.entries[0].variant == 49


def test_results_of_the_sdk_take_a_catalogue(made, verified, tmp_path):
    result = Result(verified, opened(made, verified))
    assert list(result.hits.columns) == ["variant", "effect", "log10p"]
    named = result.with_variants(str(write(tmp_path)))
    assert named.hits["identifier"].tolist() == ["rs3", "rs7", "rs41"]
    assert named.hits["position"].isna().tolist() == [False, True, False]
    assert named.cox.equals(result.cox)
    assert "rs41" in named._repr_html_()
    with pytest.raises(DocumentError):
        result.with_variants(write(tmp_path, CATALOGUE[:3]))


@pytest.fixture
def desk(made, tmp_path):
    """The analyst's desk, with the bundle on it."""
    party = made.study.parties[0]
    home = Home(tmp_path / "home")
    (tmp_path / "passphrase").write_text("a passphrase of the tests\n")
    home.save_institution(party.institution)
    keys = Keystore(home.keys, Passphrase(tmp_path / "passphrase"))
    keys.keep_recipient("analyst.recipient", party.people["analyst"].recipient)
    others = tuple(pin for pin in made.trust.institutions if pin.root != party.key)
    save_trust(factories.changed(made.trust, {"institutions": others}), home.trust_file)
    (tmp_path / "scan.sealroom").write_bytes(made.data)
    secret = tmp_path / "passphrase"

    def run(*words, **more):
        return Desk(tmp_path).run(
            "result", "open", tmp_path / "scan.sealroom", *words, "--passphrase-file", secret, **more
        )

    return run


def test_opening_with_a_catalogue_names_variants_everywhere(desk, tmp_path):
    out = tmp_path / "opened"
    answer = desk("--out", out, "--variants", write(tmp_path))
    (line,) = [line.split() for line in answer.out.splitlines() if "rs41" in line]
    assert line == ["41", "0.4", "24", "20", "10041", "rs41", "A", "GT"]
    written = parse_canonical((out / "outputs.json").read_bytes(), limit=2**20)["outputs"]
    by_name = {item["output"]: item for item in written}
    assert by_name["hits"]["variants"][2] == {
        "variant": 41,
        "chromosome": "20",
        "position": 10_041,
        "identifier": "rs41",
        "first": "A",
        "second": "GT",
    }
    assert "variants" not in by_name["cox"]
    words = Page((out / "report.html").read_text("utf-8")).words
    assert "rs41" in words
    assert "10,041" in words


def test_opening_without_one_names_places(desk, tmp_path):
    out = tmp_path / "opened"
    desk("--out", out)
    (first, _) = parse_canonical((out / "outputs.json").read_bytes(), limit=2**20)["outputs"]
    assert "variants" not in first
    assert "rs41" not in (out / "report.html").read_text("utf-8")


def test_opening_with_another_catalogue_writes_nothing(desk, tmp_path):
    out = tmp_path / "opened"
    answer = desk("--out", out, "--variants", write(tmp_path, CATALOGUE[:3]), "--json", code=4)
    assert json.loads(answer.out)["code"] == "CATALOGUE"
    assert not out.exists()
