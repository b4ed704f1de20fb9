"""All conditions, by name."""

from typing import Final

from attestation.simulator.forge.collateral import certificates, collateral
from attestation.simulator.forge.condition import ForgedCondition
from attestation.simulator.forge.enclaves import enclave, references, roots_and_session
from attestation.simulator.forge.platforms import platforms, quoting_enclave, tcb

__all__ = ["CONDITIONS"]

CONDITIONS: Final[dict[str, ForgedCondition]] = {
    condition.name: condition
    for table in (
        roots_and_session,
        tcb,
        platforms,
        quoting_enclave,
        certificates,
        collateral,
        enclave,
        references,
    )
    for condition in table()
}
"""Every condition by its name."""
