"""Where results and messages go: results to standard output, the rest to the error."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.text import Text


class _Console(Console):
    def on_broken_pipe(self) -> None:
        # rich would end the process with status 1, which is "the answer is no" here.
        raise  # noqa: PLE0704


def console() -> Console:
    """Return the console of standard output; brackets and names stay as they are."""
    return _Console(highlight=False, markup=False, emoji=False)


def width() -> int:
    """Return the columns of the terminal: COLUMNS where it is set, 80 in a pipe."""
    return console().width


def write(renderable: RenderableType) -> None:
    """Print a table or a text, wrapped to the terminal."""
    console().print(renderable)


def write_lines(lines: Iterable[Text | str]) -> None:
    """Print lines that are laid out already: none is wrapped again."""
    out = console()
    for line in lines:
        out.print(line, soft_wrap=True)


def write_json(data: Any) -> None:
    """Print plain data as JSON, and nothing else."""
    typer.echo(json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False))


def message(text: str) -> None:
    """Print a message to standard error, as it is.

    Of several processes that torchrun started, each says which one it is.
    """
    typer.echo(
        text if leads() else f"process {os.environ.get('RANK', '?')}: {text}", err=True
    )


def leads() -> bool:
    """Say whether this process is the one that reports, alone or under torchrun."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK") == "0"
