"""References as BibTeX: those that a cell's file names, and those of a table.

``references.bib`` holds each reference that we know in full, once. A cell's own comment
finds its entries by DOI or arXiv number; where the table has none, as for a cell of
yours, the entry says what the comment says, and a line that cannot be read is told.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from cellwright.language.cell import Cell
from cellwright.language.report import Source
from cellwright.language.source import top_comment

from .latex_text import escape, special_letters
from .reference_lines import Part, is_meant, parts, said

_ENTRY = re.compile(r"^@(\w+)\{([^,\s]+),\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^ +(\w+) += \{(.*?)\},?$", re.MULTILINE | re.DOTALL)
_VERSION = re.compile(r"(?<=\d)v\d+$")
_BRACES = {r"\{": r"\textbraceleft{}", r"\}": r"\textbraceright{}"}
"""BibTeX counts braces, escaped ones too."""
_UNSAFE = re.compile(r'[\s{}"\\]')
"""What no identifier has that can stand in a field."""


class ReferenceWarning(UserWarning):
    """A line of a comment is meant as a reference, and cannot be read as one."""


@dataclass(frozen=True)
class Entry:
    """A reference.

    Args:
        key: what a paper cites it by.
        kind: BibTeX's word for what it is, such as ``article``.
        fields: names and values, as BibTeX has them.
    """

    key: str
    kind: str
    fields: tuple[tuple[str, str], ...]

    def __getitem__(self, name: str) -> str:
        """Return a field; empty if there is none."""
        return dict(self.fields).get(name, "")

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Its DOI and its arXiv number, as `identifiers` writes them."""
        found = [("doi", self["doi"]), ("arXiv", self["eprint"])]
        return tuple(_identifier(kind, text) for kind, text in found if text)

    @property
    def text(self) -> str:
        """The entry as BibTeX reads it."""
        width = max(len(name) for name, _ in self.fields)
        lines = [f"  {name:{width}} = {{{value}}}," for name, value in self.fields]
        return "\n".join([f"@{self.kind}{{{self.key},", *lines, "}"]) + "\n"


@lru_cache(maxsize=1)
def table() -> dict[str, Entry]:
    """Return the references that we know in full, by their keys.

    Example:
        >>> table()["kingma2015adam"]["year"]
        '2015'
    """
    file = resources.files("cellwright.explain") / "references.bib"
    text = file.read_text(encoding="utf-8")
    entries = (
        Entry(
            key, kind, tuple((n, " ".join(v.split())) for n, v in _FIELD.findall(body))
        )
        for kind, key, body in _ENTRY.findall(text)
    )
    return {entry.key: entry for entry in entries}


def cell_entries(cell: Cell) -> list[Entry]:
    """Return what a cell cites: its own references first, then those of its bases.

    Example:
        >>> import cellwright as cw
        >>> [entry.key for entry in cell_entries(cw.cells.load("peephole_lstm"))]
        ['gers2000recurrent', 'greff2017lstm', 'gers2000learning']
    """
    return unique(e for source in reversed(cell.chain) for e in _of_source(source))


FUNCTION_PAPERS: Mapping[str, str] = {
    "layer_norm": "ba2016layer",
    "surrogate": "neftci2019surrogate",
    "glorot": "glorot2010understanding",
    "orthogonal": "saxe2014exact",
    **dict.fromkeys(
        (
            *("sigmoid", "tanh", "relu", "exp", "log", "sqrt", "abs", "floor", "sin"),
            *("cos", "softplus", "log_sigmoid", "maximum", "minimum", "where", "silu"),
            *("clip", "hard_sigmoid", "sum", "mean", "max", "softmax", "concat"),
            *("split", "repeat", "transpose", "stop_gradient", "uniform", "normal"),
        ),
        "",
    ),
}
"""By functions of the language, the key of the paper that whoever uses one cites."""


def function_entries(cell: Cell) -> list[Entry]:
    """Return the papers of functions and draws that a cell uses.

    Example:
        >>> import cellwright as cw
        >>> [entry.key for entry in function_entries(cw.cells.load("lstm_norm_joint"))]
        ['ba2016layer']
    """
    texts = [e.text for e in cell.equations] + [d.value for d in cell.declarations]
    words = {word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text)}
    keys = [key for name, key in FUNCTION_PAPERS.items() if key and name in words]
    return [table()[key] for key in keys]


