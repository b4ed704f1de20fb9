"""An appraisal policy in words, and what a change of it accepts more or less.

Each key, or keys that work together, has one rule: how it is said, and whether one value lets evidence pass that
another refuses. From that question, asked both ways, follows what a change is: looser, stricter, both, or neither.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from attestation.policy import AppraisalPolicy, Endorser, Masked

__all__ = ["KEYS", "Effect", "PolicyChange", "describe_changes", "describe_policy"]

Effect = Literal["looser", "stricter", "both", "neither"]
_EFFECTS: Final[dict[tuple[bool, bool], Effect]] = {
    (True, False): "looser",
    (False, True): "stricter",
    (True, True): "both",
    (False, False): "neither",
}


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One change. ``looser`` accepts what was refused, ``stricter`` refuses what was accepted, ``both`` does both."""

    key: str
    effect: Effect
    sentence: str

    @property
    def accepts_more(self) -> bool:
        """Whether evidence passes that did not pass before."""
        return self.effect in {"looser", "both"}


@dataclass(frozen=True, slots=True)
class _Rule:
    """How the value of ``keys`` is said, and whether its first argument lets pass what its second refuses."""

    keys: tuple[str, ...]
    sentence: Callable[[Any], str]
    change: Callable[[Any, Any], str]
    wider: Callable[[Any, Any], bool]

    def value(self, policy: AppraisalPolicy) -> Any:  # noqa: ANN401 - each rule knows the type of its own value
        found = []
        for key in self.keys:
            value: Any = policy
            for step in key.split("."):
                value = getattr(value, step)
            found.append(value)
        return found[0] if len(found) == 1 else tuple(found)


def describe_policy(policy: AppraisalPolicy) -> list[str]:
    """Say in sentences what a policy accepts, in the order of its keys."""
    return [rule.sentence(rule.value(policy)) for rule in _RULES]


def describe_changes(old: AppraisalPolicy, new: AppraisalPolicy) -> list[PolicyChange]:
    """Say what differs between two policies, and whether the new one accepts more or less by it."""
    changes = []
    for rule in _RULES:
        before, after = rule.value(old), rule.value(new)
        if before != after:
            effect = _EFFECTS[rule.wider(after, before), rule.wider(before, after)]
            changes.append(PolicyChange(rule.keys[0], effect, rule.change(before, after)))
    return changes


def _list(key: str, what: str, everything: str, nothing: str) -> _Rule:
    """Make the rule of accepted names, or any."""

    def sentence(value: str | tuple[str, ...]) -> str:
        return everything if value == "any" else f"Accepted {what}: {', '.join(value)}." if value else nothing

    def change(old: str | tuple[str, ...], new: str | tuple[str, ...]) -> str:
        if "any" in (old, new):
            return f"Before: {sentence(old)} Now: {sentence(new)}"
        return f"Accepted {what}: {_difference(old, new)}."

    def wider(one: str | tuple[str, ...], other: str | tuple[str, ...]) -> bool:
        return other != "any" and (one == "any" or bool(set(one) - set(other)))

    return _Rule((key,), sentence, change, wider)


def _least(key: str, what: str) -> _Rule:
    """Make the rule of a least number or date; ``any`` and 0 leave it out."""

    def shown(value: str | int) -> str:
        return str(value) if _bound(value) else "left out"

    def sentence(value: str | int) -> str:
        return f"The {what} is at least {shown(value)}." if _bound(value) else f"The {what} is not looked at."

    return _Rule((key,), sentence, _moved(f"The least {what}", shown), lambda one, other: _bound(one) < _bound(other))


def _bound(value: str | int) -> str:
    return "" if value in {"any", 0} else value if isinstance(value, str) else f"{value:012}"


def _age(key: str, what: str) -> _Rule:
    def shown(value: int) -> str:
        return f"{value} days"

    return _Rule(
        (key,),
        lambda value: f"The {what} is at most {shown(value)} old.",
        _moved(f"The greatest age of the {what}", shown),
        lambda one, other: one > other,
    )


def _exact(key: str, what: str) -> _Rule:
    def shown(value: str | int) -> str:
        return f"all zeros ({len(value) // 2} bytes)" if isinstance(value, str) and not value.strip("0") else str(value)

    return _Rule(
        (key,),
        lambda value: f"The {what} is {shown(value)}.",
        _moved(f"The {what}", shown),
        lambda one, other: bool(one != other),
    )


def _bits(key: str, what: str) -> _Rule:
    def shown(value: Masked) -> str:
        return f"{value.value} under the mask {value.mask}" if value.looked_at else "left out"

    def wider(one: Masked, other: Masked) -> bool:
        narrower = not other.looked_at & ~one.looked_at and one.wanted & other.looked_at == other.wanted
        return not narrower

    return _Rule((key,), lambda value: f"The {what}: {shown(value)}.", _moved(f"The {what}", shown), wider)


def _flag(key: str, what: str) -> _Rule:
    def sentence(value: str) -> str:
        return f"A platform may have {what}." if value == "any" else f"No platform may have {what}, or leave it unsaid."

    return _Rule((key,), sentence, _said_anew(sentence), lambda one, other: one == "any" and other != "any")


