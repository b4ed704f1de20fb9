"""Uploading a sealed dataset: parts in order, only those that the broker lacks, then the capsule."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from protocol.canonical import canonical_bytes
from protocol.documents.dataset import DatasetManifest, SealedFile
from protocol.documents.exchange import CapsuleDeposit
from protocol.documents.institution import Institution
from protocol.dsse import MAX_DOCUMENT, Verified
from protocol.errors import StorageError, TransportError
from protocol.types import encode_base64
from sealroom.datasets.package import Package
from sealroom.files import read_bounded
from sealroom.home import Home
from sealroom.keystore import Keystore
from sealroom.party import acting
from sealroom.transport import Transport

__all__ = ["upload_for", "upload_package"]

CHUNK = 65_536
Advance = Callable[[int], None]


def upload_for(
    home: Home,
    keys: Keystore,
    path: Path,
    steward: str | None,
    bar: Callable[[str, int], AbstractContextManager[Advance]],
) -> tuple[str, str]:
    """Upload a package as a steward; returns the manifest's name and the short name."""
    package = Package.at(path)
    party = acting(home, keys, "steward", steward)
    with ExitStack() as stack:
        broker = stack.enter_context(party.connect())

        def start(total: int, there: int) -> Advance:
            """Open the bar where the upload stands."""
            advance = stack.enter_context(bar(f"Uploading {package.short}", total))
            advance(there)
            return advance

        manifest = upload_package(broker, package, party.institution, start)
    return manifest.name, manifest.document.short


def upload_package(
    broker: Transport,
    package: Package,
    institution: Verified[Institution],
    start: Callable[[int, int], Advance],
) -> Verified[DatasetManifest]:
    """Upload a package; run again after an interruption, it goes on where it stopped.

    ``start`` is told the number of bytes and how many are there already, and returns what is told of further bytes.

    Raises
    ------
    StorageError
        ``PART_DIGEST`` where a sealed file on this disk is not the one that was sealed.
    """
    manifest = package.load(institution)
    broker.put(f"/v1/datasets/{manifest.name}", manifest.envelope.to_bytes())
    files = manifest.document.files
    there = {file.name: _parts_there(broker, manifest.name, file) for file in files}
    total = sum(file.sealed_size for file in files)
    advance = start(total, sum(file.part_size(index) for file in files for index in there[file.name]))
    for file in files:
        for index in range(len(file.parts)):
            if index in there[file.name]:
                continue
            part = _Part(package.file(file.name), file, index)
            part.require_digest()
            path = f"/v1/datasets/{manifest.name}/files/{file.name}/parts/{index}"
            broker.put_stream(path, part, part.size, part.headers)
            advance(part.size)
    deposit = CapsuleDeposit(
        institution=institution.envelope,
        manifest=manifest.envelope,
        capsule=encode_base64(read_bounded(package.capsule, MAX_DOCUMENT)),
    )
    broker.put(f"/v1/custodian/capsules/{manifest.name}", canonical_bytes(deposit.model_dump(mode="json")))
    broker.post(f"/v1/datasets/{manifest.name}/complete", b"")
    return manifest


def _parts_there(broker: Transport, name: str, file: SealedFile) -> set[int]:
    answer = broker.get_json(f"/v1/datasets/{name}/files/{file.name}/parts")
    have = answer.get("have") if isinstance(answer, dict) else None
    if not isinstance(have, list) or not all(isinstance(n, int) and 0 <= n < len(file.parts) for n in have):
        raise TransportError("ANSWER_SHAPE", "The broker answered with something that is not a list of parts.")
    return set(have)


class _Part:
    """The bytes of one part, read from the disk whenever they are sent; 64 KiB are in memory."""

    def __init__(self, path: Path, file: SealedFile, index: int) -> None:
        self._path = path
        self._digest = file.parts[index]
        self._start = index * file.part_size(0)
        self._where = f"{path}, part {index + 1} of {len(file.parts)}"
        self.size = file.part_size(index)

    @property
    def headers(self) -> dict[str, str]:
        """The digest as RFC 9530 writes it."""
        digest = base64.b64encode(bytes.fromhex(self._digest)).decode("ascii")
        return {"Content-Digest": f"sha-256=:{digest}:", "Content-Type": "application/octet-stream"}

    def require_digest(self) -> None:
        """Raise unless the bytes on the disk are those that were sealed."""
        found = hashlib.sha256()
        for chunk in self:
            found.update(chunk)
        if found.hexdigest() != self._digest:
            raise StorageError("PART_DIGEST", f"{self._where} was altered since it was sealed. Seal the dataset again.")

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as source:
            source.seek(self._start)
            left = self.size
            while left:
                chunk = source.read(min(CHUNK, left))
                if not chunk:
                    raise StorageError("FILE_SIZE", f"{self._where} is shorter than what was sealed.")
                left -= len(chunk)
                yield chunk
