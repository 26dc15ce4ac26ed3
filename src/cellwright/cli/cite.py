"""``cellwright cite``: the references of cells, and of what runs used."""

from __future__ import annotations

from typing import Annotated

import typer

import cellwright.train as training

from .arguments import AsJson, complete_cell, examples
from .output import write_json, write_lines


@examples(
    "cellwright cite runs/sunspots > references.bib",
    "cellwright cite lstm gru my.cell > references.bib",
    "cellwright cite runs/sunspots --json",
)
def cite(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Result folders of runs; or cells, by name or file.",
            autocompletion=complete_cell,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Print what runs used, or what cells cite, as BibTeX; each reference once.

    Of a run: its cell and what that extends, its task or its shipped data, the
    optimiser and whatever else it was trained with, PyTorch and cellwright itself.
    """
    text = training.cite(*what)
    if as_json:
        write_json({"bibtex": text})
    else:
        write_lines(text.splitlines())
