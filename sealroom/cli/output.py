"""How the command line prints: data on standard output, words and progress on standard error."""

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # what a broker lists is loaded by the commands that ask it
    from sealroom.listing import Entry

__all__ = [
    "Advance",
    "confirm",
    "print_entries",
    "print_json",
    "print_rows",
    "print_text",
    "progress",
    "say",
    "wrapped",
]


_LEAST_COLUMN = 30


class Advance(Protocol):
    """Tells a progress bar that so much more is done."""

    def __call__(self, amount: int) -> None:
        """Advance by ``amount``."""


def say(text: str) -> None:
    """Write a message for people."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def print_text(text: str) -> None:
    """Write data as text."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def wrapped(start: str, text: str) -> str:
    """Return ``start`` and a text under itself as wide as the terminal; one line where there is none, for programs."""
    if not sys.stdout.isatty():
        return start + text
    return textwrap.fill(
        text,
        width=max(shutil.get_terminal_size().columns, len(start) + _LEAST_COLUMN),
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_on_hyphens=False,
    )


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Write data as one JSON value."""
    print_text(json.dumps(value, indent=2, ensure_ascii=False))


def print_rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows in aligned columns; long values are not cut, for they are copied."""
    if not rows:
        say("There is nothing to list.")
        return
    table = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(head))]
    for row in table:
        print_text("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_entries(head: Sequence[str], entries: Sequence["Entry"], *, as_json: bool) -> None:
    """Write what a broker lists: a list of objects, or rows under ``head``."""
    if as_json:
        print_json([entry.fields() for entry in entries])
    else:
        print_rows(head, [entry.row() for entry in entries])


def confirm(question: str) -> bool:
    """Ask on the terminal; False where there is none to ask."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """Show a bar on standard error while the block runs; nothing where that is no terminal."""
    if not sys.stderr.isatty():

        def quiet(amount: int) -> None:
            """Nobody watches."""
            del amount

        yield quiet
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)

        def advance(amount: int) -> None:
            """Move the bar."""
            bar.advance(task, amount)

        yield advance
