"""Show how far a run is: a bar on a terminal, a line for each row elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from .run import Report


@contextmanager
def reporting() -> Iterator[Report]:
    """Give what `run.bench` reports to, on standard error, while the block runs."""
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield (
            lambda done, total, text: (
                console.print(f"{done + 1}/{total} {text}", soft_wrap=True)
                if text
                else None
            )
        )
        return
    one_line = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    columns = (
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False, table_column=one_line),
    )
    with Progress(*columns, console=console, expand=True) as bar:
        task = bar.add_task("")
        yield lambda done, total, text: bar.update(
            task, completed=done, total=total, description=text
        )
