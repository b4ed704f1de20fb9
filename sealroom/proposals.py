"""Proposing a contract: a recipe, exact datasets, one measurement, the owners' terms, recipients for each output."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from protocol.documents.dataset import DatasetManifest
from protocol.documents.institution import Institution
from protocol.documents.receipt import StudyPack
from protocol.documents.study import Contract
from protocol.dsse import Verified, sign
from protocol.errors import AccessDenied, DocumentError
from protocol.governance import require_current, verify_proposal
from protocol.presets import strictest
from protocol.types import Key, decode_base64
from sealroom.local_enclave import Plan
from sealroom.party import Party
from sealroom.recipe_files import RecipeDraft
from sealroom.recipes import check_recipe, sign_ready
from sealroom.times import in_days, now
from sealroom.trust import Trust
from sealroom.typed import typed

__all__ = ["Proposal", "parse_pairs", "propose"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an analyst wants.

    ``recipients`` maps an output to INSTITUTION/MEMBER; an output that is not there goes to every analyst of every
    owner. ``measurement`` None takes the pinned one.
    """

    recipe: RecipeDraft
    datasets: Mapping[str, Verified[DatasetManifest]]
    recipients: Mapping[str, Sequence[str]]
    purpose: str
    title: str
    days: int
    max_runs: int
    simulation: bool
    measurement: str | None = None


def parse_pairs(pairs: Sequence[str], what: str) -> dict[str, list[str]]:
    """Read ``NAME=VALUE`` options; a name may come several times."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise DocumentError("OPTION", f"{what} is written NAME=VALUE, found {pair!a}.")
        found.setdefault(name, []).append(value)
    return found


def propose(
    proposal: Proposal, party: Party, trust: Trust, institutions: Mapping[Key, Verified[Institution]]
) -> tuple[StudyPack, Plan]:
    """Check everything that is decidable now and sign recipe and contract.

    Raises
    ------
    AnalysisError
        What the analysis finds in the schemas.
    AccessDenied
        What the owners' terms do not allow; ``MEASUREMENT`` where none, or several, are pinned.
    """
    planned = check_recipe(
        proposal.recipe,
        proposal.datasets,
        institutions,
        simulation=proposal.simulation,
        max_runs=proposal.max_runs,
        at=datetime.now(UTC),
    )
    key = party.signing_key("analyst")
    recipe = sign(sign_ready(proposal.recipe, author=party.root, analyst=party.member.id), key)
    manifests = [proposal.datasets[slot] for slot in proposal.recipe.slots]
    owners = tuple(dict.fromkeys(manifest.document.owner for manifest in manifests))
    by_slot = {slot: manifest.document.owner for slot, manifest in proposal.datasets.items()}
    recipients = _recipients(proposal, planned, by_slot, institutions)
    terms = [manifest.document.policy for manifest in manifests]
    fields = {
        "title": proposal.title,
        "purpose": proposal.purpose,
        "proposer": party.root,
        "analyst": party.member.id,
        "created": now(),
        # A contract cannot outlive the owners' terms.
        "expires": min([in_days(proposal.days), *(policy.expires for policy in terms)]),
        "salt": secrets.token_hex(32),
        "recipe": recipe.name,
        "datasets": [
            {"slot": slot, "dataset": manifest.name, "owner": manifest.document.owner}
            for slot, manifest in zip(proposal.recipe.slots, manifests, strict=True)
        ],
        "profile": planned.profile,
        "measurement": _measurement(proposal, trust, planned.profile),
        "simulation": proposal.simulation,
        "preset": strictest(policy.preset for policy in terms),
        "max_runs": proposal.max_runs,
        "outputs": [
            {
                "output": output.output,
                "type": output.type,
                "labels": list(output.labels),
                "recipients": recipients[output.output],
            }
            for output in planned.outputs
        ],
    }
    contract = sign(typed(Contract, fields, where="contract"), key)
    parties = dict.fromkeys([party.root, *owners, *(r["institution"] for rs in recipients.values() for r in rs)])
    pack = StudyPack(
        institutions=tuple(institutions[root].envelope for root in parties),
        manifests=tuple(manifest.envelope for manifest in manifests),
        recipe=recipe.envelope,
        contract=contract.envelope,
        approvals=(),
    )
    require_current(verify_proposal(pack), datetime.now(UTC))
    return pack, planned


def _measurement(proposal: Proposal, trust: Trust, profile: str) -> str:
    pinned = trust.measured(profile)
    if proposal.measurement is not None and proposal.measurement in pinned:
        return proposal.measurement
    if proposal.measurement is not None or len(pinned) != 1:
        raise AccessDenied(
            "MEASUREMENT",
            f"{len(pinned)} measurements of profile {profile} are pinned; pin one with `sealroom trust "
            "add-measurement` or name a pinned one with --measurement.",
        )
    return pinned[0]


def _recipients(
    proposal: Proposal, planned: Plan, owners: Mapping[str, Key], institutions: Mapping[Key, Verified[Institution]]
) -> dict[str, list[dict[str, str]]]:
    known = {output.output for output in planned.outputs}
    for name in proposal.recipients:
        if name not in known:
            raise DocumentError("OUTPUTS", f"There is no output {name}; the recipe has {', '.join(sorted(known))}.")
    everybody = [
        _recipient(root, institutions[root].document, member.id)
        for root in dict.fromkeys(owners[slot] for slot in proposal.recipe.slots)
        for member in institutions[root].document.members
        if "analyst" in member.roles
    ]
    by_short = {institution.document.short: root for root, institution in institutions.items()}
    found = {}
    for output in planned.outputs:
        named, only = proposal.recipients.get(output.output), output.only(owners)
        chosen = everybody if named is None else [_named(by_short, institutions, who) for who in named]
        mine = [recipient for recipient in chosen if only in {None, recipient["institution"]}]
        if not mine or (named is not None and len(mine) < len(chosen)):
            short = institutions[only].document.short if only else "an owner"
            raise AccessDenied(
                "RECIPIENT",
                f"{output.output} is about {short}'s data alone: only their analysts may receive it.",
            )
        found[output.output] = mine
    return found


def _named(by_short: Mapping[str, Key], institutions: Mapping[Key, Verified[Institution]], who: str) -> dict[str, str]:
    short, _, member = who.partition("/")
    if short not in by_short:
        raise AccessDenied("RECIPIENT", f"No pinned institution is called {short}; there is {', '.join(by_short)}.")
    return _recipient(by_short[short], institutions[by_short[short]].document, member)


def _recipient(root: Key, institution: Institution, identifier: str) -> dict[str, str]:
    member = institution.member(identifier)
    if member is None or member.keys.recipient is None:
        raise AccessDenied("RECIPIENT", f"{institution.short} has no analyst {identifier!a}; recipients are analysts.")
    digest = hashlib.sha256(decode_base64(member.keys.recipient)).hexdigest()
    return {"institution": root, "member": identifier, "key": digest}
