"""``discovery.qsar``: activity from structure, and what pooling is worth to each partner."""

from enclave.analyses.discovery.qsar.analysis import Qsar

__all__ = ["Qsar"]
