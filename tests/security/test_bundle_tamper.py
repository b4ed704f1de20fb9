"""Nobody but the enclave can change a bundle: any byte, any member, any order."""

import random

import factories
import factories_bundle
import pytest

from attestation.simulator.pki import create_keys
from protocol.canonical import canonical_bytes, parse_canonical
from sealroom.verification import VerificationFailed, verify_bundle

SAMPLE = 300


@pytest.fixture(scope="module")
def small():
    return factories_bundle.make_bundle(small=True)


@pytest.fixture(scope="module")
def made():
    return factories_bundle.make_bundle(outputs={name: factories_bundle.LUNG[name] for name in ("cox", "log-rank")})


@pytest.fixture(scope="module")
def other(made):
    """Another run of the same contract."""
    outputs = {name: factories_bundle.LUNG[name] for name in ("cox", "log-rank")}
    return factories_bundle.make_bundle(made.study, outputs=outputs)


def refuse(made, data, trust=None):
    with pytest.raises(VerificationFailed) as caught:
        verify_bundle(data, trust or made.trust, now=made.now)
    assert caught.value.code == caught.value.checks[-1].code
    return caught.value


def flip(data, position, mask):
    return data[:position] + bytes([data[position] ^ mask]) + data[position + 1 :]


def exit_code(made, data):
    """Verify many variants without keeping their tracebacks; 0 where one verifies."""
    try:
        verify_bundle(data, made.trust, now=made.now)
    except VerificationFailed as error:
        return error.exit_code
    return 0


REFUSED = {4, 5, 6}  # a document, the evidence or somebody's right is wrong: never 0, never only a missing pin


def test_the_bundles_verify_before_they_are_tampered_with(small, made, other):
    for bundle in (small, made, other):
        assert verify_bundle(bundle.data, bundle.trust, now=bundle.now).run == bundle.receipt.predicate.run


def test_a_flipped_byte_is_refused_at_sampled_positions(small):
    data, chance = small.data, random.Random()
    positions = {0, 1, len(data) - 2, len(data) - 1, *chance.sample(range(len(data)), SAMPLE)}
    for position in positions:
        mask = chance.randrange(1, 256)
        assert exit_code(small, flip(data, position, mask)) in REFUSED, (position, mask)


def test_a_flipped_byte_is_refused_all_over_the_documents(small):
    """Documents are a small part of the bytes; here only they, at even distances, so that all are met."""
    data = small.data
    sealed = small.parts.outputs[0].sealed.encode()
    start = data.index(sealed)
    places = [place for place in range(len(data)) if not start <= place < start + len(sealed)]
    for position in places[random.randrange(101) :: 101]:
        assert exit_code(small, flip(data, position, 1)) in REFUSED, position


@pytest.mark.slow
@pytest.mark.parametrize("mask", [0x01, 0x20])
def test_a_flipped_byte_is_refused_at_every_position(small, mask):
    data = small.data
    for position in range(len(data)):
        assert exit_code(small, flip(data, position, mask)) in REFUSED, position


def edit(made, change):
    """Change the bundle as a plain value and write it canonically: what anybody could do."""
    value = parse_canonical(made.data, limit=2**30)
    change(value)
    return canonical_bytes(value)


def drop(*path):
    def change(value):
        for step in path[:-1]:
            value = value[step]
        del value[path[-1]]

    return change


def repeat(*path):
    def change(value):
        for step in path:
            value = value[step]
        value.append(value[0])

    return change


def swap(*path):
    def change(value):
        for step in path:
            value = value[step]
        value[0], value[1] = value[1], value[0]

    return change


