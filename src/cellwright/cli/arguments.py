"""Arguments that several commands share, and what a shell completes them with."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import typer

from cellwright.cells import names
from cellwright.errors import CellwrightValueError

Command = TypeVar("Command", bound=Callable[..., object])

JSON = "cellwright.json"
"""Under this key a command's context, and so its parents', knows of ``--json``."""


class UsageError(CellwrightValueError):
    """An option that cannot be understood."""


def complete_cell(incomplete: str) -> list[str]:
    """Return the library's cells that begin so."""
    return [name for name in names() if name.startswith(incomplete)]


CellName = Annotated[
    str,
    typer.Argument(
        metavar="CELL",
        help="A cell of the library, or the path of a .cell file.",
        autocompletion=complete_cell,
    ),
]


def _note_json(context: typer.Context, asked: bool) -> bool:
    context.meta[JSON] = asked
    return asked


AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print JSON, and nothing else, on stdout.",
        callback=_note_json,
    ),
]


def examples(*lines: str) -> Callable[[Command], Command]:
    """Add examples to the help of a command; each of them is run by a test.

    Args:
        lines: what a person types.
    """

    def add(command: Command) -> Command:
        shown = "\n".join(f"  {line}" for line in lines)
        text = inspect.cleandoc(command.__doc__ or "")
        # By this backspace click knows that the lines are to stay as they are.
        command.__doc__ = f"{text}\n\n\b\nExamples:\n{shown}"
        return command

    return add


def pairs(option: str, given: Sequence[str]) -> dict[str, float | int]:
    """Read options of the form NAME=NUMBER.

    Raises:
        UsageError: for anything else, a number that is not finite, and a name that is
            given twice.

    Example:
        >>> pairs("--set", ["heads=8", "alpha=0.5"])
        {'heads': 8, 'alpha': 0.5}
    """
    found: dict[str, float | int] = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            number = float(value) if equals and name else None
        except ValueError:
            number = None
        if number is None:
            raise UsageError(
                f"{option} {text}: takes NAME=NUMBER\n"
                f"  fix: {option} {name if name.isidentifier() else 'hidden_size'}=8"
            )
        if not math.isfinite(number):
            raise UsageError(
                f"{option} {text}: takes a finite number\n"
                f"  fix: give {name} a number, such as {option} {name}=1"
            )
        if name in found:
            raise UsageError(
                f"{option} {text}: {name} is given already, as {found[name]}\n"
                "  fix: give it once"
            )
        whole = value.strip().lstrip("+-").isdigit()
        found[name] = int(value) if whole else number
    return found
