"""The commands in their order; the module of one is imported when it is asked for.

torch takes seconds to import. What reads text alone (``show``, ``cells``, ``figure``,
``diff``, ``new``, ``cache``) does without it, and so does the list of commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer

SUMMARIES = {
    "cells": "List the cells of the library by family, or those of a folder.",
    "show": "Show what a cell says, or what is wrong with it.",
    "figure": "Draw a cell, or a layer of it folded and step by step, as SVG.",
    "new": "Write a cell file to change, begun from a cell that is there.",
    "diff": "Compare two cells: equations, declarations and parameters.",
    "explain": "Explain a network: shapes, states, gates, wiring, parameters, work.",
    "train": "Train a network, and measure it beside the simplest answers.",
    "predict": "Forecast what follows a series, with a trained run.",
    "bench": "Time layers beside their peers, each checked for right numbers first.",
    "cite": "Print what runs used, or what cells cite, as BibTeX; each reference once.",
    "cache": "List the kernels that were built on this machine, or remove them.",
}
"""By command, the first line of its help. Each is in the module of its name."""


class Lazily(Mapping[str, Any]):
    """Click's commands by name, each made from its module when it is first taken."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return a command, importing it."""
        if name not in self._made:
            if name not in SUMMARIES:
                raise KeyError(name)
            self._made[name] = _make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names in their order."""
        return iter(SUMMARIES)

    def __len__(self) -> int:
        """Return how many commands there are."""
        return len(SUMMARIES)


def _make(name: str) -> Any:
    found = getattr(import_module(f".{name}", __package__), name)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(rich_markup_mode=None, add_completion=False)
        alone.command(name)(found)
        found = alone
    command = typer.main.get_command(found)
    command.name = name
    return command