def _moved(what: str, shown: Callable[[Any], str]) -> Callable[[Any, Any], str]:
    return lambda old, new: f"{what} was {shown(old)} and is now {shown(new)}."


def _said_anew(sentence: Callable[[Any], str]) -> Callable[[Any, Any], str]:
    return lambda old, new: f"Before: {sentence(old)} Now: {sentence(new)}"


def _difference(old: Iterable[str], new: Iterable[str]) -> str:
    added, taken = [name for name in new if name not in old], [name for name in old if name not in new]
    parts = [f"added {', '.join(added)}"] * bool(added) + [f"taken away {', '.join(taken)}"] * bool(taken)
    return "; ".join(parts) or "in another order"


def _simulation(value: bool) -> str:  # noqa: FBT001 - the policy's own value
    if value:
        return "A SIMULATED platform is accepted: nothing keeps its operator out."
    return "Hardware only: no simulated platform is accepted."


_Endorsed = tuple[int, tuple[Endorser, ...]]


def _endorsed(value: _Endorsed) -> str:
    wanted, endorsers = value
    if not wanted:
        return "Nobody needs to have rebuilt the enclave."
    names = ", ".join(f"{endorser.institution} ({endorser.key[:16]})" for endorser in endorsers)
    return f"At least {wanted} of these must have rebuilt the enclave: {names}."


def _easier_to_endorse(one: _Endorsed, other: _Endorsed) -> bool:
    """Whether some set of endorsements is enough for ``one`` and not for ``other``: the set that helps other least."""
    (wanted, endorsers), (needed, others) = one, other
    only_here = len(set(endorsers) - set(others))
    return needed > max(0, wanted - only_here)


def _publishers(value: tuple[str, ...]) -> str:
    if not value:
        return "No withdrawal list is obeyed."
    return f"A withdrawal list in date of each of these must be at hand, and is obeyed: {', '.join(value)}."


_RULES: Final = (
    _Rule(("simulation",), _simulation, _said_anew(_simulation), lambda one, other: one and not other),
    _list(
        "reference_values.measurements",
        "measurements",
        "Any measurement is accepted that the contract names.",
        "No measurement is accepted: all evidence is refused.",
    ),
    _Rule(
        ("reference_values.endorsements_wanted", "reference_values.endorsers"),
        _endorsed,
        _said_anew(_endorsed),
        _easier_to_endorse,
    ),
    _Rule(
        ("reference_values.withdrawal_publishers",),
        _publishers,
        lambda old, new: f"Publishers of withdrawal lists that are obeyed: {_difference(old, new)}.",
        lambda one, other: bool(set(other) - set(one)),
    ),
    _list(
        "platform.hardware_roots",
        "root certificates",
        "Any root certificate is accepted that is pinned.",
        "No root certificate is accepted: all evidence is refused.",
    ),
    _list("platform.tcb_statuses", "TCB statuses", "", "No TCB status is accepted: all evidence is refused."),
    _least("platform.minimum_tcb_date", "date of the platform's TCB level"),
    _list(
        "platform.advisories",
        "security advisories",
        "Any security advisory may be open on the platform.",
        "No security advisory may be open on the platform.",
    ),
    _list(
        "platform.fmspcs",
        "families of processors",
        "Any family of processors is accepted.",
        "No family of processors is accepted: all evidence is refused.",
    ),
    _list(
        "platform.ppids",
        "platforms",
        "Any platform is accepted: whoever extracted the key of one signs what they like.",
        "No platform is accepted: all evidence is refused.",
    ),
    _exact("platform.qe_vendor_id", "vendor of the quoting enclave"),
    _least("platform.minimum_tcb_evaluation", "TCB evaluation number"),
    _least("platform.minimum_qe_evaluation", "QE evaluation number"),
    _least("platform.minimum_pck_crl_number", "number of the PCK revocation list"),
    _least("platform.minimum_root_crl_number", "number of the root's revocation list"),
    _flag("platform.smt", "simultaneous multithreading"),
    _flag("platform.dynamic_platform", "packages that can be added (dynamic platform)"),
    _flag("platform.cached_keys", "keys that Intel's registration service keeps (cached keys)"),
    _bits("enclave.attributes", "attributes of the enclave"),
    _bits("enclave.xfrm", "extended features of the enclave (XFRM)"),
    _bits("enclave.miscselect", "miscellaneous select of the enclave"),
    _exact("enclave.isv_prod_id", "product id of the enclave"),
    _least("enclave.minimum_isv_svn", "security version of the enclave"),
    _exact("enclave.config_svn", "configuration version of the enclave"),
    _exact("enclave.config_id", "configuration id of the enclave"),
    _exact("enclave.isv_ext_prod_id", "extended product id of the enclave"),
    _exact("enclave.isv_family_id", "family id of the enclave"),
    _age("collateral_age_days.tcb_info", "TCB information"),
    _age("collateral_age_days.qe_identity", "identity of the quoting enclave"),
    _age("collateral_age_days.pck_crl", "PCK revocation list"),
    _age("collateral_age_days.root_ca_crl", "root's revocation list"),
)
KEYS: Final = tuple(key for rule in _RULES for key in rule.keys)
"""Every key that is said, as ``platform.smt``."""
