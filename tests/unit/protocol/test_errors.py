import pytest

from protocol import errors
from protocol.errors import FAMILIES, DocumentError, SealroomError, TransportError, from_problem


def test_an_error_says_code_and_detail():
    error = DocumentError("PART_DIGEST", "Part 3 is another one.")
    assert str(error) == "PART_DIGEST: Part 3 is another one."
    assert (error.code, error.detail) == ("PART_DIGEST", "Part 3 is another one.")


def test_problem_is_rfc_9457():
    assert DocumentError("PART_DIGEST", "Part 3.").problem() == {
        "type": "https://sealroom.dev/problems/part-digest",
        "title": "document",
        "status": 422,
        "code": "PART_DIGEST",
        "detail": "Part 3.",
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_survives_the_wire(family):
    error = FAMILIES[family]("SOME_CODE", "Some words.")
    again = from_problem(error.problem())
    assert type(again) is type(error)
    assert (again.code, again.detail) == (error.code, error.detail)


def test_families_are_all_and_tell_themselves_apart():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SealroomError)]
    assert set(FAMILIES.values()) == set(kinds) - {SealroomError}
    assert len({kind.exit_code for kind in kinds}) == len(kinds)
    assert min(kind.exit_code for kind in FAMILIES.values()) > 3  # 1 crash, 2 usage, 3 not pinned


@pytest.mark.parametrize(
    "problem",
    [
        None,
        "text",
        [],
        {},
        {"title": "document", "code": 7, "detail": "x"},
        {"title": "document", "code": "X"},
        {"title": "document", "code": "X", "detail": None},
        {"title": "weather", "code": "X", "detail": "x"},
        {"title": ["document"], "code": "X", "detail": "x"},
    ],
)
def test_what_is_no_problem_is_a_transport_error(problem):
    error = from_problem(problem)
    assert type(error) is TransportError
    assert error.code == "ANSWER_SHAPE"


def test_an_answer_cannot_flood_the_screen():
    error = from_problem({"title": "document", "code": "C" * 1000, "detail": "d" * 10_000})
    assert (len(error.code), len(error.detail)) == (64, 2000)
