"""``cellwright cache``: the kernels that were built on this machine."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from cellwright.backends.c.folder import fallback_folder, main_folder, obstacle
from cellwright.backends.c.inventory import Entry, Removed, clear, entries

from .arguments import AsJson, examples
from .output import width, write_json, write_lines

HEADINGS = ("cell", "variant", "dtype", "level", "built", "size")
VARIANT = HEADINGS.index("variant")


@examples(
    "cellwright cache",
    "cellwright cache --clear",
    "cellwright cache --json",
)
def cache(
    remove: Annotated[
        bool, typer.Option("--clear", help="Remove all kernels.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the kernels that were built on this machine, or remove them.

    A kernel that is missing is built again when a layer needs it. The folder is the one
    that CELLWRIGHT_CACHE_DIR names, or else cellwright in the cache folder of the user.
    """
    main, fallback = main_folder(), fallback_folder()
    wrong = None if main is None else obstacle(main)
    folder = fallback if main is None or wrong is not None else main
    if wrong is not None and not as_json:
        write_lines([f"{wrong} is no folder, so that kernels go to {fallback}"])
    if remove:
        removed = [each for each in clear() if each.bytes]
        if as_json:
            write_json(_plain_removed(folder, removed))
        else:
            write_lines(
                f"Removed {_total(each.kernels, each.bytes)}, from {each.folder}"
                for each in removed or [Removed(folder, 0, 0)]
            )
        return
    found = entries()
    if as_json:
        total = sum(entry.bytes for entry in found)
        rows = [_plain(entry) for entry in found]
        write_json({"folder": str(folder), "bytes": total, "kernels": rows})
    else:
        write_lines(listing(folder, found, width()))


def listing(folder: Path, found: Sequence[Entry], columns: int) -> Iterator[Text | str]:
    """Yield the lines of the list: a sum for each folder, a row for each kernel.

    Args:
        folder: where kernels go; it is named where there are none.
        found: the kernels.
        columns: the width that no line passes.
    """
    places = {entry.folder for entry in found} or {folder}
    for place in sorted(places, key=lambda place: (place != folder, place)):
        sizes = [entry.bytes for entry in found if entry.folder == place]
        yield f"{_total(len(sizes), sum(sizes))}, in {place}"
    if found:
        yield ""
        yield from table([_cells(entry) for entry in found], columns)


def table(rows: Sequence[tuple[str, ...]], columns: int) -> Iterator[Text]:
    """Yield a heading and the rows; variants stand below them where there is no room.

    Args:
        rows: texts under `HEADINGS`.
        columns: the width that no line passes.
    """
    shown = [HEADINGS, *rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    beside = sum(widths) + 2 * (len(widths) - 1) <= columns
    if not beside:
        widths[VARIANT] = 0
    # The name of a cell is a person's own, and may be as long as it likes.
    others = sum(size + 2 for size in widths[1:] if size)
    widths[0] = min(widths[0], columns - others)
    for number, row in enumerate(shown):
        words = [
            word.rjust(size) if heading == "size" else word.ljust(size)
            for heading, word, size in zip(HEADINGS, row, widths, strict=True)
            if size
        ]
        if len(row[0]) > widths[0]:
            words[0] = row[0][: widths[0] - 1] + "…"
        line = Text("  ".join(words), "bold" if number == 0 else "")
        line.stylize("bold", 0, widths[0])
        yield line
        if number and not beside:
            for part in textwrap.wrap(row[VARIANT], columns - 4):
                yield Text(" " * 4 + part, "dim")


def readable(size: int) -> str:
    """Return a number of bytes as people say it.

    Example:
        >>> [readable(size) for size in (0, 999, 15_603, 999_999, 2_500_000)]
        ['0 B', '999 B', '15.6 kB', '1.0 MB', '2.5 MB']
    """
    if size < 1000:
        return f"{size} B"
    if size < 999_950:
        return f"{size / 1e3:.1f} kB"
    return f"{size / 1e6:,.1f} MB"


def _total(kernels: int, size: int) -> str:
    return f"{kernels:,} {'kernel' if kernels == 1 else 'kernels'}, {readable(size)}"


def _cells(entry: Entry) -> tuple[str, ...]:
    kernel = entry.sidecar
    when = datetime.fromisoformat(kernel.built).astimezone()
    texts = (kernel.cell, kernel.variant, kernel.dtype, kernel.level)
    return (*texts, f"{when:%Y-%m-%d %H:%M}", readable(entry.bytes))


def _plain_removed(folder: Path, removed: Sequence[Removed]) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "kernels": sum(each.kernels for each in removed),
        "bytes": sum(each.bytes for each in removed),
        "folders": [{**asdict(each), "folder": str(each.folder)} for each in removed],
    }


def _plain(entry: Entry) -> dict[str, Any]:
    return {**asdict(entry.sidecar), "folder": str(entry.folder), "bytes": entry.bytes}
