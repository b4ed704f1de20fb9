"""Parameters: what an analysis declares, and the check of a recipe against it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from protocol.documents.study import Parameter
from protocol.errors import AnalysisError
from protocol.types import Name

__all__ = ["ParameterKind", "ParameterSpec", "check_parameters", "names", "text", "whole", "wholes"]

ParameterKind = Literal["column", "columns", "level", "whole number", "whole numbers", "slots", "choices", "texts"]
"""One column, level (or whole number), whole number; lists of columns, whole numbers, slots, declared words, texts."""
Item = TypeVar("Item", int, str)


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """A parameter. ``needed_by`` names the outputs that cannot do without it; there are no hidden defaults.

    Of one that no output needs, the description says what holds "Left out".
    ``choices``: the words that a list of kind ``choices`` may hold.
    """

    name: Name
    kind: ParameterKind
    description: str
    needed_by: tuple[Name, ...]
    choices: tuple[str, ...] = ()


def check_parameters(
    specs: Iterable[ParameterSpec], given: Mapping[Name, Parameter], outputs: Iterable[Name]
) -> Mapping[Name, Parameter]:
    """Return the parameters in the order of their declaration.

    Raises
    ------
    AnalysisError
        ``PARAMETER_UNKNOWN``, ``PARAMETER_MISSING``, ``PARAMETER_KIND``; of a list's items ``PARAMETER_TWICE`` and
        ``PARAMETER_CHOICE``.
    """
    known = {spec.name: spec for spec in specs}
    for name in given:
        if name not in known:
            raise AnalysisError("PARAMETER_UNKNOWN", f"There is no parameter {name}. Known: {', '.join(known)}.")
    wanted = set(outputs)
    for spec in known.values():
        missing = sorted(wanted & set(spec.needed_by))
        if missing and spec.name not in given:
            raise AnalysisError("PARAMETER_MISSING", f"Output {missing[0]} needs the parameter {spec.name}.")
    for name, value in given.items():
        _check_kind(known[name], value)
    return {name: given[name] for name in known if name in given}


def _check_kind(spec: ParameterSpec, value: Parameter) -> None:
    match spec.kind, value:
        case ("column", str()) | ("level", str() | int()) | ("whole number", int()):
            return
        case ("columns" | "whole numbers" | "slots" | "choices" | "texts", tuple()):
            kind = int if spec.kind == "whole numbers" else str
            if not all(isinstance(item, kind) for item in value):
                raise _wrong(spec)
            if len(set(value)) != len(value) and spec.kind != "texts":
                raise AnalysisError("PARAMETER_TWICE", f"Parameter {spec.name} names something twice.")
            unknown = [item for item in value if spec.kind == "choices" and item not in spec.choices]
            if unknown:
                known = ", ".join(spec.choices)
                raise AnalysisError("PARAMETER_CHOICE", f"Parameter {spec.name} knows no {unknown[0]}. Known: {known}.")
        case _:
            raise _wrong(spec)


def _wrong(spec: ParameterSpec) -> AnalysisError:
    wanted = {
        "column": "the name of a column",
        "columns": "a list of column names",
        "level": "a level's code, or a whole number",
        "whole number": "a whole number",
        "whole numbers": "a list of whole numbers",
        "slots": "a list of the recipe's slots",
        "choices": f"a list of {', '.join(spec.choices)}",
        "texts": "a list of texts",
    }[spec.kind]
    return AnalysisError("PARAMETER_KIND", f"Parameter {spec.name} must be {wanted}.")


def text(parameters: Mapping[Name, Parameter], name: Name) -> str:
    """Return a checked parameter that is one column's name."""
    (value,) = _items(parameters[name], str)
    return value


def names(parameters: Mapping[Name, Parameter], name: Name) -> tuple[str, ...]:
    """Return a checked parameter that is a list of columns, slots, choices or texts; empty where it was not given."""
    return _items(parameters.get(name, ()), str)


def whole(parameters: Mapping[Name, Parameter], name: Name) -> int:
    """Return a checked parameter that is one whole number."""
    (value,) = _items(parameters[name], int)
    return value


def wholes(parameters: Mapping[Name, Parameter], name: Name) -> tuple[int, ...]:
    """Return a checked parameter that is a list of whole numbers; empty where it was not given."""
    return _items(parameters.get(name, ()), int)


def _items(value: Parameter, kind: type[Item]) -> tuple[Item, ...]:
    items = value if isinstance(value, tuple) else (value,)
    return tuple(item for item in items if isinstance(item, kind))
