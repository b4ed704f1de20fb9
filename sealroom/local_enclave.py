"""The enclave program as the partner's side sees it: descriptors, plans and its measurement, by asking a process.

Nothing of the enclave is imported here. The process gets no network address, no keys and no data: schemas only.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from protocol.canonical import canonical_bytes
from protocol.documents.dataset import DatasetManifest, DatasetSchema
from protocol.documents.study import Mappings, OutputType, Parameter
from protocol.errors import TransportError, from_problem
from protocol.types import Name
from sealroom.typed import typed

__all__ = ["Plan", "PlannedOutput", "describe_analyses", "measure_installed", "plan", "plan_signed"]

SECONDS = 120
MAX_ANSWER = 16 * 2**20
PROBLEMS = frozenset({4, 7})


class PlannedOutput(BaseModel):
    """One output of a planned analysis: its labels and, in words, what it reveals."""

    model_config = ConfigDict(frozen=True)

    output: Name
    type: OutputType
    labels: tuple[str, ...]
    reveals: str
    about: tuple[Name, ...] = ()
    apart: tuple[tuple[Name, ...], ...] = ()

    def only(self, owners: Mapping[str, str]) -> str | None:
        """Return the one institution that may receive the output, of the slots' ``owners``; None where any may."""
        found = {owners[slot] for slot in self.about}
        return found.pop() if len(found) == 1 else None


class Plan(BaseModel):
    """What an analysis would release, decided from signed schemas alone."""

    model_config = ConfigDict(frozen=True)

    profile: Name
    outputs: tuple[PlannedOutput, ...]


def describe_analyses() -> list[dict[str, Any]]:
    """Return the descriptor of every analysis that is installed."""
    answer = _ask("--describe", b"")
    found = answer.get("analyses") if isinstance(answer, dict) else answer
    if not isinstance(found, list):
        raise TransportError("ANSWER_SHAPE", "The enclave program described no analyses.")
    return found


def plan(
    analysis: str,
    parameters: dict[str, Parameter],
    outputs: tuple[str, ...],
    datasets: Mapping[str, DatasetSchema],
    mappings: Mappings,
) -> Plan:
    """Plan an analysis on schemas alone.

    Raises
    ------
    AnalysisError
        What cannot work on these tables, with everything that is decidable from their schemas.
    """
    return _plan(_question(analysis, parameters, outputs, datasets, mappings))


def plan_signed(
    analysis: str,
    parameters: dict[str, Parameter],
    outputs: tuple[str, ...],
    datasets: Mapping[str, DatasetManifest],
    mappings: Mappings,
) -> Plan:
    """Plan an analysis on signed datasets, which also say how large they are.

    Raises
    ------
    AnalysisError
        As ``plan``.
    AccessDenied
        ``ROW_LIMIT`` where the tables together are more than the profile reads.
    """
    described = {slot: dataset.described for slot, dataset in datasets.items()}
    sizes = {slot: {"rows": dataset.rows, "size": dataset.files[0].plain_size} for slot, dataset in datasets.items()}
    return _plan(_question(analysis, parameters, outputs, described, mappings) | {"sizes": sizes})


def measure_installed(profile: str) -> str:
    """Return the measurement of the installed files, as the simulated platform computes it."""
    from attestation.simulator import measure

    return measure(profile, Path(__file__).resolve().parents[1])


def _question(
    analysis: str,
    parameters: dict[str, Parameter],
    outputs: tuple[str, ...],
    datasets: Mapping[str, DatasetSchema],
    mappings: Mappings,
) -> dict[str, Any]:
    return {
        "analysis": analysis,
        "parameters": {name: list(value) if isinstance(value, tuple) else value for name, value in parameters.items()},
        "outputs": list(outputs),
        "mappings": {
            slot: [mapping.model_dump(mode="json") for mapping in of_slot] for slot, of_slot in mappings.items()
        },
        "datasets": {slot: dataset.model_dump(mode="json") for slot, dataset in datasets.items()},
        "sizes": {},
    }


def _plan(question: Mapping[str, Any]) -> Plan:
    return typed(Plan, _ask("--plan", canonical_bytes(question)), where="the enclave program's plan")


def _ask(flag: str, question: bytes) -> Any:  # noqa: ANN401 - any JSON value
    # -I: neither the working directory nor the environment decides which code answers.
    command = [sys.executable, "-I", "-m", "enclave", flag]
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "SYSTEMROOT"}}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, input=question, capture_output=True, timeout=SECONDS, check=False, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise TransportError("ENCLAVE_PROGRAM", f"The enclave program did not answer within {SECONDS} s.") from error
    if len(done.stdout) > MAX_ANSWER or done.returncode not in {0, *PROBLEMS}:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise TransportError(
            "ENCLAVE_PROGRAM", f"`{' '.join(command[1:])}` ended with status {done.returncode}: {' '.join(last)}"
        )
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise TransportError(
            "ENCLAVE_PROGRAM", "The enclave program answered with something that is no JSON."
        ) from error
    if done.returncode in PROBLEMS:
        raise from_problem(answer)
    return answer
