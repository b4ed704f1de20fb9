"""What a condition is: name, words, the code of the refusal, and under which policy it is met.

A policy is the shipped ``appraisal.simulated.toml`` with some keys changed; keys are written as ``platform.smt``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attestation.simulator.platform import Conditions

__all__ = [
    "MEASUREMENT",
    "OLD_DATE",
    "OTHER",
    "PUBLISHER",
    "SHIPPED_STATUSES",
    "Changes",
    "ForgedCondition",
    "choice",
    "refused",
]

Changes = Mapping[str, Any]
"""Keys of the policy, and what they are instead of what the shipped one says."""
MEASUREMENT: Final = "5ea1" * 16
"""The measurement that forged evidence is expected to have."""
OTHER: Final = "0bad" * 16
"""A digest of nothing that is expected."""
SHIPPED_STATUSES: Final = ("UpToDate", "SWHardeningNeeded")
"""The TCB statuses that the shipped policy accepts."""
OLD_DATE: Final = "2023-02-15T00:00:00Z"
PUBLISHER: Final = Ed25519PrivateKey.from_private_bytes(b"sealroom simulated publisher key")
"""Signs forged withdrawal lists. Everybody knows this key: no policy may name it but to try one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgedCondition:
    """One condition.

    Parameters
    ----------
    name, words
        What it is called, and what it is.
    code
        The code that appraisal gives where the policy has ``refused_by``; None for evidence in good order.
    refused_by
        What the policy must say so that it refuses; empty where the shipped policy refuses.
    accepted_by
        What the policy must say so that it accepts; None where no policy can.
    platform
        The platform and its collateral.
    measurement, claims
        What differs from what the contract expects. With ``swapped`` the claims are exchanged after quoting.
    quote_from_elsewhere, collateral_from_elsewhere
        Whether another installation made them.
    withdrawn, list_expired, crl_seen
        What a withdrawal list of ``PUBLISHER`` names; whether that list is out of date; whether revocation lists
        with higher numbers were seen before.
    """

    name: str
    words: str
    code: str | None
    refused_by: Changes = field(default_factory=dict)
    accepted_by: Changes | None = None
    platform: Conditions = field(default_factory=Conditions)
    measurement: str = MEASUREMENT
    claims: Mapping[str, Any] = field(default_factory=dict)
    swapped: bool = False
    quote_from_elsewhere: bool = False
    collateral_from_elsewhere: bool = False
    withdrawn: Literal["measurement", "ppid", "fmspc", "advisory"] | None = None
    list_expired: bool = False
    crl_seen: bool = False


def refused(
    name: str,
    words: str,
    code: str,
    platform: Conditions | None = None,
    **more: Any,  # noqa: ANN401 - further fields, each typed there
) -> ForgedCondition:
    """Make a condition that the shipped policy refuses, unless ``refused_by`` says what a stricter one does."""
    return ForgedCondition(name=name, words=words, code=code, platform=platform or Conditions(), **more)


def choice(
    name: str,
    words: str,
    code: str,
    strict: Changes,
    platform: Conditions | None = None,
    **more: Any,  # noqa: ANN401 - as above
) -> ForgedCondition:
    """Make a condition that the shipped policy accepts and a stricter one refuses."""
    return refused(name, words, code, platform, refused_by=strict, accepted_by={}, **more)
