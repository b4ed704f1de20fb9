"""What an enclave is: one profile, fixed in its measured files and its argument vector, never given by the host.

Each profile is a module here that names its analyses and what these import. It is found by its name, so that nothing
imports the others: an enclave loads, and is measured over, what its own profile needs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, cast

from enclave.analyses.base import Analysis
from protocol.errors import AccessDenied, AnalysisError
from protocol.types import Name

__all__ = ["PROFILES", "Profile", "load_profile"]

PROFILES: Final = ("clinical", "discovery", "genomics")


@dataclass(frozen=True, slots=True)
class Profile:
    """An enclave profile.

    Parameters
    ----------
    name
        As contracts name it.
    listed
        Its analyses. Each has a data type of its own, which only it sees.
    libraries
        Modules that these import when they run.
    row_limit
        Rows that it reads, of all tables together; more is refused before any key is asked for.
    byte_limit
        Plain bytes of tables that it reads, of all tables together. Genotypes are streamed and do not count.
    """

    name: Name
    listed: tuple[Analysis[Any], ...]
    libraries: tuple[str, ...]
    row_limit: int
    byte_limit: int

    @property
    def analyses(self) -> Mapping[Name, Analysis[Any]]:
        """The analyses by name."""
        return MappingProxyType({analysis.descriptor.name: analysis for analysis in self.listed})

    def find_analysis(self, name: Name) -> Analysis[Any]:
        """Return the analysis, or raise ``AnalysisError`` with ``ANALYSIS_UNKNOWN``."""
        if name not in self.analyses:
            known = ", ".join(self.analyses)
            raise AnalysisError("ANALYSIS_UNKNOWN", f"There is no analysis {name} in profile {self.name}: {known}.")
        return self.analyses[name]

    def require_readable(self, tables: Iterable[tuple[int, int]]) -> None:
        """Raise ``AccessDenied`` with ``ROW_LIMIT`` unless tables of so many (rows, plain bytes) can be read."""
        sizes = tuple(tables)
        rows, size = sum(rows for rows, _ in sizes), sum(size for _, size in sizes)
        if rows > self.row_limit or size > self.byte_limit:
            raise AccessDenied(
                "ROW_LIMIT",
                f"The tables have {rows} rows and {size} bytes together; profile {self.name} reads {self.row_limit} "
                f"rows and {self.byte_limit} bytes. Seal fewer columns or fewer subjects.",
            )

    def load_libraries(self) -> None:
        """Import now what takes seconds, so that no import happens, or is missing, once keys are open."""
        for library in self.libraries:
            import_module(library)


def load_profile(name: str) -> Profile:
    """Return a profile of ``PROFILES``, or raise ``AnalysisError`` with ``PROFILE``."""
    if name not in PROFILES:
        raise AnalysisError("PROFILE", f"There is no enclave profile {name!a}: {', '.join(PROFILES)}.")
    return cast(Profile, import_module(f"{__name__}.{name}").PROFILE)
