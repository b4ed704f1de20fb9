"""Reference values, as RFC 9334 calls what evidence is compared with: who rebuilt code, what is withdrawn.

Both are signed with keys that an appraisal policy names, so neither needs an institution's document to be verified.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from protocol.dsse import SignedDocument
from protocol.types import Digest, Document, Key, Name, Text, Timestamp

__all__ = ["Advisory", "Fmspc", "MeasurementEndorsement", "Ppid", "WithdrawalList", "Withdrawn"]

Fmspc = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
"""A family of processors, as a PCK certificate names it: 6 bytes in hex."""
Ppid = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""One platform, as a PCK certificate names it: 16 bytes in hex."""
Advisory = Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,64}$")]
"""The name of a security advisory, such as INTEL-SA-00828."""


class MeasurementEndorsement(SignedDocument):
    """An institution's word that it rebuilt a profile and came to this measurement.

    ``files`` stands for every file of the build: the SHA-256 of ``tree.lock`` and the line of ``enclave.manifest``.
    """

    payload_type: ClassVar[str] = "application/vnd.sealroom.measurement-endorsement.v1+json"

    version: Literal[1] = 1
    institution: Name
    profile: Name
    measurement: Digest
    files: Digest
    time: Timestamp


class Withdrawn(Document):
    """What is withdrawn, and why in words for people. Exactly one of the four kinds of name is given."""

    measurement: Digest | None = None
    ppid: Ppid | None = None
    fmspc: Fmspc | None = None
    advisory: Advisory | None = None
    reason: Annotated[Text, Field(max_length=200)]

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if sum(name is not None for name in (self.measurement, self.ppid, self.fmspc, self.advisory)) != 1:
            raise ValueError("a withdrawal names one measurement, ppid, fmspc or advisory")
        return self


class WithdrawalList(SignedDocument):
    """All that one publisher withdrew so far. A higher number replaces a lower one; nobody goes back.

    From ``next_update`` on the list is too old to be relied on.
    """

    payload_type: ClassVar[str] = "application/vnd.sealroom.withdrawal-list.v1+json"

    version: Literal[1] = 1
    publisher: Key
    number: Annotated[int, Field(ge=1, lt=2**53)]
    issued: Timestamp
    next_update: Timestamp
    withdrawn: Annotated[tuple[Withdrawn, ...], Field(max_length=1000)]  # with all their reasons, below 1 MB

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.next_update <= self.issued:  # RFC 3339 in UTC sorts as text
            raise ValueError("next_update is not after issued")
        return self

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        seen = set()
        for found in self.withdrawn:
            name = (found.measurement, found.ppid, found.fmspc, found.advisory)
            if name in seen:
                raise ValueError(f"{next(filter(None, name))} is withdrawn twice: once is enough")
            seen.add(name)
        return self
