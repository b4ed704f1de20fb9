"""``clinical.survival``: Cox regression, Kaplan-Meier curves, log-rank tests."""

from enclave.analyses.clinical.survival.analysis import Survival

__all__ = ["Survival"]
