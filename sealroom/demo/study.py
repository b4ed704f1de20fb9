"""A study that the demo plays: who takes part, with which data, by which recipes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from protocol.errors import StorageError

__all__ = ["DemoStudy", "Question", "Runtime", "data_of"]

Runtime = Literal["python", "gramine-direct"]


@dataclass(frozen=True, slots=True)
class Question:
    """A recipe, ``inputs/RECIPE.toml``, and what it is for.

    ``options`` are further options of ``result open``; ``parties`` take part, all where none is named; ``reader`` opens
    the results.
    """

    recipe: str
    purpose: str
    options: str = ""
    parties: tuple[str, ...] = ()
    reader: str = "a"


def _ships_its_data(data: Path | None) -> None:
    if data is not None:
        raise StorageError("DATA_SHIPPED", f"Found --data {data}; this study ships its own data. Leave --data out.")


@dataclass(frozen=True, slots=True)
class DemoStudy:
    """A study.

    Parameters
    ----------
    name, profile
        How the demo is told to play it, and the enclave profile that runs it.
    intro
        What the data are; the number of rows by party is added.
    parties
        Names by short name; the first one proposes.
    dataset, title
        Each party's dataset is ``DATASET-PARTY``; its title is followed by the party's name.
    prepare
        Writes ``PARTY/DATASET.csv``, ``PARTY/schema.toml``, ``PARTY/policy.toml`` and ``RECIPE.toml`` for each
        question into a folder, from a folder of data that the user names where the study ships none; returns rows by
        party.
    require
        Checks that folder before anything is written.
    options
        Further options of ``dataset check`` and ``dataset seal`` for a party.
    seal_options
        Further options of ``dataset seal`` alone.
    questions
        What is asked, one contract each.
    all_open
        Whether all parties open the results, since each learns something of its own, and not a question's reader alone.
    runtime
        What the host starts enclaves with; for Gramine the profile is built first.
    """

    name: str
    profile: str
    intro: str
    parties: Mapping[str, str]
    dataset: str
    title: str
    prepare: Callable[[Path, Path | None], dict[str, int]]
    questions: tuple[Question, ...]
    require: Callable[[Path | None], None] = _ships_its_data
    options: Callable[[str], str] = lambda _party: ""
    seal_options: str = ""
    all_open: bool = False
    runtime: Runtime = "python"

    def stem(self, question: Question) -> str:
        """Name the bundle of a question: ``result`` where it is the only one."""
        return "result" if len(self.questions) == 1 else question.recipe

    def partners(self, question: Question) -> tuple[str, ...]:
        """Return who takes part in a question."""
        return question.parties or tuple(self.parties)

    def prefix(self, question: Question) -> str:
        """Return what the names of a question's other files begin with: nothing where it is the only one."""
        return "" if len(self.questions) == 1 else f"{question.recipe}."

    @property
    def results(self) -> tuple[str, ...]:
        """Files at the top of the demo's folder, the report first."""
        made = (
            f"{self.prefix(question)}{name}" for question in self.questions for name in ("report.html", "outputs.json")
        )
        return (
            *made,
            *(f"{self.stem(question)}.sealroom" for question in self.questions),
            "trust.toml",
            "commands.txt",
        )


def data_of(study: str) -> Traversable:
    """Return the folder of a study's package data."""
    return files("sealroom.demo").joinpath("data", study)
