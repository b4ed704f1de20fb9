"""What documents refuse: one good document of each kind, and one change at a time that makes it invalid."""

import hashlib

import factories
import pytest
from pydantic import ValidationError

from protocol.canonical import canonical_bytes
from protocol.documents import Column, Level, SealedFile, StudyPack, TableSchema
from protocol.documents.attested import Collateral, CustodianNonce, Evidence, RuntimeClaims
from protocol.documents.dataset import MAX_PARTS, PART_SIZE, SEGMENT, SEGMENTS_PER_PART, sealed_size
from protocol.documents.receipt import ResultBundle, SealedOutput, bundle_members, output_subjects
from protocol.documents.study import ColumnMapping
from protocol.errors import DocumentError

STUDY = factories.make_study()
CONTRACT = STUDY.contract.document
RECIPE = STUDY.recipe.document
INSTITUTION = STUDY.parties[0].institution.document
LEVELS = (Level(code="1", label="male"), Level(code="2", label="female"))
NUMBER = Column(name="age", description="Age", kind="integer", unit="a")
CATEGORY = Column(name="sex", description="Sex", kind="category", levels=LEVELS)
SUBJECT = Column(name="id", description="Id", kind="subject")


def refused(document, match, **changes):
    with pytest.raises(ValidationError, match=match):
        factories.changed(document, changes)


@pytest.mark.parametrize(
    ("column", "changes", "match"),
    [
        (NUMBER, {"unit": None}, "numbers, and only they, have a unit"),
        (CATEGORY, {"unit": "1"}, "numbers, and only they, have a unit"),
        (CATEGORY, {"levels": ()}, "categories, and only they, have levels"),
        (NUMBER, {"levels": LEVELS}, "categories, and only they, have levels"),
        (NUMBER, {"scale": 2}, "only decimal columns have a scale"),
        (CATEGORY, {"minimum": "0"}, "only numbers have a minimum"),
        (SUBJECT, {"maximum": "0"}, "only numbers have a minimum and a maximum"),
        (SUBJECT, {"missing_allowed": True}, "a subject may not be missing"),
        (NUMBER, {"width": 8}, "bits, and only they, have a width"),
        (NUMBER, {"kind": "bits", "unit": None, "minimum": None, "maximum": None}, "bits, and only they, have a width"),
        (SUBJECT, {"missing_codes": ("NA",)}, "a subject may not be missing"),
        (NUMBER, {"missing_codes": ("NA",)}, "missing codes without missing_allowed"),
        (CATEGORY, {"levels": (*LEVELS, Level(code="1", label="other"))}, "codes and labels of levels are unique"),
        (CATEGORY, {"levels": (*LEVELS, Level(code="3", label="male"))}, "codes and labels of levels are unique"),
        (CATEGORY, {"missing_allowed": True, "missing_codes": ("2",)}, "and are not missing codes"),
        (NUMBER, {"minimum": "7.01", "maximum": "7"}, "column age: the minimum is above the maximum"),
        (NUMBER, {"minimum": "-1", "maximum": "-10"}, "column age: the minimum is above the maximum"),
        (NUMBER, {"missing_allowed": True, "missing_codes": ("NA", "9", "NA")}, "column age: missing codes are unique"),
        (NUMBER, {"missing_allowed": True, "missing_codes": ("NA", "9 ")}, "a code has no spaces around it"),
        (NUMBER, {"missing_allowed": True, "missing_codes": (" ",)}, "a code has no spaces around it"),
        (NUMBER, {"kind": "text"}, "Input should be"),
        (NUMBER, {"kind": "decimal", "scale": 10}, "less than or equal to 9"),
    ],
)
def test_columns(column, changes, match):
    refused(column, match, **changes)


@pytest.mark.parametrize("code", [" 1", "1 ", "\u00a01", "1\u2003"])
def test_the_code_of_a_level_could_stand_in_a_trimmed_cell(code):
    with pytest.raises(ValidationError, match="a code has no spaces around it"):
        Level(code=code, label=" male")
    assert Level(code="1 a", label=" male ").code == "1 a"


@pytest.mark.parametrize(("low", "high"), [("7", "7.0"), ("-10", "-9"), ("9", "10"), (None, "-1"), ("1", None)])
def test_good_bounds(low, high):
    column = factories.changed(NUMBER, {"minimum": low, "maximum": high})
    assert (column.minimum, column.maximum) == (low, high)


