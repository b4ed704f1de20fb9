"""``genomics.linear``: linear regression of a quantitative trait on each variant's dosage."""

from enclave.analyses.genomics.linear.analysis import Linear

__all__ = ["Linear"]
