"""What an enclave's start costs, profile by profile: CPU-seconds of its imports beside those of its libraries alone.

``python benchmarks/start_up.py`` prints ratios measured side by side and writes benchmarks/out/start_up.json. The peer
is a Python that imports the same third-party modules and nothing of ours; the last row of each profile compares it with
an enclave that would load all profiles.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

from _report import publish, row, versions

from enclave.profiles import PROFILES

ROUNDS = 7
ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": os.defpath, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
ENCLAVE = """
import sys
import attestation.attesters.simulated, enclave.session
from enclave.profiles import load_profile
for profile in sys.argv[1:]:
    load_profile(profile).load_libraries()
"""
LIST = """
import json
ours = ("enclave", "protocol", "attestation", "encodings", "__main__")
known = set(sys.stdlib_module_names)
print(json.dumps([n for n in sys.modules if n.split(".")[0] not in known and not n.startswith(ours)]))
"""
LIBRARIES = """
import importlib, json, sys
for name in json.loads(sys.stdin.read()):
    try:
        importlib.import_module(name)
    except ImportError:
        pass  # a module that only its package can import
"""
PACKAGES = ("numpy", "pandas", "scikit-learn", "scipy", "statsmodels")


def run(code: str, *arguments: str, data: str = "") -> tuple[float, str]:
    """Return a program's CPU-seconds and what it printed."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *arguments],
        input=data,
        capture_output=True,
        check=True,
        text=True,
        env=ENVIRONMENT,
    )
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return used, done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    libraries = {profile: run(ENCLAVE + LIST, profile)[1] for profile in PROFILES}
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        found.setdefault(("all", "enclave"), []).append(run(ENCLAVE, *PROFILES)[0])
        for profile in PROFILES:
            found.setdefault((profile, "enclave"), []).append(run(ENCLAVE, profile)[0])
            found.setdefault((profile, "libraries"), []).append(run(LIBRARIES, data=libraries[profile])[0])
    middle = {key: statistics.median(values) for key, values in found.items()}
    rows = []
    for profile in PROFILES:
        mine = middle[profile, "enclave"]
        print(f"{profile}: {mine:.2f} CPU-s, {len(json.loads(libraries[profile]))} modules of libraries")
        rows.append(row(f"{profile}: start-up, CPU", mine / middle[profile, "libraries"], "its libraries alone"))
        rows.append(row(f"{profile}: start-up, CPU", mine / middle["all", "enclave"], "all profiles at once"))
    publish("start_up", rows, versions(PACKAGES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
