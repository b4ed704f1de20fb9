"""Conditions of certificates, revocation lists and signed collateral."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from attestation.simulator.forge.condition import ForgedCondition, choice, refused
from attestation.simulator.platform import Conditions

__all__ = ["certificates", "collateral"]

_DAY: Final = timedelta(days=1)
_HIGHEST: Final = 2**32 - 1
_ITEMS: Final = {
    "tcb_info": "TCB information",
    "qe_identity": "QE identity",
    "pck_crl": "PCK CRL",
    "root_ca_crl": "root CRL",
}


def certificates() -> Iterable[ForgedCondition]:
    """Yield certificates out of date, misnamed, revoked or used for what they are not for."""
    for name, words, code in (
        ("root", "root certificate", "ROOT_EXPIRED"),
        ("intermediate", "certificate of the platform CA", "PCK_CHAIN"),
        ("pck", "platform's certificate", "PCK_CHAIN"),
        ("tcb_signing", "certificate that signs collateral", "COLLATERAL_SIGNER"),
    ):
        short = name.replace("_", "-")
        yield refused(f"{short}-expired", f"The {words} is out of date.", code, Conditions(expired=(name,)))
        yield refused(f"{short}-early", f"The {words} is not valid yet.", code, Conditions(early=(name,)))
        if name != "root":  # a root of another name is no simulated root at all
            yield refused(
                f"{short}-misnamed",
                f"The {words} has a name that stands for nothing.",
                code,
                Conditions(misnamed=(name,)),
            )
            by = Conditions(revoked=True) if name == "pck" else Conditions(revoked_by_root=(name,))
            yield refused(f"{short}-revoked", f"The {words} is revoked.", "REVOKED", by)
    for words, conditions in (
        ("TCB information", Conditions(tcb_signer="pck")),
        ("QE identity", Conditions(qe_signer="pck")),
    ):
        name = f"pck-signs-{words.lower().replace(' ', '-')}"
        yield refused(name, f"A platform's key signed the {words}.", "COLLATERAL_FORMAT", conditions)


def collateral() -> Iterable[ForgedCondition]:
    """Yield items that are expired, too old or of the future, and revocation lists that go back."""
    for item, words in _ITEMS.items():
        name = item.replace("_", "-")
        for state, code, days in (("expired", "COLLATERAL_EXPIRED", -40), ("future", "COLLATERAL_FUTURE", 3)):
            shifted = Conditions(shifts={item: days * _DAY})
            yield refused(f"{name}-{state}", f"The {words} is {'of the ' * (days > 0)}{state}.", code, shifted)
        yield choice(
            f"{name}-old",
            f"The {words} is 20 days old and still valid.",
            "COLLATERAL_AGE",
            {f"collateral_age_days.{item}": 7},
            Conditions(shifts={item: -20 * _DAY}),
        )
    yield refused("crl-without-number", "The CRLs have no number.", "CRL_NUMBER", Conditions(crl_numbers=False))
    yield refused(
        "crl-number-long", "The CRLs' numbers exceed 32 bits.", "CRL_NUMBER", Conditions(crl_number_shift=2**40)
    )
    for key, words in (("minimum_pck_crl_number", "PCK CRL"), ("minimum_root_crl_number", "root CRL")):
        yield choice(
            f"{words.lower().replace(' ', '-')}-below-floor",
            f"The {words}'s number is below the policy's floor.",
            "CRL_ROLLBACK",
            {f"platform.{key}": _HIGHEST},
        )
    yield refused("crl-gone-back", "CRLs with higher numbers were seen before.", "CRL_ROLLBACK", crl_seen=True)
    yield refused(
        "collateral-from-elsewhere",
        "The collateral is that of another installation.",
        "CRL_ISSUER",
        collateral_from_elsewhere=True,
    )
