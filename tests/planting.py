"""Datasets of a world: sealed by the public command, with canaries in them, or large and empty."""

import csv
import io
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from partner_desk import Desk

from protocol import hpke
from protocol.commitment import commit_key
from protocol.container import SealingWriter, generate_data_key
from protocol.documents.dataset import DatasetManifest
from protocol.dsse import Verified, sign
from protocol.types import decode_base64
from sealroom import Client
from sealroom.datasets import seal as sealing
from sealroom.datasets.package import Package
from sealroom.demo.study import data_of

DATA = data_of("survival")


@dataclass
class Canaries:
    """What must appear nowhere outside its owner's machine, by a name that may be shown."""

    subject: str = field(default_factory=lambda: f"CANARY{secrets.token_hex(6)}")
    cell: int = field(default_factory=lambda: 10**11 + secrets.randbelow(10**11))
    data_keys: list[bytes] = field(default_factory=list)


class Planting:
    """Makes datasets in the name of a world's parties."""

    desks: dict[str, Desk]
    canaries: Canaries
    run: Callable[..., Any]
    key: Callable[..., Any]
    root: Callable[[str], str]
    client: Callable[..., Client]

    def plant(self, source: Path, desk: Desk, *, first: bool) -> Path:
        """Copy a party's data with canaries for subjects, and in A's first row for a cell."""
        head, *rows = csv.reader(io.StringIO(source.read_text()))
        for number, row in enumerate(rows):
            row[0] = f"{self.canaries.subject}-{desk.folder.name}{number:03d}"
        if first:
            rows[0][head.index("meal.cal")] = str(self.canaries.cell)
        return desk.write_csv([head, *rows], "lung.csv")

    def seal(self, party: str, name: str, csv_file: Path, **terms: str) -> str:
        """Seal a table by the public command, and listen for the data key; returns the manifest's name."""
        desk = self.desks[party]
        schema = DATA.joinpath("schema.toml").read_text("utf-8").replace('"10000"', '"999999999999"')
        policy = DATA.joinpath("policy.toml").read_text("utf-8")
        for field_name, value in terms.items():
            line = next(line for line in policy.splitlines() if line.startswith(f"{field_name} ="))
            policy = policy.replace(line, f"{field_name} = {value}")

        def listen() -> bytes:
            self.canaries.data_keys.append(generate())
            return self.canaries.data_keys[-1]

        generate = sealing.generate_data_key
        with patch.object(sealing, "generate_data_key", listen):
            sealed = self.run(
                *(party, "dataset", "seal", csv_file, desk.write("schema.toml", schema)),
                *("--policy", desk.write("terms.toml", policy), "--name", name, "--out", desk.folder / "sealed"),
            )
        return str(sealed["name"])

    def large_package(self, folder: Path, short: str) -> Package:
        """Sign a package of three parts in A's name; what is inside does not matter to an upload."""
        folder.mkdir()
        package, data_key = Package(folder, short), generate_data_key()
        with package.sealed.open("wb") as sink:
            writer = SealingWriter(sink, data_key)
            for _ in range(34):
                writer.write(bytes(2**20))
            sealed = writer.finish()
        old = self.manifest("a").document
        fields = old.model_dump(mode="json") | {
            "short": short,
            "lineage": {"id": secrets.token_hex(32), "version": 1},
            "files": [sealed.sealed_file("table").model_dump(mode="json")],
            "commitment": commit_key(data_key).model_dump(mode="json"),
        }
        manifest = sign(DatasetManifest.model_validate_json(json.dumps(fields)), self.key("a", "stew", "manifest"))
        package.manifest.write_bytes(manifest.envelope.to_bytes())
        info = hpke.capsule_info(manifest.name, self.root("a"), old.custodian.signing)
        package.capsule.write_bytes(hpke.seal(data_key, decode_base64(old.custodian.encryption), info=info))
        return package

    def manifest(self, party: str) -> Verified[DatasetManifest]:
        """Return the manifest of a party's dataset of the study."""
        package = Package(self.desks[party].folder / "sealed", f"lung-{party}")
        return package.load(self.client(party).party.institution)
