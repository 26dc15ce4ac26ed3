"""What a run used, as BibTeX: its cell, its task, its data and how it was trained."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from cellwright.cells.library import find, names
from cellwright.explain.bibliography import (
    Entry,
    bibtex,
    cell_entries,
    function_entries,
    table,
)
from cellwright.language.cell import Cell
from cellwright.tasks import sunspots

from .folder import Folder, read_config
from .jobs import JOBS
from .settings import CellSettings

Keys = tuple[str, ...]

TASKS: Mapping[str, Keys] = {
    "series": (),
    "adding": ("hochreiter1997long",),
    "periodic": (),
}
"""By the kinds of jobs."""

CHOICES: Mapping[str, Mapping[str, Keys]] = {
    "optimiser": {
        "adam": ("kingma2015adam",),
        "adamw": ("loshchilov2019decoupled",),
        "sgd": ("robbins1951stochastic",),
        "rmsprop": ("tieleman2012lecture",),
    },
    "schedule": {
        "constant": (),
        "linear": (),
        "cosine": ("loshchilov2017sgdr",),
        "warm restarts": ("loshchilov2017sgdr",),
    },
}
"""By settings with names for values."""

AMOUNTS: Mapping[str, Keys] = {
    "momentum": ("polyak1964methods",),
    "warmup": ("goyal2017accurate",),
    "clip": ("pascanu2013difficulty",),
    "average": ("polyak1992acceleration",),
    "dropout": ("zaremba2014recurrent",),
}
"""By settings that are a number, and not used where it is 0."""

LAYER: Mapping[str, Keys] = {
    "forget_bias": ("jozefowicz2015empirical",),
    "chrono": ("tallec2018can",),
    "zoneout": ("krueger2017zoneout",),
    "variational_dropout": ("gal2016theoretically",),
    "weight_dropout": ("merity2018regularizing",),
}
"""By arguments of a layer, where they are given and not 0."""

PLAIN = frozenset(
    {
        *("accumulate", "batch_size", "cell", "cell_options", "change", "epochs"),
        *("forget_bias", "hidden_size", "history", "horizon", "learning_rate"),
        *("noise", "num_layers", "patience", "period", "restarts", "season", "seed"),
        *("start", "steps", "variant", "weight_decay"),
    }
)
"""Settings that no paper stands for, or whose papers `LAYER` and the cell name."""

SHIPPED: Mapping[str, tuple[Callable[[], Any], Keys]] = {
    "sunspots": (sunspots, ("smith2017pmdarima",))
}
"""Series that travel with the package, and where they come from."""


def cite(*what: str | os.PathLike[str] | Cell) -> str:
    """Return the references of cells, and of exactly what runs used, as BibTeX.

    Args:
        what: Folders of runs; or cells, as `cellwright.cells.find` takes them.

    Returns:
        The text of a ``.bib`` file, each reference once. Of a cell: its papers and
        those of the cells that it extends. Of a run also its task or its shipped data,
        the optimiser and what else it was trained with, PyTorch and cellwright itself.

    Raises:
        RunError: The folder holds no run.
        CellwrightError: There is no such cell.

    Example:
        >>> print(cite("elman", "elman").count("@"), cite("gru", "elman").count("@"))
        1 2
    """
    return bibtex(entry for one in what for entry in _entries(one))


def _entries(what: str | os.PathLike[str] | Cell) -> list[Entry]:
    if isinstance(what, Cell) or not _is_folder(what):
        return cell_entries(find(what))
    return run_entries(what)


def _is_folder(what: str | os.PathLike[str]) -> bool:
    """Whether a run is meant: a folder, and not one that is called as a cell is."""
    text = os.fspath(what)
    if "\n" in text or not Path(text).is_dir():
        return False
    return text not in names() or Folder(Path(text)).config.exists()


def run_entries(folder: str | os.PathLike[str]) -> list[Entry]:
    """Return the references of what a run used; it need not be finished.

    Args:
        folder: The result folder.

    Raises:
        RunError: It holds no run.
    """
    config = read_config(Folder(Path(folder)))
    settings = JOBS[config["job"]].SETTINGS.from_json(config["settings"])
    known = table()
    keys = [*TASKS[config["job"]], *_data_keys(config), *_setting_keys(settings)]
    return [
        *cell_entries(settings.cell),
        *function_entries(settings.cell),
        *(known[key] for key in keys),
        known["paszke2019pytorch"],
        software(),
    ]


def software() -> Entry:
    """Return the entry of cellwright itself, in the version that is installed."""
    found = metadata.metadata("cellwright")
    fields = (
        ("author", "{The cellwright authors}"),
        ("title", "{cellwright}: " + found["Summary"].rstrip(".")),
        ("note", f"Version {found['Version']}"),
        ("year", "2026"),
    )
    return Entry("cellwright", "misc", fields)


def _setting_keys(settings: CellSettings) -> Iterator[str]:
    for name, papers in CHOICES.items():
        yield from papers[getattr(settings, name)]
    for name, papers in AMOUNTS.items():
        if getattr(settings, name, 0):
            yield from papers
    options = {**settings.cell_options, **getattr(settings, "layer_options", {})}
    for name, papers in LAYER.items():
        if options.get(name):
            yield from papers


def _data_keys(config: Mapping[str, Any]) -> Iterator[str]:
    digest = config.get("data", {}).get("sha256")
    for load, papers in SHIPPED.values():
        if digest and load().sha256 == digest:
            yield from papers
