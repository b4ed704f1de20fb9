"""What an appraisal found, for people: each claim with what was wanted, and what to do about those refused."""

import textwrap
from collections.abc import Iterator
from typing import Any

from attestation.advice import advise, explain_advisory
from attestation.policy import AppraisalPolicy
from attestation.verdict import Check
from attestation.verifier import Examination

__all__ = ["explain_json", "explain_text"]

_WIDTH = 100
_VERDICTS = {"yes": "ok", "no": "REFUSED", "skipped": "left out"}


def explain_text(examination: Examination, policy: AppraisalPolicy) -> Iterator[str]:
    """Yield lines of at most 100 columns: the verdict, what is refused, advisories, what is left out, what holds."""
    result, failed = examination.result, examination.failed
    count = len(examination.checks)
    if result.simulated:
        yield "SIMULATED: no hardware stands behind this evidence; nothing kept its operator out."
    held = [item for item in examination.checks if item.holds == "yes"]
    verdict = (
        f"REFUSED: {len(failed)} of {count} claims do not hold" if failed else f"ACCEPTED: {len(held)} claims hold"
    )
    yield f"{verdict}, {count - len(failed) - len(held)} are left out; judged at {result.verified_at}."
    yield "No contract is at hand: that this is the agreed enclave, contract and run was not looked at."
    yield f"Platform {result.tcb_status}; the collateral is good until {result.collateral_expires}."
    if failed:
        yield from _head("Refused")
    for item in failed:
        yield f"  {item.claim}  [{item.code}]"
        shown = item.verdict()
        for name, text in (("found", shown.found), ("wanted", shown.wanted), ("do", advise(item))):
            yield from _wrapped(f"    {name:7}", text)
    if result.advisories:
        yield from _head("Advisories")
    for name in result.advisories:
        meaning, remedy, where = explain_advisory(name)
        yield f"  {name}  {_standing(name, policy)}{f': {meaning}' if meaning else ''}"
        yield from _wrapped("    do     ", remedy)
        yield f"    read   {where}"
    yield from _left_out(examination.checks)
    yield from _head(f"Holds ({len(held)})")
    for item in held:
        shown = item.verdict()
        said = shown.found if shown.found == shown.wanted else f"{shown.found} (wanted: {shown.wanted})"
        yield from _wrapped(f"  {item.claim:30} ", said)


def explain_json(examination: Examination, policy: AppraisalPolicy) -> dict[str, Any]:
    """Return the same as one JSON value."""
    result = examination.result
    return {
        "accepted": not examination.failed,
        **result.model_dump(mode="json", exclude={"claims", "advisories"}),
        "claims": [_claim(item) for item in examination.checks],
        "advisories": [
            dict(zip(("name", "standing", "meaning", "advice", "url"), fields, strict=True))
            for fields in ((name, _standing(name, policy), *explain_advisory(name)) for name in result.advisories)
        ],
    }


def _claim(item: Check) -> dict[str, str | None]:
    shown = item.verdict()
    return {
        "claim": item.claim,
        "found": shown.found,
        "wanted": shown.wanted,
        "verdict": _VERDICTS[item.holds],
        "code": item.code if item.holds == "no" else None,
        "advice": advise(item) if item.holds == "no" else None,
    }


def _standing(name: str, policy: AppraisalPolicy) -> str:
    accepted = policy.platform.advisories
    if accepted == "any":
        return "not looked at (the policy says any)"
    return "accepted by name" if name in accepted else "REFUSED"


def _left_out(checks: tuple[Check, ...]) -> Iterator[str]:
    """Say what was not checked: what people have to know as much as what was."""
    left_out = [item for item in checks if item.holds == "skipped"]
    yield from _head(f"Left out ({len(left_out)})")
    reasons = dict.fromkeys(item.wanted for item in left_out)
    for reason in reasons:
        yield from _wrapped("  ", f"{reason}:")
        for item in left_out:
            if item.wanted == reason:
                yield from _wrapped(f"   {item.claim:32} ", item.verdict().found)


def _head(words: str) -> Iterator[str]:
    yield ""
    yield words


def _wrapped(start: str, text: str) -> Iterator[str]:
    """Wrap a text under its own start; what is longer than a line is cut into lines."""
    yield from textwrap.wrap(
        text,
        width=_WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_on_hyphens=False,
    )