REMOVED = {
    "institution": (drop("study", "institutions", 2), "MEMBERS"),
    "manifest": (drop("study", "manifests", 0), "MEMBERS"),
    "approval": (drop("study", "approvals", 1), "MEMBERS"),
    "release": (drop("releases", 1), "MEMBERS"),
    "only commit": (drop("commits", 0), "DOCUMENT"),
    "output": (drop("outputs", 3), "SUBJECTS"),
    "evidence": (drop("evidence"), "DOCUMENT"),
    "receipt": (drop("receipt"), "DOCUMENT"),
}
REPEATED = {
    "institution": (repeat("study", "institutions"), "MEMBERS"),
    "manifest": (repeat("study", "manifests"), "MEMBERS"),
    "approval": (repeat("study", "approvals"), "MEMBERS"),
    "release": (repeat("releases"), "MEMBERS"),
    "commit": (repeat("commits"), "MEMBERS"),
    "output": (repeat("outputs"), "SUBJECTS"),
}
REORDERED = {
    "institutions": (swap("study", "institutions"), "MEMBERS"),
    "manifests": (swap("study", "manifests"), "MEMBERS"),
    "approvals": (swap("study", "approvals"), "MEMBERS"),
    "releases": (swap("releases"), "MEMBERS"),
    "outputs": (swap("outputs"), "SUBJECTS"),
}


@pytest.mark.parametrize(("change", "code"), REMOVED.values(), ids=REMOVED)
def test_a_removed_member_is_refused(made, change, code):
    assert refuse(made, edit(made, change)).code == code


@pytest.mark.parametrize(("change", "code"), REPEATED.values(), ids=REPEATED)
def test_a_repeated_member_is_refused(made, change, code):
    assert refuse(made, edit(made, change)).code == code


@pytest.mark.parametrize(("change", "code"), REORDERED.values(), ids=REORDERED)
def test_reordered_members_are_refused(made, change, code):
    assert refuse(made, edit(made, change)).code == code


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (("evidence",), "SIGNATURE"),
        (("releases",), "MEMBERS"),
        (("commits",), "MEMBERS"),
        (("receipt",), "SIGNATURE"),
        (("outputs",), "SUBJECTS"),
        (("releases", 0), "MEMBERS"),
        (("outputs", 0), "SUBJECTS"),
        (("evidence", "quote"), "MEMBERS"),
        (("evidence", "collateral", "tcb_info_signature"), "MEMBERS"),
        (("evidence", "claims", "nonces"), "MEMBERS"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else value,
)
def test_members_swapped_between_two_runs_of_one_contract_are_refused(made, other, path, code):
    foreign = parse_canonical(other.data, limit=2**30)
    for step in path:
        foreign = foreign[step]

    def change(value):
        for step in path[:-1]:
            value = value[step]
        assert value[path[-1]] != foreign
        value[path[-1]] = foreign

    assert refuse(made, edit(made, change)).code == code


def test_everything_but_the_outputs_of_another_run_is_refused(made, other):
    data = edit(other, lambda value: value.update(outputs=parse_canonical(made.data, limit=2**30)["outputs"]))
    assert refuse(made, data).code == "SUBJECTS"


def test_a_receipt_by_another_enclaves_key_is_refused(made, other):
    assert refuse(made, made.again(key=other.signing).data).code == "SIGNATURE"


def test_a_field_that_nobody_defined_is_refused(made):
    assert refuse(made, edit(made, lambda value: value.update(note="trust me"))).code == "DOCUMENT"


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"[" * 100_000, b"\x00" * 100, b'{"version":1,"version":1}'])
def test_what_is_no_bundle_is_refused(made, data):
    assert refuse(made, data).code in {"JSON", "DOCUMENT", "CANONICAL"}


def test_another_spelling_of_the_same_bundle_is_refused(made):
    assert refuse(made, made.data + b"\n").code == "CANONICAL"
    assert refuse(made, made.data.replace(b'"version":1}', b'"version":1 }')).code == "CANONICAL"


def test_a_self_made_world_is_unanchored_under_other_pins(made):
    """The same words, all keys the forger's own: consistent in itself, and worth nothing."""
    forged = factories_bundle.make_bundle(
        outputs={name: factories_bundle.LUNG[name] for name in ("cox", "log-rank")},
        keys=create_keys(factories.NOW - factories.DAY),
    )
    verify_bundle(forged.data, forged.trust, now=forged.now)
    with pytest.raises(VerificationFailed) as caught:
        verify_bundle(forged.data, made.trust, now=made.now)
    error = caught.value
    assert (error.code, error.exit_code) == ("UNANCHORED", 3)
    unanchored = {check.title for check in error.checks if check.status == "unanchored"}
    assert unanchored == {"Institutions", "Custodians", "Time", "Evidence", "Platform"}
    assert len(error.checks) == 16
