"""The owner's terms as a small TOML file; what is not listed is not allowed."""

from pathlib import Path

from protocol.documents.dataset import DatasetPolicy
from protocol.errors import DocumentError
from sealroom.times import in_days
from sealroom.typed import read_toml, typed

__all__ = ["EXAMPLE", "load_terms"]

DEFAULTS = {"quorum": 1, "preset": "sacro", "tcb_statuses": ["UpToDate"], "simulation": False, "max_runs": 1}
EXAMPLE = """\
# Terms of a dataset. They are signed with it, and every contract is held to them.
# Nothing is permitted that does not stand here.

# Analyses that may be run on it; `sealroom recipe list` names all. No default.
analyses = ["clinical.survival"]

# Enclave programs that may read it: clinical, discovery, genomics. No default.
profiles = ["clinical"]

# How many of your approvers must sign a contract. Default 1.
quorum = 1

# The output gate: sacro (10), uk-llc (10, zeros too), cms (11), all-of-us (21), opensafely (8), uk-biobank (5).
# In brackets the smallest number of subjects that is released. The strictest preset of all owners holds.
# Default "sacro".
preset = "sacro"

# States of the platform's security updates that you accept. Default: up to date only.
tcb_statuses = ["UpToDate"]

# May it be opened on a SIMULATED platform, which keeps no secret from its operator? Default no.
simulation = false

# Runs that one contract may have. Each run answers questions about your data, and no release ledger
# adds them up yet: keep it at 1. Default 1.
max_runs = 1

# When the terms end: a number of days from sealing, or `expires` with a time such as "2027-06-30T00:00:00Z".
expires_days = 365
"""


def load_terms(path: Path) -> DatasetPolicy:
    """Read terms; ``DocumentError`` with code ``DOCUMENT`` names the line that is missing or wrong."""
    content = DEFAULTS | read_toml(path)
    days = content.pop("expires_days", None)
    if (days is None) == ("expires" not in content):
        raise DocumentError("DOCUMENT", f"{path}: give either expires or expires_days.")
    if days is not None:
        if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= 36_500:  # noqa: PLR2004 - a century
            raise DocumentError("DOCUMENT", f"{path}: expires_days is a whole number of days from 1 to 36500.")
        content["expires"] = in_days(days)
    return typed(DatasetPolicy, content, where=str(path))