def own_entries(cell: Cell) -> list[Entry]:
    """Return what a cell's own file cites, or the nearest base that cites something."""
    for source in reversed(cell.chain):
        found = _of_source(source)
        if found:
            return unique(found)
    return []


def unique(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries in their order, each once."""
    return list({entry.key: entry for entry in entries}.values())


def bibtex(entries: Iterable[Entry]) -> str:
    """Return entries as the text of a ``.bib`` file.

    Example:
        >>> import cellwright as cw
        >>> print(bibtex(cell_entries(cw.cells.load("elman"))).splitlines()[1])
          author  = {Elman, Jeffrey L.},
    """
    return "\n".join(entry.text for entry in unique(entries))


def from_comment(line: str) -> Entry | None:
    """Return the entry that a line of a comment says; None if it is no reference.

    Args:
        line: authors, year, quoted title, and a DOI or an arXiv number.

    Example:
        >>> entry = from_comment(
        ...     'Doe & Roe, 2030, "A cell of 1 unit". arXiv:3001.00001v2'
        ... )
        >>> entry.key, entry["author"], entry["eprint"]
        ('doe2030-3001.00001v2', 'Doe and Roe', '3001.00001v2')
    """
    found = parts(line)
    return _said(found[0]) if len(found) == 1 else None


def _said(part: Part) -> Entry | None:
    """Return the entry that one reference of a line says."""
    found = said(part.text)
    marks = dict(part.marks)
    if found is None or not marks or any(map(_UNSAFE.search, marks.values())):
        return None
    authors = map(special_letters, found.authors)
    fields = [("author", " and ".join(authors))]
    if found.title:
        fields.append(("title", f"{{{_escaped(found.title)}}}"))
    fields.append(("year", found.year))
    if "doi" in marks:
        fields.append(("doi", marks["doi"]))
    if "arXiv" in marks:
        fields += [("eprint", marks["arXiv"]), ("archiveprefix", "arXiv")]
    key = _key(found.authors[0], found.year, part.marks[0][1])
    return Entry(key, "misc", tuple(fields))


def _escaped(text: str) -> str:
    return re.sub(r"\\[{}]", lambda brace: _BRACES[brace[0]], escape(text))


def _of_source(source: Source) -> list[Entry]:
    entries: list[Entry] = []
    for number, line in enumerate(top_comment(source.text), start=1):
        found = parts(line)
        for part in found:
            full = [entry for mark in part.marks if (entry := _known(*mark))]
            own = None if full else _said(part)
            entries += full or ([own] if own else [])
            if not full and own is None:
                _warn(source, number, line)
        if not found and is_meant(line):
            _warn(source, number, line)
    return entries


def _warn(source: Source, number: int, line: str) -> None:
    warnings.warn(
        f'{source.label}:{number}: a reference is authors, year, "title" and a DOI or '
        f"an arXiv number; it is left out, found {line!r}\n"
        '  fix: # J. Doe, K. Roe & L. Poe, 2030, "A cell". arXiv:3001.00001',
        ReferenceWarning,
        stacklevel=2,
    )


def _known(kind: str, text: str) -> Entry | None:
    """Return the table's entry of an identifier; a version may be another paper."""
    known = {mark: entry for entry in table().values() for mark in entry.identifiers}
    mark = _identifier(kind, text)
    return known.get(mark) or known.get(_VERSION.sub("", mark))


def _identifier(kind: str, text: str) -> str:
    # A DOI is the same in any case.
    return f"arXiv:{text}" if kind == "arXiv" else f"doi:{text.lower()}"


def _key(author: str, year: str, identifier: str) -> str:
    """Return a key that no other paper has, whatever else a list has in it."""
    body = author.startswith("{")
    family = author if body else author.split(",")[0].split()[-1]
    folded = unicodedata.normalize("NFKD", family).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^a-z0-9.:/()<>;-]", _hexadecimal, identifier.lower())
    return re.sub(r"[^a-z]", "", folded.lower()) + f"{year}-{plain}"


def _hexadecimal(character: re.Match[str]) -> str:
    return f"+{ord(character[0]):x}"
