"""The evidence forge: makes, under a simulated root, every condition that an appraisal policy can meet.

A reviewer tries a policy on it, tests show that each condition is refused with its code. Nothing of it verifies under
Intel's root. ``CONDITIONS`` lists them by name, ``EvidenceForge`` makes them, ``python -m attestation.simulator.forge``
(``sealroom simulator forge``) writes them to files.
"""

from attestation.simulator.forge.condition import ForgedCondition
from attestation.simulator.forge.conditions import CONDITIONS
from attestation.simulator.forge.making import EvidenceForge, Forged, policy_with

__all__ = ["CONDITIONS", "EvidenceForge", "Forged", "ForgedCondition", "policy_with"]
