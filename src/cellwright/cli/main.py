"""The command ``cellwright``: its commands in order, and how it ends."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer

from .arguments import examples
from .faults import INTERRUPTED, Commands, close_output, own_fault
from .output import write_lines

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    # Help is printed as it is written: [hidden_size] is a shape, not markup.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(asked: bool) -> None:
    if asked:
        write_lines([f"cellwright {metadata.version('cellwright')}"])
        raise typer.Exit


@app.callback()
@examples(
    "cellwright cells",
    "cellwright show lstm",
    "cellwright train sunspots",
    "cellwright train series --help",
)
def cellwright(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Write a recurrent cell once, as its equations.

    Every command ends with status 0, with 1 where the answer is no, and with 2 for bad
    use or bad input.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its status.

    Args:
        arguments: what stands behind ``cellwright``; ``sys.argv`` if None.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without ² shows ?, rather than no answer.
            stream.reconfigure(errors="replace")
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        return close_output()
    except KeyboardInterrupt:
        # One more, while the first one is answered.
        return INTERRUPTED
    return status


def _run(arguments: Sequence[str] | None) -> int:
    try:
        app(arguments, prog_name="cellwright")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except Exception as fault:  # noqa: BLE001  # every fault of ours is told as one
        return own_fault(fault)
    return 0
