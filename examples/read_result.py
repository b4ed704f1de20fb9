"""Read the demo's result as DataFrames: verified again under A's pins, opened with A's analyst's key, offline.

Run ``make demo`` first, then ``.venv/bin/python examples/read_result.py``.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from sealroom import load_trust
from sealroom.home import Home
from sealroom.keystore import Keystore, Passphrase
from sealroom.result import open_outputs
from sealroom.results import Result
from sealroom.verification import verify_bundle

DEMO = Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output")

verified = verify_bundle(
    (DEMO / "result.sealroom").read_bytes(), load_trust(DEMO / "trust.toml"), now=datetime.now(UTC)
)
keys = Keystore(Home(DEMO / "a").keys, Passphrase(DEMO / "inputs" / "a" / "passphrase"))
result = Result(verified, open_outputs(verified, keys.recipient("anna.recipient")))

print("SIMULATED platform" if result.simulated else "hardware platform")
print(result.cox)
print(result.kaplan_meier)