def test_good_columns_of_each_kind():
    decimal = factories.changed(NUMBER, {"kind": "decimal", "scale": 3, "minimum": "-0.5", "maximum": "7"})
    missing = factories.changed(CATEGORY, {"missing_allowed": True, "missing_codes": ("NA", "9")})
    table = TableSchema(columns=(decimal, missing, SUBJECT))
    assert table.subject == SUBJECT
    assert table.column("sex") == missing
    assert table.column("weight") is None


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ((SUBJECT,), "at least 2 items"),
        ((SUBJECT, NUMBER, NUMBER), "column names are unique"),
        ((NUMBER, CATEGORY), "exactly one column has the kind subject"),
        ((SUBJECT, factories.changed(SUBJECT, {"name": "id2"})), "exactly one column has the kind subject"),
    ],
)
def test_table_schemas(columns, match):
    with pytest.raises(ValidationError, match=match):
        TableSchema(columns=columns)


@pytest.mark.parametrize(
    ("plain", "sealed"),
    [
        (0, 0),
        (1, 29),
        (SEGMENT - 1, SEGMENT + 27),
        (SEGMENT, SEGMENT + 28),
        (SEGMENT + 1, SEGMENT + 57),
        (SEGMENTS_PER_PART * SEGMENT, PART_SIZE),
        (SEGMENTS_PER_PART * SEGMENT + 1, PART_SIZE + 29),
    ],
)
def test_sealed_sizes(plain, sealed):
    assert sealed_size(plain) == sealed


def sealed_file(plain, parts):
    return SealedFile(name="table", plain_size=plain, sealed_size=sealed_size(plain), parts=("ab" * 32,) * parts)


def test_sealed_files_know_the_size_of_each_part():
    file = sealed_file(2 * SEGMENTS_PER_PART * SEGMENT + 5, 3)
    assert [file.part_size(index) for index in range(3)] == [PART_SIZE, PART_SIZE, 33]
    whole = sealed_file(SEGMENTS_PER_PART * SEGMENT, 1)
    assert whole.part_size(0) == PART_SIZE
    assert sealed_file(MAX_PARTS * SEGMENTS_PER_PART * SEGMENT, MAX_PARTS).part_size(MAX_PARTS - 1) == PART_SIZE


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"plain_size": 0, "sealed_size": 0}, "sealed size does not follow"),
        ({"plain_size": 6}, "sealed size does not follow"),
        ({"sealed_size": 34}, "sealed size does not follow"),
        ({"parts": ("ab" * 32,) * 2}, "number of parts does not follow"),
        ({"parts": ()}, "at least 1 item"),
        ({"parts": ("ab" * 32,) * (MAX_PARTS + 1)}, "at most 10000 items"),
    ],
)
def test_sealed_files(changes, match):
    refused(sealed_file(5, 1), match, **changes)


def member(**changes):
    return factories.changed(INSTITUTION.members[0], changes)


def test_members_have_a_key_for_each_role_and_no_other():
    steward, approver, _, analyst = INSTITUTION.members
    keys = steward.keys
    everything = factories.Person("all").member("steward", "approver", "analyst")
    assert everything.keys.recipient
    for document, changes, match in [
        (steward, {"roles": ("steward", "approver")}, "the role approver and its key go together"),
        (steward, {"roles": ("approver",)}, "the role steward and its key go together"),
        (approver, {"keys": factories.changed(approver.keys, {"contract": "ab" * 32})}, "the role analyst and its key"),
        (analyst, {"keys": factories.changed(analyst.keys, {"recipient": None})}, "an analyst, and nobody else"),
        (
            steward,
            {"keys": factories.changed(keys, {"recipient": analyst.keys.recipient})},
            "an analyst, and nobody else",
        ),
        (steward, {"roles": ("steward", "steward")}, "a role is listed twice"),
        (steward, {"roles": ()}, "at least 1 item"),
    ]:
        refused(document, match, **changes)


def test_in_an_institution_nothing_stands_twice():
    steward, approver, second, _ = INSTITUTION.members
    match = "member ids are unique, and a key serves one use of one member"
    refused(INSTITUTION, match, members=(steward, steward))
    refused(INSTITUTION, match, members=(approver, factories.changed(approver, {"id": "other"})))
    refused(INSTITUTION, match, members=(member(keys=factories.changed(steward.keys, {"api": INSTITUTION.root})),))
    both = factories.changed(steward.keys, {"api": steward.keys.manifest})
    refused(INSTITUTION, match, members=(member(keys=both),))
    assert INSTITUTION.member("approver-2") == second
    assert INSTITUTION.member("nobody") is None


def test_a_recipe_maps_columns_of_its_own_slots_only():
    mapping = ColumnMapping(column="age", source="years")
    refused(RECIPE, "mappings are of the recipe's slots", mappings={"nowhere": (mapping,)})
    found = factories.changed(RECIPE, {"mappings": {RECIPE.slots[0]: (mapping,)}})
    assert found.mappings == {RECIPE.slots[0]: (mapping,)}


