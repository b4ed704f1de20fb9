"""``python -m attestation.simulator.forge``: what ``sealroom simulator forge`` runs."""

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from attestation.endorsements import collateral_to_json
from attestation.simulator.forge import CONDITIONS, EvidenceForge, ForgedCondition
from attestation.simulator.forge.condition import Changes
from attestation.simulator.pki import create_keys, load_or_create_keys
from protocol.errors import AttestationError, SealroomError, StorageError

__all__ = ["main"]

EPILOG: Final = """Nothing that is written here verifies under Intel's root.

Examples:
  sealroom simulator forge --list
  sealroom simulator forge tcb-out-of-date --out forged
  sealroom simulator forge debug --out forged --state /srv/simulator
"""


def main(arguments: list[str]) -> int:
    """List the conditions, or write one of them; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="sealroom simulator forge",
        description="Forge evidence of a simulated platform under any condition that an appraisal policy can meet.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", help="condition to make, one of --list")
    parser.add_argument("--list", action="store_true", help="list all conditions")
    parser.add_argument("--out", type=Path, help="folder to write evidence.json, collateral.json and root.pem to")
    parser.add_argument("--state", type=Path, help="folder of a simulator's keys; without it the platform is a new one")
    parser.add_argument("--json", action="store_true", help="write JSON instead of text")
    flags = parser.parse_args(arguments)
    try:
        if flags.list:
            told = [_told(condition) for condition in CONDITIONS.values()]
            files = []
        elif flags.name and flags.out:
            condition = _condition(flags.name)
            told, files = [_told(condition)], _make(condition, flags.out, flags.state)
        else:
            parser.error("give --list, or the name of a condition and --out")
    except SealroomError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    if flags.json:
        sys.stdout.write(json.dumps({"conditions": told, "files": files}, indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in [*map(_line, told), *files]))
    return 0


def _condition(name: str) -> ForgedCondition:
    try:
        return CONDITIONS[name]
    except KeyError as error:
        raise AttestationError(
            "CONDITION", f"There is no condition {name!r}; `sealroom simulator forge --list` names all."
        ) from error


def _make(condition: ForgedCondition, folder: Path, state: Path | None) -> list[str]:
    at = datetime.now(UTC).replace(microsecond=0)
    keys = create_keys(at - timedelta(days=1)) if state is None else load_or_create_keys(state / "platform", at)
    forged = EvidenceForge(keys, at).make(condition)
    files = {
        "evidence.json": forged.evidence.model_dump_json(),
        "collateral.json": collateral_to_json(forged.evidence.collateral),
        "root.pem": forged.root.certificate.public_bytes(Encoding.PEM).decode("ascii"),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError("FILE", f"Cannot write to {folder}: {error.strerror}. Choose another folder.") from error
    return [str(folder / file) for file in files]


def _told(condition: ForgedCondition) -> dict[str, Any]:
    return {
        "name": condition.name,
        "words": condition.words,
        "code": condition.code,
        "refused_by": dict(condition.refused_by),
        "accepted_by": None if condition.accepted_by is None else dict(condition.accepted_by),
    }


def _line(entry: dict[str, Any]) -> str:
    """Say in one line what the condition is and what becomes of it; a policy's keys stand there as in TOML."""
    verdict = f"refused with {entry['code']}" if entry["code"] else "accepted"
    if entry["refused_by"]:
        verdict += f" where the policy says {_keys(entry['refused_by'])}"
    if entry["code"] and entry["accepted_by"] is not None:
        verdict += f"; accepted where it says {_keys(entry['accepted_by']) or 'what the shipped one says'}"
    return f"{entry['name']}: {entry['words']} It is {verdict}."


def _keys(changes: Changes) -> str:
    return ", ".join(f"{key} = {json.dumps(value)}" for key, value in changes.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
