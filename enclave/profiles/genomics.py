"""The genomics profile: genotypes, streamed by blocks of variants."""

from typing import Final

from enclave.analyses.genomics.linear import Linear
from enclave.profiles import Profile

__all__ = ["PROFILE"]

PROFILE: Final = Profile(
    name="genomics",
    listed=(Linear(),),
    libraries=("pandas", "scipy.special"),
    row_limit=5_000_000,
    byte_limit=2**31,
)
