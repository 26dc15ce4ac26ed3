"""List the library's cells and load any cell: by name, from a file or from a text."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from shlex import quote

from cellwright.errors import (
    CellwrightError,
    CellwrightTypeError,
    CellwrightValueError,
)
from cellwright.language.cell import Cell, read_cell
from cellwright.language.report import Source, did_you_mean
from cellwright.language.source import read_source

_FOLDER = Path(__file__).parent


class UnknownCellError(CellwrightError, KeyError):
    """No cell of that name in the library."""

    def __str__(self) -> str:
        return str(self.args[0])


class CellFileError(CellwrightError, OSError):
    """A cell file that cannot be read."""


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Return the names of the library's cells, sorted.

    Example:
        >>> "lstm" in names()
        True
    """
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.cell")))


def files(folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Return the cell files of a folder, sorted; `find` takes each of them.

    Args:
        folder: holds ``.cell`` files; folders inside of it are not looked into.

    Raises:
        CellFileError: when it is no folder, or holds no cell file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "is not there"
        raise CellFileError(f"{folder}: {what}; a list of cells is that of a folder")
    found = tuple(sorted(folder.glob("*.cell")))
    if not found:
        raise CellFileError(f"{folder}: holds no file NAME.cell")
    return found


@lru_cache(maxsize=256)
def load(name: str) -> Cell:
    """Return a cell of the library.

    Args:
        name: its file's name without the ending.

    Raises:
        UnknownCellError: when the library has no such cell.

    Example:
        >>> load("lstm").year
        2000
    """
    if name not in names():
        raise UnknownCellError(
            f"{name!r} is not a cell of the library\n  fix: {_meant(name)}"
        )
    return read_cell(_library_source(name), _resolve, names())


def find(cell: str | os.PathLike[str] | Cell) -> Cell:
    """Return a cell from whatever names one.

    Args:
        cell: a library name (``"lstm"``), the path of a ``.cell`` file, the text of one
            (anything with a line break), or a Cell.

    Raises:
        CellError: with every fault of a file or a text.
        CellFileError: when a file cannot be read.
        UnknownCellError: when it is none of these.
        CellwrightTypeError: when it cannot be one.
    """
    if isinstance(cell, Cell):
        return cell
    if not isinstance(cell, str | os.PathLike):
        raise CellwrightTypeError(
            "a cell is a name of the library, the path or the text of a .cell file, "
            f"or a Cell; got {cell!r}"
        )
    text = os.fspath(cell)
    if "\n" in text or "\r" in text:
        return read_cell(Source("cell", text, "<text>"), _resolve, names())
    if isinstance(cell, os.PathLike) or text.endswith(".cell") or os.sep in text:
        return _from_file(Path(text))
    if text not in names() and Path(f"{text}.cell").is_file():
        raise UnknownCellError(
            f"{text!r} is not a cell of the library\n"
            f"  fix: did you mean the file '{text}.cell'?"
        )
    return load(text)


def _meant(name: str) -> str:
    """Return what to write in place of a name that the library has not."""
    path = Path(name)
    if path.suffix == ".cell" and path.is_file():
        return f"cellwright.cells.find({name!r}) reads a file"
    if name and path.is_dir():
        return f"`cellwright cells {quote(name)}` lists the cells of a folder"
    stem = name.removesuffix(".cell").lower().replace("-", "_")
    close = did_you_mean(stem, names()) or _file_near(path)
    listed = "`cellwright cells` lists the library's; a file's name ends in .cell"
    return "\n       ".join(filter(None, (close, listed)))


def _file_near(path: Path) -> str:
    """Return "did you mean ...?" with a cell file that is there, or nothing."""
    there = {each.stem: str(each) for each in path.parent.glob("*.cell")}
    return did_you_mean(path.name.removesuffix(".cell"), there, there)


def _from_file(path: Path) -> Cell:
    folder = path.resolve().parent

    def resolve(name: str, user: Source) -> Source | None:
        # A neighbour of the file comes first; a file never extends itself, so a
        # lstm.cell that says `extends lstm` changes the library's.
        beside = folder / f"{name}.cell"
        if user.label.startswith("library:") or not beside.is_file():
            return _resolve(name, user)
        found = _read(beside)
        return _resolve(name, user) if found == user else found

    return read_cell(_read(path), resolve, names())


def _read(path: Path) -> Source:
    try:
        return read_source(path, str(path))
    except OSError as error:
        reason = error.strerror or str(error)
        near = isinstance(error, FileNotFoundError) and _file_near(path)
        fix = f"\n  fix: {near}" if near else ""
        raise CellFileError(f"{path}: cannot be read: {reason}{fix}") from error


def _resolve(name: str, _: Source) -> Source | None:
    return _library_source(name) if name in names() else None


def _library_source(name: str) -> Source:
    return read_source(_FOLDER / f"{name}.cell", f"library:{name}.cell")


def options_error(cell: Cell, name: str, known: list[str]) -> CellwrightValueError:
    """Return the error for an option that a cell has not."""
    has = f"it has: {', '.join(known)}" if known else "it has none"
    close = did_you_mean(name, known)
    text = f"{cell.name} has no size, count or constant {name!r}; {has}. {close}"
    return CellwrightValueError(text.rstrip())
