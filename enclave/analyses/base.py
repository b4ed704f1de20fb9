"""What every analysis is: a descriptor, a plan made from signed schemas alone, and a pure run.

To write one, subclass ``Analysis``: say what it is in a ``Descriptor``; in ``label`` check the recipe against the
schemas and name what the outputs will be about; in ``pool`` join the cohorts; in ``estimate`` compute one output.
``plan`` and ``run`` are the same for all.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, TypeVar

from numpy.linalg import LinAlgError

from enclave.analyses.parameters import ParameterSpec, check_parameters
from enclave.analyses.results import RawResult, Unavailable
from enclave.ingest import Cohort, GenotypeBlock
from protocol.documents.dataset import DatasetSchema
from protocol.documents.study import Contract, OutputType, Parameter
from protocol.errors import AnalysisError
from protocol.governance import require_apart
from protocol.types import Name

__all__ = ["Analysis", "Descriptor", "Inputs", "OutputSpec", "Plan", "PlannedOutput"]

Data = TypeVar("Data")


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """An output that an analysis offers: its type, what it is, and what its recipients learn, in plain words."""

    name: Name
    type: OutputType
    description: str
    reveals: str
    per_slot: bool = False
    """One output for each slot, NAME-SLOT, which goes to the owner of that slot alone."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What an analysis says of itself. ``outside_answer``: software or paper that its numbers are tested against."""

    name: Name
    title: str
    estimand: str
    profile: Name
    parameters: tuple[ParameterSpec, ...]
    outputs: tuple[OutputSpec, ...]
    references: tuple[str, ...]
    outside_answer: str

    def output(self, name: Name, slots: Sequence[Name] = ()) -> OutputSpec:
        """Return an output's specification, or raise ``AnalysisError`` with ``OUTPUT_UNKNOWN``.

        An output per slot is named with one of ``slots``: ``uplift-a``.
        """
        for output in self.outputs:
            if name in ({f"{output.name}-{slot}" for slot in slots} if output.per_slot else {output.name}):
                return output
        offered = ", ".join(f"{output.name}-SLOT" if output.per_slot else output.name for output in self.outputs)
        raise AnalysisError("OUTPUT_UNKNOWN", f"{self.name} has no output {name}. It offers: {offered}.")


