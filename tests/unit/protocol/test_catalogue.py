import hashlib
import io

import pytest

from protocol.catalogue import MAX_LINE, CatalogueDigest, Variant, parse_line, read_catalogue
from protocol.errors import DocumentError

VARIANTS = [
    Variant("1", 100, "rs1", "A", "G"),
    Variant("22", 0, ".", "ACGT", "<DEL>"),
    Variant("scaffold_7", 2**31 - 1, "a;b", "0", "."),
]
LINES = [
    b"1\t100\trs1\tA\tG\n",
    b"22\t0\t.\tACGT\t<DEL>\n",
    b"scaffold_7\t2147483647\ta;b\t0\t.\n",
]
DIGEST = hashlib.sha256(b"".join(LINES)).hexdigest()


def read(lines, *, digest=DIGEST, variants=3):
    return list(read_catalogue(lines, digest=digest, variants=variants))


def test_lines_and_variants_are_the_same_thing():
    assert [variant.line().encode() for variant in VARIANTS] == LINES
    assert [parse_line(line) for line in LINES] == VARIANTS
    assert read(LINES) == VARIANTS
    assert read(io.BytesIO(b"".join(LINES))) == VARIANTS


def test_the_digest_is_that_of_the_file():
    digest = CatalogueDigest()
    assert [digest.add(variant).encode() for variant in VARIANTS] == LINES
    assert (digest.variants, digest.finish()) == (3, DIGEST)


@pytest.mark.parametrize(
    ("variant", "field"),
    [
        (Variant("", 1, "rs1", "A", "G"), "chromosome"),
        (Variant("a b", 1, "rs1", "A", "G"), "chromosome"),
        (Variant("1" * 41, 1, "rs1", "A", "G"), "chromosome"),
        (Variant("1", -1, "rs1", "A", "G"), "position"),
        (Variant("1", 2**31, "rs1", "A", "G"), "position"),
        (Variant("1", 1, "", "A", "G"), "identifier"),
        (Variant("1", 1, "rs\t1", "A", "G"), "identifier"),
        (Variant("1", 1, "r\u00e9s", "A", "G"), "identifier"),
        (Variant("1", 1, "r" * 201, "A", "G"), "identifier"),
        (Variant("1", 1, "rs1", "", "G"), "alleles"),
        (Variant("1", 1, "rs1", "A", "G,T"), "alleles"),
        (Variant("1", 1, "rs1", "A", "G\n"), "alleles"),
        (Variant("1", 1, "rs1", "A" * 1001, "G"), "alleles"),
        (Variant("1", 1, "rs1", "A", "A"), "alleles"),
    ],
)
def test_a_field_that_no_catalogue_holds_is_named(variant, field):
    assert variant.wrong_field() == field
    with pytest.raises(DocumentError, match=f"variant's {field}") as caught:
        variant.line()
    assert caught.value.code == "VARIANT"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"1\t100\trs1\tA\n",
        b"1\t100\trs1\tA\tG\tT\n",
        b"1\tx\trs1\tA\tG\n",
        b"1\t0100\trs1\tA\tG\n",
        b"1\t+100\trs1\tA\tG\n",
        b"1\t1_0\trs1\tA\tG\n",
        b"1\t100\trs1\tA\tG",
        b"1\t100\trs1\tA\tG\r\n",
        b"1\t100\trs1\tA\tA\n",
        b"1\t100\trs\xff\tA\tG\n",
    ],
)
def test_another_spelling_of_a_line_is_refused(line):
    with pytest.raises(DocumentError) as caught:
        parse_line(line)
    assert caught.value.code == "VARIANT"


@pytest.mark.parametrize(
    ("lines", "changes"),
    [
        (LINES[:2], {}),
        ([*LINES, LINES[0]], {}),
        ([*LINES, b"x" * (MAX_LINE + 1)], {}),
        ([LINES[1], LINES[0], LINES[2]], {}),
        (LINES, {"digest": "0" * 64}),
        (LINES, {"variants": 2}),
        (LINES, {"variants": 4}),
        ([], {"variants": 0, "digest": hashlib.sha256().hexdigest()}),
    ],
)
def test_a_catalogue_that_was_not_signed_is_refused_before_its_last_variant(lines, changes):
    taken = []
    with pytest.raises(DocumentError) as caught:
        taken.extend(read_catalogue(lines, **({"digest": DIGEST, "variants": 3} | changes)))
    assert caught.value.code == "CATALOGUE"
    with pytest.raises(DocumentError):
        read(lines, **changes)


def test_no_line_beyond_the_signed_number_is_looked_at():
    def endless():
        yield from LINES
        yield b"1\t1\trs1\tA\tG\n"
        pytest.fail("read on")

    with pytest.raises(DocumentError, match="not the catalogue"):
        read(endless())
