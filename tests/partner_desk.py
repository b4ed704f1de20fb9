"""A partner at its desk: the command line in this process, with a home and a passphrase file of its own."""

import atexit
import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sealroom.cli import main

PASSPHRASE = "correct horse battery staple"
SCHEMA = """
[[columns]]
name = "subject"
description = "Subject"
kind = "subject"

[[columns]]
name = "time"
description = "Survival time"
kind = "integer"
unit = "d"
minimum = "0"
maximum = "5000"

[[columns]]
name = "status"
description = "Status at the end"
kind = "category"
levels = [{ code = "1", label = "censored" }, { code = "2", label = "dead" }]

[[columns]]
name = "weight"
description = "Weight"
kind = "decimal"
scale = 2
unit = "kg"
minimum = "20"
maximum = "300"
missing_allowed = true
missing_codes = ["NA"]
"""
ROWS = [
    ["subject", "time", "status", "weight"],
    ["p1", "306", "2", "70.5"],
    ["p2", "455", "1", "NA"],
    ["p3", "1010", "1", ""],
    ["p4", "210", "2", "61.25"],
]


_MADE: dict[tuple[str, ...], Path] = {}


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Desk:
    """One institution's desk; ``run`` takes the words behind ``sealroom``."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def run(self, *arguments: object, code: int = 0) -> Answer:
        secret = self.folder / "passphrase"
        if not secret.exists():
            secret.write_text(PASSPHRASE + "\n")
        known = {"SEALROOM_HOME": str(self.home), "SEALROOM_PASSPHRASE_FILE": str(secret)}
        out, err, found = io.StringIO(), io.StringIO(), 0
        with patch.dict(os.environ, known), redirect_stdout(out), redirect_stderr(err):
            try:
                main([str(argument) for argument in arguments])
            except SystemExit as stop:
                found = stop.code if isinstance(stop.code, int) else 0
        answer = Answer(found, out.getvalue(), err.getvalue())
        assert answer.code == code, answer
        return answer

    def join(self, *, short: str = "hospital-a", roles: Sequence[str] = ("steward", "approver", "analyst")) -> None:
        """Make the institution and one member, ``ada``, with the roles; the same keys each time, for they take long."""
        made = _MADE.get((short, *roles))
        if made is None:
            made = Path(tempfile.mkdtemp(prefix="partner-desk-"))
            atexit.register(shutil.rmtree, made)
            desk = Desk(made)
            desk.run("institution", "init", "--short", short, "--name", f"The {short}")
            desk.run("member", "add", "ada", "--name", "Ada", *(part for role in roles for part in ("--role", role)))
            _MADE[short, *roles] = made
        shutil.copytree(made / "home", self.home, dirs_exist_ok=True)
        shutil.copy(made / "passphrase", self.folder / "passphrase")

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def write_csv(self, rows: Sequence[Sequence[str]] = ROWS, name: str = "data.csv") -> Path:
        path = self.folder / name
        with path.open("w", newline="") as sink:
            csv.writer(sink).writerows(rows)
        return path

    def schema(self) -> Path:
        return self.write("schema.toml", SCHEMA)

    def terms(self, **changes: str) -> Path:
        """Write terms; ``changes`` are TOML values."""
        values = {"analyses": '["clinical.survival"]', "profiles": '["clinical"]', "expires_days": "30"} | changes
        return self.write("terms.toml", "".join(f"{name} = {value}\n" for name, value in values.items()))
