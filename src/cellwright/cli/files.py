"""Files that a command writes: whole or not at all, and over its own ones alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from cellwright.explain.figures.svg import MADE_BY as BY_FIGURE
from cellwright.explain.page.mark import MADE_BY as BY_EXPLAIN
from cellwright.whole_file import write_whole

from .arguments import UsageError


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.

    Args:
        ending: of its name.
        words: what it is.
        mark: what stands in each that was made here.
    """

    ending: str
    words: str
    mark: str


OTHERS = (".cell", ".gif", ".htm", ".html", ".jpeg", ".jpg", ".pdf", ".png", ".svg")
"""Endings that a name has in place of the right one."""
PICTURE = Kind(".svg", "picture", BY_FIGURE)
PAGE = Kind(".html", "page", BY_EXPLAIN)


def require_free(out: Path | None, kind: Kind, command: str) -> None:
    """Refuse another kind of file, and to write over what was not made here.

    Args:
        out: the file; None if none was asked for.
        kind: what it will be.
        command: the command up to the name of the file, for the fix.

    Raises:
        UsageError: if it is refused.
    """
    if out is None:
        return
    if out.is_dir():
        raise UsageError(
            f"{out}: a {kind.words} is a file; found a folder\n"
            f"  fix: {command} {quote(str(out / f'{kind.words}{kind.ending}'))}"
        )
    if out.suffix != kind.ending:
        # What looks like an ending may be part of a name, v1.5.
        other = out.suffix.lower() in OTHERS
        named = out.with_suffix(kind.ending) if other else f"{out}{kind.ending}"
        raise UsageError(
            f"{out}: the name of a {kind.words} ends in {kind.ending}\n"
            f"  fix: {command} {quote(str(named))}"
        )
    if out.is_file() and kind.mark not in out.read_text("utf-8", errors="replace"):
        raise UsageError(
            f"{out}: is there already, and is no {kind.words} that cellwright made; it "
            "is not overwritten\n  fix: choose another name"
        )


def write_text(out: Path, text: str) -> None:
    """Write a file whole or not at all; its folder has to be there.

    Raises:
        UsageError: if it cannot be written.
    """
    try:
        write_whole(out, text.encode("utf-8"))
    except OSError as error:
        require_folder(out)
        reason = error.strerror or str(error)
        raise UsageError(f"{out}: cannot be written: {reason}") from error


def require_folder(out: Path) -> None:
    """Refuse a file in a folder that is not there.

    Raises:
        UsageError: if it is refused.
    """
    if not out.parent.is_dir():
        raise UsageError(
            f"{out}: cannot be written: there is no such folder\n"
            f"  fix: mkdir -p {quote(str(out.parent))}"
        )
