"""Conditions of the enclave, of who vouches for its code, of the root and of the session."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from attestation.simulator.forge.condition import OTHER, PUBLISHER, ForgedCondition, choice, refused
from attestation.simulator.platform import Conditions, EnclaveShape
from protocol.documents import CustodianNonce
from protocol.dsse import public_key

__all__ = ["enclave", "references", "roots_and_session"]

_OTHER_NONCE: Final = CustodianNonce(custodian=OTHER, nonce=OTHER)


def enclave() -> Iterable[ForgedCondition]:
    """Yield what hardware can report of an enclave beside its measurement."""
    for name, words, flags, code in (
        ("debug", "can be debugged: its operator reads its memory", 0x07, "DEBUG"),
        ("not-initialised", "is not initialised", 0x04, "ATTRIBUTES"),
        ("not-64-bit", "is not a 64-bit enclave", 0x01, "ATTRIBUTES"),
        ("provision-key", "may use the provisioning key", 0x15, "ATTRIBUTES"),
        ("launch-key", "may use the launch key", 0x25, "ATTRIBUTES"),
    ):
        yield refused(name, f"The enclave {words}.", code, Conditions(enclave=EnclaveShape(flags=flags)))
    for name, shape, accepted in (
        ("attributes", {"flags": 0x45}, {"attributes": {"mask": "0xffffffffffffffff", "value": "0x45"}}),
        ("xfrm", {"xfrm": 0x4_00E7}, {"xfrm": {"mask": "0x3", "value": "0x3"}}),
        ("miscselect", {"miscselect": 1}, {"miscselect": {"mask": "0xfffffffe", "value": "0x0"}}),
        ("isv_prod_id", {"isv_prod_id": 7}, {"isv_prod_id": 7}),
        ("config_svn", {"config_svn": 7}, {"config_svn": 7}),
        ("config_id", {"config_id": b"\x07" * 64}, {"config_id": "07" * 64}),
        ("isv_ext_prod_id", {"isv_ext_prod_id": b"\x07" * 16}, {"isv_ext_prod_id": "07" * 16}),
        ("isv_family_id", {"isv_family_id": b"\x07" * 16}, {"isv_family_id": "07" * 16}),
    ):
        yield refused(
            f"other-{name.replace('_', '-')}",
            f"The enclave has another {name.upper()} than the shipped policy asks for.",
            name.upper(),
            Conditions(enclave=replace(EnclaveShape(), **shape)),
            accepted_by={f"enclave.{key}": value for key, value in accepted.items()},
        )
    yield choice(
        "isv-svn-low",
        "The enclave's security version is 3.",
        "ISV_SVN",
        {"enclave.minimum_isv_svn": 4},
        Conditions(enclave=EnclaveShape(isv_svn=3)),
    )


def references() -> Iterable[ForgedCondition]:
    """Yield measurements that nobody vouches for, and what is withdrawn."""
    yield refused(
        "other-measurement", "Another enclave quotes than the contract names.", "MEASUREMENT", measurement=OTHER
    )
    yield choice(
        "measurement-not-pinned",
        "The measurement is none of those that the policy lists.",
        "MEASUREMENT_UNPINNED",
        {"reference_values.measurements": [OTHER]},
    )
    key = public_key(PUBLISHER)
    yield choice(
        "measurement-not-endorsed",
        "Nobody rebuilt the measurement.",
        "MEASUREMENT_ENDORSED",
        {
            "reference_values.endorsers": [{"institution": "hospital-a", "key": key}],
            "reference_values.endorsements_wanted": 1,
        },
    )
    obeyed = {"reference_values.withdrawal_publishers": [key]}
    yield choice("withdrawals-missing", "No withdrawal list is at hand.", "WITHDRAWALS_MISSING", obeyed)
    for kind, words in (
        ("measurement", "measurement"),
        ("ppid", "platform"),
        ("fmspc", "family of processors"),
        ("advisory", "advisory that is open"),
    ):
        yield choice(
            f"{kind}-withdrawn",
            f"A withdrawal list names the {words}.",
            "WITHDRAWN",
            obeyed,
            Conditions(advisories=("INTEL-SA-00828",)),
            withdrawn=kind,
        )
    yield choice(
        "withdrawals-expired",
        "The withdrawal list is due for an update.",
        "WITHDRAWALS_EXPIRED",
        obeyed,
        list_expired=True,
    )


def roots_and_session() -> Iterable[ForgedCondition]:
    """Yield good evidence, roots that are not trusted, and claims of another session."""
    yield ForgedCondition(name="good", words="Everything is in good order.", code=None, accepted_by={})
    yield choice("simulated", "No hardware stands behind it.", "SIMULATED", {"simulation": False})
    yield choice(
        "root-not-listed", "The policy lists other roots.", "ROOT_UNLISTED", {"platform.hardware_roots": ["00" * 32]}
    )
    yield refused(
        "from-elsewhere",
        "Another installation's simulator quotes, whose root is not pinned here.",
        "ROOT_UNKNOWN",
        quote_from_elsewhere=True,
        collateral_from_elsewhere=True,
    )
    yield refused("claims-swapped", "The claims are not those in the quote.", "REPORT_DATA", swapped=True)
    yield refused("other-contract", "The claims name another contract.", "OTHER_CONTRACT", claims={"contract": OTHER})
    yield refused("other-run", "The claims name another run.", "OTHER_RUN", claims={"run": "0bad" * 8})
    yield refused("other-profile", "The claims name another profile.", "PROFILE", claims={"profile": "discovery"})
    yield refused(
        "nonce-missing", "The claims lack the custodian's nonce.", "NONCE", claims={"nonces": (_OTHER_NONCE,)}
    )
