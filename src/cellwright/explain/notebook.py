"""What a terminal shows in colours, for a notebook."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType

WIDTH = 100
"""Columns of what is printed without a terminal, or stands in a notebook."""


def quiet_console(file: io.StringIO, record: bool = False) -> Console:
    """Return a console that writes what it is given, and nothing of its own.

    Args:
        file: where it writes.
        record: whether it keeps what it wrote, to be exported.
    """
    return Console(
        file=file,
        width=WIDTH,
        record=record,
        highlight=False,
        markup=False,
        emoji=False,
    )


def in_notebook(view: RenderableType) -> str:
    """Return the HTML of what a terminal would show."""
    console = quiet_console(io.StringIO(), record=True)
    console.print(view)
    frame = "<pre style='white-space:pre;overflow-x:auto'>{code}</pre>"
    return console.export_html(code_format=frame, inline_styles=True)
