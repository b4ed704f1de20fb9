"""Policies in words: each key is said, and each change is judged as the appraisal would judge evidence."""

from itertools import chain, combinations, product

import attested
import pytest

from attestation.policy import AppraisalPolicy, Endorser, Masked
from attestation.policy_words import KEYS, describe_changes, describe_policy
from protocol.types import Document

HARDWARE, SIMULATED = attested.policy("appraisal.toml"), attested.policy()
KEY = "5e" * 32
TURNED = {"looser": "stricter", "stricter": "looser", "both": "both", "neither": "neither"}


def leaves(kind, prefix=""):
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Document) and inner is not Masked:
            yield from leaves(inner, f"{prefix}{name}.")
        else:
            yield prefix + name


def put(policy, key, value):
    """Return a policy with one key changed, unvalidated."""
    *tables, last = key.split(".")
    if not tables:
        return policy.model_copy(update={last: value})
    return policy.model_copy(update={tables[0]: getattr(policy, tables[0]).model_copy(update={last: value})})


def test_every_key_is_said_but_the_version():
    assert sorted(KEYS) == sorted(set(leaves(AppraisalPolicy)) - {"version"})
    assert len(describe_policy(HARDWARE)) == len(KEYS) - 1  # the endorsers and how many of them are one sentence


def test_the_shipped_policies_in_words():
    said = describe_policy(HARDWARE)
    assert said[0] == "Hardware only: no simulated platform is accepted."
    assert "Any measurement is accepted that the contract names." in said
    assert "Accepted TCB statuses: UpToDate, SWHardeningNeeded." in said
    assert "No security advisory may be open on the platform." in said
    assert "The TCB evaluation number is at least 20." in said
    assert "The number of the PCK revocation list is not looked at." in said
    assert "The attributes of the enclave: 0x5 under the mask 0xfffffffffffffb7f." in said
    assert "The configuration id of the enclave is all zeros (64 bytes)." in said
    assert "The TCB information is at most 30 days old." in said
    assert describe_policy(SIMULATED)[0].startswith("A SIMULATED platform is accepted")


def test_the_same_policy_has_no_changes():
    assert describe_changes(HARDWARE, HARDWARE) == []


@pytest.mark.parametrize(
    ("key", "old", "new", "effect", "words"),
    [
        ("simulation", False, True, "looser", "Now: A SIMULATED platform is accepted"),
        ("reference_values.measurements", "any", ("aa" * 32,), "stricter", "Now: Accepted measurements: aaaa"),
        ("reference_values.measurements", ("aa" * 32,), (), "stricter", "taken away aaaa"),
        ("reference_values.measurements", (), ("aa" * 32,), "looser", "added aaaa"),
        ("reference_values.measurements", "any", (), "stricter", "No measurement is accepted: all evidence is refused"),
        ("platform.ppids", ("aa" * 16,), ("bb" * 16,), "both", f"added {'bb' * 16}; taken away {'aa' * 16}"),
        ("platform.tcb_statuses", ("UpToDate",), ("UpToDate", "OutOfDate"), "looser", "added OutOfDate."),
        ("platform.tcb_statuses", ("UpToDate", "OutOfDate"), ("OutOfDate", "UpToDate"), "neither", "another order"),
        ("platform.advisories", (), ("INTEL-SA-00615",), "looser", "added INTEL-SA-00615"),
        ("platform.minimum_tcb_date", "any", "2024-03-13T00:00:00Z", "stricter", "was left out and is now 2024-03"),
        ("platform.minimum_tcb_date", "2024-03-13T00:00:00Z", "2023-12-31T00:00:00Z", "looser", "is now 2023-12-31"),
        ("platform.minimum_tcb_evaluation", 9, 10, "stricter", "was 9 and is now 10"),
        ("platform.minimum_qe_evaluation", 20, 0, "looser", "was 20 and is now left out"),
        ("platform.minimum_pck_crl_number", "any", 0, "neither", "was left out and is now left out"),
        ("platform.minimum_root_crl_number", 2**32 - 1, 99_999, "looser", "is now 99999"),
        ("platform.qe_vendor_id", "00" * 16, "11" * 16, "both", f"all zeros (16 bytes) and is now {'11' * 16}"),
        ("platform.smt", "any", "off", "stricter", "No platform may have simultaneous multithreading"),
        ("enclave.isv_prod_id", 0, 7, "both", "was 0 and is now 7"),
        ("enclave.minimum_isv_svn", 3, 2, "looser", "was 3 and is now 2"),
        ("enclave.xfrm", Masked(mask="0x3", value="0x3"), Masked(mask="0x0", value="0x0"), "looser", "now left out"),
        ("collateral_age_days.pck_crl", 30, 31, "looser", "was 30 days and is now 31 days"),
        ("reference_values.withdrawal_publishers", (), (KEY,), "stricter", f"added {KEY}"),
        ("reference_values.withdrawal_publishers", (KEY,), (), "looser", f"taken away {KEY}"),
    ],
)
def test_a_change_is_said_and_judged(key, old, new, effect, words):
    [change] = describe_changes(put(HARDWARE, key, old), put(HARDWARE, key, new))
    assert (change.key, change.effect) == (key, effect)
    assert words in change.sentence
    assert change.accepts_more == (effect in {"looser", "both"})
    [back] = describe_changes(put(HARDWARE, key, new), put(HARDWARE, key, old))
    assert back.effect == TURNED[effect]


