"""Write or compare the trusted file locks: ``python -m attestation.profiles.lock [--write] [--root FOLDER]``."""

import argparse
import sys
from pathlib import Path

from attestation.policy import manifests_folder
from attestation.profiles.trusted_files import LOCK_NAME, compute_lock, load_profile, render_lock

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Write each profile's lock, or exit with 1 and the files that differ where a lock is out of date."""
    parser = argparse.ArgumentParser(prog="python -m attestation.profiles.lock", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the locks instead of comparing them")
    parser.add_argument("--root", type=Path, default=manifests_folder().parent, help="the project's folder")
    options = parser.parse_args(arguments)
    status = 0
    for file in sorted((options.root / "manifests").glob("*/profile.toml")):
        lock = file.with_name(LOCK_NAME)
        wanted = render_lock(compute_lock(options.root, load_profile(options.root, file.parent.name)))
        found = lock.read_bytes().decode("utf-8") if lock.is_file() else ""
        if found == wanted:
            continue
        if options.write:
            lock.write_bytes(wanted.encode())
            continue
        status = 1
        changed = sorted({line.split("  ")[1] for line in set(found.splitlines()) ^ set(wanted.splitlines())})
        sys.stderr.write(f"{lock} is out of date: {', '.join(changed)}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