def test_recipes_and_contracts_list_nothing_twice():
    refused(RECIPE, "slots and outputs are unique", slots=("a", "a"))
    refused(RECIPE, "slots and outputs are unique", outputs=("a", "a"))
    refused(RECIPE, "parameters", parameters={"x": ()})
    refused(RECIPE, "parameters", parameters={"x": 1.5})
    refused(RECIPE, "parameters", parameters={"Not a name": 1})
    match = "slots, datasets and outputs are unique"
    first, second, third = CONTRACT.datasets
    refused(CONTRACT, match, datasets=(first, factories.changed(second, {"slot": first.slot}), third))
    refused(CONTRACT, match, datasets=(first, factories.changed(second, {"dataset": first.dataset}), third))
    refused(CONTRACT, match, outputs=CONTRACT.outputs * 2)
    output = CONTRACT.outputs[0]
    for changes in ({"recipients": output.recipients * 2}, {"labels": ("a", "a")}):
        refused(CONTRACT, "recipients and labels are unique", outputs=(factories.changed(output, changes),))


def test_owners_stand_once_in_the_order_of_the_slots():
    first, second, third = CONTRACT.datasets
    contract = factories.changed(
        CONTRACT, {"datasets": (third, first, factories.changed(second, {"owner": third.owner}))}
    )
    assert contract.owners == (third.owner, first.owner)


CLAIMS = RuntimeClaims(
    profile="clinical",
    run="01" * 16,
    contract="ab" * 32,
    nonces=(CustodianNonce(custodian="cd" * 32, nonce="ef" * 32),),
    encryption="AAAA",
    signing="12" * 32,
)
COLLATERAL = Collateral(
    pck_crl_issuer_chain="p",
    root_ca_crl="00",
    pck_crl="00",
    tcb_info_issuer_chain="p",
    tcb_info="{}",
    tcb_info_signature="00",
    qe_identity_issuer_chain="p",
    qe_identity="{}",
    qe_identity_signature="00",
)
EVIDENCE = Evidence(claims=CLAIMS, quote="AAAA", collateral=COLLATERAL)


def test_runtime_claims_are_bound_by_tag_and_canonical_form():
    text = canonical_bytes(CLAIMS.model_dump(mode="json"))
    assert CLAIMS.digest == hashlib.sha256(text).hexdigest()
    assert CLAIMS.report_data == hashlib.sha512(b"sealroom runtime claims v1\x00" + text).digest()
    assert factories.changed(CLAIMS, {"run": "02" * 16}).report_data != CLAIMS.report_data


@pytest.mark.parametrize("text", ["AB", "0", "zz", "a b0", ""])
def test_hex_of_collateral_is_lower_case_and_whole(text):
    refused(COLLATERAL, "root_ca_crl", root_ca_crl=text)


def bundle():
    outputs = (
        SealedOutput(output="cox", recipient="ab" * 32, sealed="AAAA"),
        SealedOutput(output="cox", recipient="cd" * 32, sealed="AAAA"),
    )
    return ResultBundle(
        study=STUDY.pack,
        evidence=EVIDENCE,
        releases=(STUDY.recipe.envelope, STUDY.recipe.envelope),  # any envelopes: a bundle's shape is tested here
        commits=(STUDY.contract.envelope,),
        receipt=STUDY.contract.envelope,
        outputs=outputs,
    )


def test_bundles_are_one_canonical_file():
    made = bundle()
    assert ResultBundle.from_bytes(made.to_bytes()) == made
    with pytest.raises(DocumentError, match=r"^CANONICAL: "):
        ResultBundle.from_bytes(made.to_bytes() + b"\n")


def test_a_receipt_lists_every_member_in_the_order_of_the_bundle():
    made = bundle()
    members = bundle_members(made.study, made.evidence, made.releases, made.commits)
    kinds = ["institution"] * 3 + ["manifest"] * 3 + ["recipe", "contract"] + ["approval"] * 3
    kinds += ["evidence", "release", "release", "commit"]
    assert [entry.kind for entry in members] == kinds
    by_kind = {entry.kind: entry.digest for entry in members}
    assert by_kind["recipe"] == hashlib.sha256(made.study.recipe.to_bytes()).hexdigest()
    assert by_kind["evidence"] == hashlib.sha256(canonical_bytes(EVIDENCE.model_dump(mode="json"))).hexdigest()
    assert members[0].digest == hashlib.sha256(made.study.institutions[0].to_bytes()).hexdigest()


def test_subjects_name_and_digest_each_sealed_output():
    made = bundle()
    subjects = output_subjects(made.outputs)
    assert [subject.name for subject in subjects] == ["cox/" + "ab" * 32, "cox/" + "cd" * 32]
    text = canonical_bytes({"output": "cox", "recipient": "ab" * 32, "sealed": "AAAA"})
    assert subjects[0].digest.sha256 == hashlib.sha256(text).hexdigest()
    assert subjects[0].digest != subjects[1].digest


def test_study_packs_hold_at_least_one_dataset():
    with pytest.raises(ValidationError, match="at least 1 item"):
        StudyPack(**{**STUDY.pack.__dict__, "manifests": ()})