def test_lists_in_words():
    obeyed = put(HARDWARE, "reference_values.withdrawal_publishers", (KEY,))
    assert f"and is obeyed: {KEY}." in "".join(describe_policy(obeyed))
    asked = endorsed(1, "ab")
    assert "At least 1 of these must have rebuilt the enclave: a (aaaaaaaaaaaaaaaa), b (bbbb" in "".join(
        describe_policy(asked)
    )


def endorsed(wanted, names):
    endorsers = tuple(Endorser(institution=name, key=name * 64) for name in names)
    return put(put(HARDWARE, "reference_values.endorsers", endorsers), "reference_values.endorsements_wanted", wanted)


RULES = [(wanted, names) for names in ("", "a", "ab", "bc", "abc") for wanted in range(len(names) + 1)]
EVERY_SET = [set(some) for some in chain.from_iterable(combinations("abc", count) for count in range(4))]


@pytest.mark.parametrize(("old", "new"), list(product(RULES, repeat=2)))
def test_endorsers_and_their_number_are_judged_together(old, new):
    """By trying every set of institutions that may have endorsed."""

    def enough(rule):
        return [len(some & set(rule[1])) >= rule[0] for some in EVERY_SET]

    looser = any(now and not before for now, before in zip(enough(new), enough(old), strict=True))
    stricter = any(before and not now for now, before in zip(enough(new), enough(old), strict=True))
    changes = describe_changes(endorsed(*old), endorsed(*new))
    expected = {(1, 0): "looser", (0, 1): "stricter", (1, 1): "both", (0, 0): "neither"}[looser, stricter]
    assert [change.effect for change in changes] == ([expected] if old != new else [])


MASKS = [(mask, value) for mask in range(4) for value in range(4) if value & ~mask == 0]


@pytest.mark.parametrize(("old", "new"), list(product(MASKS, repeat=2)))
def test_masks_are_judged_by_what_they_hold(old, new):
    """By trying every number."""
    first, second = (Masked(mask=f"{mask:#x}", value=f"{value:#x}") for mask, value in (old, new))
    looser = any(second.holds(found) and not first.holds(found) for found in range(4))
    stricter = any(first.holds(found) and not second.holds(found) for found in range(4))
    changes = describe_changes(put(HARDWARE, "enclave.xfrm", first), put(HARDWARE, "enclave.xfrm", second))
    expected = {(1, 0): "looser", (0, 1): "stricter", (1, 1): "both"}.get((looser, stricter), "neither")
    assert [change.effect for change in changes] == ([expected] if old != new else [])
