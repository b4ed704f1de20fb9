"""Fetching sealed parts through the host and opening them, each only if it is the one that its owner signed."""

from dataclasses import dataclass, field

from enclave.relay import Relay
from protocol.container import PartOpener
from protocol.documents.dataset import DatasetManifest, SealedFile
from protocol.dsse import Verified
from protocol.errors import DocumentError, SealroomError
from protocol.types import Digest, Name

__all__ = ["HostFaultError", "PartSource", "fetch_whole"]

BEFORE_DECRYPTION = frozenset({"PART_SIZE", "PART_DIGEST"})
"""What the container finds wrong by the signed digests alone, without any key."""


class HostFaultError(Exception):
    """The host or a custodian refused or gave other bytes than the signed ones: it can see so itself."""

    def __init__(self, error: SealroomError) -> None:
        super().__init__(error.code)
        self.error = error


@dataclass(frozen=True, slots=True)
class PartSource:
    """The parts of one sealed file."""

    relay: Relay
    dataset: Digest
    file: SealedFile
    opener: PartOpener = field(repr=False)

    @classmethod
    def of(cls, relay: Relay, manifest: Verified[DatasetManifest], name: Name, data_key: bytes) -> "PartSource":
        """Return the source of a file that the manifest lists."""
        file = manifest.document.file(name)
        if file is None:
            raise DocumentError("FILE_UNKNOWN", f"The dataset {manifest.document.short} has no file {name}.")
        return cls(relay, manifest.name, file, PartOpener(data_key, file))

    def open_into(self, index: int, out: memoryview) -> bool:
        """Fetch a part and write its plain bytes to ``out``; False, and zeros, where its owner sealed no such bytes.

        Raises
        ------
        HostFaultError
            The host gave no part, or not the signed one.
        """
        try:
            sealed = self.relay.part(self.dataset, self.file.name, index, self.file.part_size(index))
        except SealroomError as error:
            raise HostFaultError(error) from None
        try:
            self.opener.open_part_into(index, sealed, out)
        except DocumentError as error:
            if error.code in BEFORE_DECRYPTION:
                raise HostFaultError(error) from None
            return False
        return True


def fetch_whole(source: PartSource) -> bytearray | None:
    """Fetch and open every part of a file; None where its owner sealed something that does not decrypt."""
    plain, start, whole = bytearray(source.file.plain_size), 0, True
    for index in range(len(source.file.parts)):
        end = start + source.opener.plain_size(index)
        whole &= source.open_into(index, memoryview(plain)[start:end])
        start = end
    return plain if whole else None
