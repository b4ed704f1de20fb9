"""The relying party that holds data keys: it appraises evidence, releases keys, countersigns outputs.

The only code that opens a capsule. It runs inside the broker by default: then the broker's operator is not kept out,
and an operator who restores an old copy of the database undoes run counts and revocations.
"""

from custodian.service import Custodian
from custodian.settings import CustodianSettings

__all__ = ["Custodian", "CustodianSettings"]
