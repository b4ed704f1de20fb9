"""The discovery profile: compounds as fingerprints and descriptors, made at their owners'."""

from typing import Final

from enclave.analyses.discovery.overlap import Overlap
from enclave.analyses.discovery.qsar import Qsar
from enclave.profiles import Profile

__all__ = ["PROFILE"]

PROFILE: Final = Profile(
    name="discovery",
    listed=(Overlap(), Qsar()),
    libraries=(
        "multiprocessing.dummy",  # a forest's predictions ask for it, though they start no thread
        "pandas",
        "sklearn.ensemble",
        "sklearn.linear_model",
        "sklearn.preprocessing",
    ),
    row_limit=2_000_000,
    byte_limit=2**31,
)
