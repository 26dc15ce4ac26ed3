"""Turn what a command raises into a message and a status: never a traceback of ours."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from cellwright.errors import CellwrightError

from .arguments import JSON
from .commands import SUMMARIES, Lazily
from .output import leads, message, write_json

NO = 1
BAD_INPUT = 2
OWN_FAULT = 70
"""EX_SOFTWARE of BSD's sysexits.h."""
INTERRUPTED = 130
CLOSED_PIPE = 141
"""What a shell says of cat in the same place."""


class Commands(TyperGroup):
    """The commands of cellwright; what one of them raises ends here."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": {}})
        # Once more, because the constructor takes nothing but a dict or a list.
        self.commands: Any = Lazily()

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return self._answer(ctx)
        except BrokenPipeError:
            raise typer.Exit(close_output()) from None
        except KeyboardInterrupt as stop:
            message(str(stop) or "Interrupted.")
            raise typer.Exit(INTERRUPTED) from None

    def _answer(self, ctx: Any) -> Any:
        """Run the command; bad input is told in words and, with --json, as JSON."""
        try:
            return super().invoke(ctx)
        except (BrokenPipeError, KeyboardInterrupt):
            raise
        except (CellwrightError, OSError) as error:
            if ctx.meta.get(JSON):
                write_json(as_data(error))
            message(describe(error))
            raise typer.Exit(BAD_INPUT) from None


def describe(error: CellwrightError | OSError) -> str:
    """Return the message of an error, as it is or in the house's form."""
    if isinstance(error, CellwrightError) or error.filename is None:
        return str(error)
    return f"{error.filename}: {error.strerror}"


def as_data(error: CellwrightError | OSError) -> dict[str, Any]:
    """Return an error as plain data: its message, and the faults of a file."""
    if isinstance(error, CellwrightError):
        return error.to_json()
    return {"error": describe(error), "faults": []}


def close_output() -> int:
    """Let nothing more be written where nobody reads, and return the status."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return CLOSED_PIPE


def own_fault(fault: Exception) -> int:
    """Say that the fault is ours, write the traceback to a file and name it."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="cellwright-fault-", suffix=".txt", encoding="utf-8", delete=False
    ) as file:
        file.write(" ".join(["cellwright", *sys.argv[1:]]) + "\n\n")
        traceback.print_exception(fault, file=file)
    message(
        f"This is a fault of cellwright, not of your input: "
        f"{type(fault).__name__}: {fault}\n"
        f"  Please report it with {file.name}, which says where it happened."
    )
    return OWN_FAULT


def _show_warning(text: Warning | str, *_: object, **__: object) -> None:
    if leads():  # All processes warn of the same.
        message(f"warning: {text}")