@dataclass(frozen=True, slots=True)
class PlannedOutput:
    """An output that will be made: ``labels`` is the dictionary that its labels will index.

    ``about`` names the slots whose subjects alone the figures are about, where these are not all: if they belong to one
    institution, nobody else may receive it. ``apart``: two groups of slots that no institution may be in both of.
    """

    output: Name
    type: OutputType
    labels: tuple[str, ...]
    reveals: str
    about: tuple[Name, ...] = ()
    apart: tuple[tuple[Name, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe that fits the schemas: everything that can be known before any data is seen."""

    analysis: Name
    profile: Name
    parameters: Mapping[Name, Parameter]
    outputs: tuple[PlannedOutput, ...]

    def require(self, contract: Contract) -> None:
        """Raise ``AnalysisError`` with ``PLAN_DIFFERS`` unless the contract holds exactly what is planned."""
        if contract.profile != self.profile:
            raise AnalysisError(
                "PLAN_DIFFERS", f"{self.analysis} runs in profile {self.profile}; the contract says {contract.profile}."
            )
        owners = {binding.slot: binding.owner for binding in contract.datasets}
        planned = [(output.output, output.type, output.labels) for output in self.outputs]
        if planned != [(output.output, output.type, output.labels) for output in contract.outputs]:
            raise AnalysisError(
                "PLAN_DIFFERS",
                "The contract's outputs, types or labels are not what recipe and schemas give. Propose it anew.",
            )
        for output, agreed in zip(self.outputs, contract.outputs, strict=True):
            mine = {owners[slot] for slot in output.about}
            if len(mine) == 1 and {recipient.institution for recipient in agreed.recipients} != mine:
                raise AnalysisError(
                    "RECIPIENTS",
                    f"{output.output} is about one institution's data and goes to that institution alone.",
                )
            require_apart(output.output, output.apart, owners)


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What an analysis runs on.

    Parameters
    ----------
    cohorts
        One for each slot, in the recipe's order.
    genotypes
        The cohorts' genotypes, block by block, for one pass; nothing where the cohorts have none.
    seed
        32 bytes, a secret function of data, recipe and parameters, for analyses that draw numbers: the same run draws
        the same ones, and nobody outside knows which.
    """

    cohorts: tuple[Cohort, ...]
    genotypes: Iterator[GenotypeBlock]
    seed: bytes = field(repr=False)

    @property
    def datasets(self) -> Mapping[Name, DatasetSchema]:
        """The schemas by slot, in the recipe's order."""
        return {cohort.slot: cohort.schema for cohort in self.cohorts}


class Analysis(ABC, Generic[Data]):
    """An analysis over cohorts, without state, input or output of its own."""

    descriptor: ClassVar[Descriptor]

    def plan(
        self, parameters: Mapping[Name, Parameter], outputs: Sequence[Name], datasets: Mapping[Name, DatasetSchema]
    ) -> Plan:
        """Check a recipe against the schemas of its slots and say what it will give.

        Raises
        ------
        AnalysisError
            ``OUTPUT_UNKNOWN``, ``OUTPUT_TWICE``, ``SLOTS``, ``PARAMETER_*``, ``COLUMN_*``, ``UNIT``, ``LEVELS_DIFFER``.
        """
        if not datasets:
            raise AnalysisError("SLOTS", "A recipe needs at least one dataset slot.")
        wanted = tuple(self.descriptor.output(name, tuple(datasets)) for name in outputs)
        if not wanted or len(set(outputs)) != len(wanted):
            raise AnalysisError("OUTPUT_TWICE", "A recipe names at least one output, and each once.")
        checked = check_parameters(self.descriptor.parameters, parameters, [spec.name for spec in wanted])
        labels = self.label(checked, outputs, datasets)
        planned = tuple(
            PlannedOutput(
                name,
                spec.type,
                labels[name],
                spec.reveals,
                self.about(name, checked, datasets),
                self.apart(name, checked),
            )
            for name, spec in zip(outputs, wanted, strict=True)
        )
        for output in planned:
            _require_labels(output)
        return Plan(self.descriptor.name, self.descriptor.profile, checked, planned)

    def about(
        self, output: Name, parameters: Mapping[Name, Parameter], datasets: Mapping[Name, DatasetSchema]
    ) -> tuple[Name, ...]:
        """Return the slots whose subjects alone an output is about; nothing where it is about all."""
        del parameters
        spec = self.descriptor.output(output, tuple(datasets))
        return (output.removeprefix(f"{spec.name}-"),) if spec.per_slot else ()

    def apart(self, output: Name, parameters: Mapping[Name, Parameter]) -> tuple[tuple[Name, ...], ...]:
        """Return groups of slots no two of which may have an owner in common."""
        del output, parameters
        return ()

    def run(self, plan: Plan, inputs: Inputs) -> Mapping[Name, RawResult]:
        """Compute every planned output. Never raises: an output that cannot be computed is ``Unavailable``.

        Warnings and exception texts may hold values; they end here.
        """
        names = [output.output for output in plan.outputs]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                data = self.pool(plan, inputs)
            except Exception as error:  # noqa: BLE001 - whatever it says may be shaped by data
                return dict.fromkeys(names, _unavailable(error))
            return {name: self._estimate(name, data) for name in names}

    def _estimate(self, output: Name, data: Data) -> RawResult:
        try:
            return self.estimate(output, data)
        except Exception as error:  # noqa: BLE001 - as above
            return _unavailable(error)

    @abstractmethod
    def label(
        self, parameters: Mapping[Name, Parameter], outputs: Sequence[Name], datasets: Mapping[Name, DatasetSchema]
    ) -> Mapping[Name, tuple[str, ...]]:
        """Check columns and levels and return each wanted output's label dictionary."""

    @abstractmethod
    def pool(self, plan: Plan, inputs: Inputs) -> Data:
        """Join the cohorts and check what schemas cannot say of the data."""

    @abstractmethod
    def estimate(self, output: Name, data: Data) -> RawResult:
        """Compute one output."""


def _unavailable(error: Exception) -> Unavailable:
    if isinstance(error, AnalysisError):
        return Unavailable(error.code)
    # Data whose numbers an algorithm cannot take is no fault of the program: it gets no class of its own.
    return Unavailable("NOT_ESTIMABLE" if isinstance(error, (ArithmeticError, LinAlgError)) else "INTERNAL")


_LONGEST_LABEL: Literal[1000] = 1000
_MOST_LABELS: Literal[10_000] = 10_000


def _require_labels(output: PlannedOutput) -> None:
    labels = output.labels
    if not 1 <= len(labels) <= _MOST_LABELS or any(len(label) > _LONGEST_LABEL for label in labels):
        raise AnalysisError(
            "LABELS", f"Output {output.output} would need more, or longer, labels than a contract holds."
        )
    if len(set(labels)) != len(labels):
        raise AnalysisError("LABELS", f"Output {output.output} would have two labels that read the same.")
