"""Recipes, contracts, approvals and revocations: what will be computed, on what, for whom, and who agreed."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from protocol.canonical import MAX_INTEGER
from protocol.documents.dataset import Level, Preset
from protocol.dsse import SignedDocument
from protocol.types import Decimal, Digest, Document, Key, Name, Text, Timestamp

__all__ = [
    "Approval",
    "Binding",
    "ColumnMapping",
    "Contract",
    "ContractOutput",
    "LevelMapping",
    "Mappings",
    "OutputType",
    "Parameter",
    "Recipe",
    "Recipient",
    "Revocation",
]

OutputType = Literal["counts", "regression", "test", "survival", "means", "metrics", "hits"]
Whole = Annotated[int, Field(ge=-MAX_INTEGER, le=MAX_INTEGER)]
Parameter = (
    Whole
    | Text
    | Annotated[tuple[Whole, ...], Field(min_length=1, max_length=200)]
    | Annotated[tuple[Text, ...], Field(min_length=1, max_length=200)]
)
"""A parameter: a whole number, a text, or a list of one of them. There are no expressions."""


class LevelMapping(Document):
    """A code of the dataset's column and the level that it stands for."""

    code: Text
    level: Level


class ColumnMapping(Document):
    """How a slot's column becomes the one that the analysis knows: name, unit, codes.

    A number is taken times ``factor`` plus ``offset``, in ``unit``; those in ``missing`` (in the dataset's unit) are
    missing. Of a category every level is mapped; several may become one. Levels stand in the order in which they
    come here. The dataset itself does not change.
    """

    column: Name
    source: Name
    unit: Text | None = None
    factor: Decimal = "1"
    offset: Decimal = "0"
    missing: Annotated[tuple[Decimal, ...], Field(max_length=20)] = ()
    levels: Annotated[tuple[LevelMapping, ...], Field(max_length=1000)] = ()


Mappings = Annotated[
    dict[Name, Annotated[tuple[ColumnMapping, ...], Field(min_length=1, max_length=200)]], Field(max_length=50)
]
"""Column mappings by slot."""


class Recipe(SignedDocument):
    """An analysis with its parameters, dataset slots, their mappings and outputs; signed by an analyst."""

    payload_type: ClassVar[str] = "application/vnd.sealroom.recipe.v1+json"

    title: Text
    analysis: Name
    author: Key
    analyst: Name
    created: Timestamp
    slots: Annotated[tuple[Name, ...], Field(min_length=1, max_length=50)]
    mappings: Annotated[Mappings, Field(default_factory=dict)]
    parameters: Annotated[dict[Name, Parameter], Field(max_length=50)]
    outputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        if set(self.mappings) - set(self.slots):
            raise ValueError("mappings are of the recipe's slots")
        if len(set(self.slots)) != len(self.slots) or len(set(self.outputs)) != len(self.outputs):
            raise ValueError("slots and outputs are unique")
        return self


class Binding(Document):
    """A dataset in a slot. ``dataset`` is the name of a dataset manifest, ``owner`` an institution root."""

    slot: Name
    dataset: Digest
    owner: Key


class Recipient(Document):
    """Who may open an output: ``key`` is the SHA-256 of the member's X-Wing public key."""

    institution: Key
    member: Name
    key: Digest


class ContractOutput(Document):
    """One output: its type, the dictionary that its labels index, and who may open it."""

    output: Name
    type: OutputType
    labels: Annotated[tuple[Text, ...], Field(min_length=1, max_length=10_000)]
    recipients: Annotated[tuple[Recipient, ...], Field(min_length=1, max_length=50)]


class Contract(SignedDocument):
    """Binds a recipe to exact datasets, one enclave measurement, terms, recipients and limits; signed by an analyst."""

    payload_type: ClassVar[str] = "application/vnd.sealroom.contract.v1+json"

    title: Text
    purpose: Text
    proposer: Key
    analyst: Name
    created: Timestamp
    expires: Timestamp
    salt: Digest
    recipe: Digest
    datasets: Annotated[tuple[Binding, ...], Field(min_length=1, max_length=50)]
    profile: Name
    measurement: Digest
    simulation: bool
    preset: Preset
    max_runs: Annotated[int, Field(ge=1, le=1000)]
    outputs: Annotated[tuple[ContractOutput, ...], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        slots = [binding.slot for binding in self.datasets]
        datasets = [binding.dataset for binding in self.datasets]
        outputs = [output.output for output in self.outputs]
        if any(len(set(names)) != len(names) for names in (slots, datasets, outputs)):
            raise ValueError("slots, datasets and outputs are unique")
        for output in self.outputs:
            keys = [recipient.key for recipient in output.recipients]
            if len(set(keys)) != len(keys) or len(set(output.labels)) != len(output.labels):
                raise ValueError(f"output {output.output}: recipients and labels are unique")
        return self

    @property
    def owners(self) -> tuple[Key, ...]:
        """Roots of the institutions whose data is used, each once, in the order of the slots."""
        return tuple(dict.fromkeys(binding.owner for binding in self.datasets))


class Approval(SignedDocument):
    """An approver's yes to one contract."""

    payload_type: ClassVar[str] = "application/vnd.sealroom.approval.v1+json"

    kind: Literal["approval"] = "approval"
    contract: Digest
    institution: Key
    member: Name
    time: Timestamp


class Revocation(SignedDocument):
    """An approver's withdrawal of consent to one contract; it cannot be taken back."""

    payload_type: ClassVar[str] = "application/vnd.sealroom.revocation.v1+json"

    kind: Literal["revocation"] = "revocation"
    contract: Digest
    institution: Key
    member: Name
    time: Timestamp
    reason: Text
