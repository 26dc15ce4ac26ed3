"""Read a reference that a person wrote: authors, year, title, DOI or arXiv number.

What can be read in two ways is not read at all: a reference that is missing is seen,
one that names somebody else is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from .author_lists import PARTICLES, authors

# 10.1002/(SICI)...CO;2-2 has its own semicolon: what ends one is the space behind it.
_INSIDE = r"[,;](?!\s|$|doi:|arXiv:|https?:)"
_MARK = re.compile(
    rf"\bdoi:\s*(?P<doi>10\.(?:[^\s,;]|{_INSIDE})+)"
    rf"|\b(?:https?://)?(?:dx\.)?doi\.org/(?P<link>10\.(?:[^\s,;?]|{_INSIDE})+)"
    r"(?:\?\S*)?"
    r"|(?:\barXiv:\s*|\b(?:https?://)?(?:www\.)?arxiv\.org/(?:abs|pdf)/)"
    r"(?P<arXiv>(?:\d{4}\.\d{4,5}|[a-z][a-z.-]*/\d{7})(?:v\d+)?)(?!\d)(?:\.pdf\b)?",
    re.IGNORECASE,
)
_STOPS = ".,;:?!\"'’”"
_OPENED = {")": "(", "]": "[", "}": "{", ">": "<"}
_YEAR = re.compile(r",\s+(?P<plain>\d{4})\b(?![-–/]\d)|,?\s+\((?P<round>\d{4})\)")
_TITLE = re.compile(r'"(.+?)"|“(.+?)”')
_MEANT = re.compile(
    r'\b(?:doi:|arXiv:)|doi\.org/|arxiv\.org/|\b\d{4}\)?[,.:]?\s+["“]', re.IGNORECASE
)
_SENTENCE = re.compile(r"[.:]\s+")
_ABBREVIATED = re.compile(r"(?:^|[\s.-])(?:[^\W\d_]|[^\W\d_a-z][a-z]|al)$")


@dataclass(frozen=True, slots=True)
class Said:
    """What a reference says.

    Args:
        authors: as BibTeX reads them; the last one is ``others`` for *et al.*
        year: four digits.
        title: empty if there is none.
    """

    authors: tuple[str, ...]
    year: str
    title: str


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a line that belongs to one paper.

    Args:
        text: what stands before its identifiers.
        marks: kind, ``doi`` or ``arXiv``, and text of each identifier.
    """

    text: str
    marks: tuple[tuple[str, str], ...]


def is_meant(line: str) -> bool:
    """Whether whoever wrote a line means it as a reference."""
    return _MEANT.search(line) is not None


def parts(line: str) -> list[Part]:
    """Cut a line into its references, which end with their identifiers.

    Identifiers side by side belong together, if they are of different kinds.

    Example:
        >>> [
        ...     part.marks
        ...     for part in parts("A, doi:10.1/2, arXiv:3001.00001; B, doi:10.3/4")
        ... ]
        [(('doi', '10.1/2'), ('arXiv', '3001.00001')), (('doi', '10.3/4'),)]
    """
    found: list[Part] = []
    end = 0
    for mark in _MARK.finditer(line):
        one = _identifier(mark)
        between = line[end : mark.start()]
        beside = found and re.search(r"\w", between) is None
        if beside and one[0] not in dict(found[-1].marks):
            found[-1] = Part(found[-1].text, (*found[-1].marks, one))
        else:
            found.append(Part(between.strip(" .,;()"), (one,)))
        end = mark.end()
    rest = line[end:].strip(" .,;()")
    return [*found, Part(rest, ())] if is_meant(rest) else found


def said(text: str) -> Said | None:
    """Return what a reference says; None where it cannot be read in one way.

    Args:
        text: a line, or the part of it that is about one paper.

    Example:
        >>> said('Doe, O., Smith, J. and Roe et al., 2030, "Cells"').authors
        ('Doe, O.', 'Smith, J.', 'Roe', 'others')
    """
    year = _YEAR.search(text)
    if year is None:
        return None
    rest = _MARK.sub("", text[year.end() :])
    title = _TITLE.search(rest)
    if title is None and re.search(r"[^\W\d_]{2}", rest):
        return None  # words without quotes: a title, a journal, or a second reference
    if len(_TITLE.findall(rest)) > 1 or _YEAR.search(_TITLE.sub("", rest)):
        return None  # two references
    if '"' in text[: year.start()]:
        return None
    names = authors(_last_sentence(text[: year.start()].strip()))
    if names is None:
        return None
    words = (title[1] or title[2]) if title else ""
    return Said(tuple(names), year["plain"] or year["round"], words)


def _identifier(mark: re.Match[str]) -> tuple[str, str]:
    """Return the kind and the text of an identifier; a link writes some as %28."""
    if mark["link"]:
        return "doi", unquote(_bare(mark["link"]))
    return ("doi", _bare(mark["doi"])) if mark["doi"] else ("arXiv", mark["arXiv"])


def _bare(text: str) -> str:
    """Return a DOI without the signs of the sentence that it stands in."""
    while text:
        last = text[-1]
        opened = _OPENED.get(last, last)
        if last not in _STOPS and text.count(last) <= text.count(opened):
            break
        text = text[:-1]
    return text


def _last_sentence(text: str) -> str:
    """Return what stands behind the last sentence: a full stop after J. ends none."""
    start = 0
    for stop in _SENTENCE.finditer(text):
        before = text[start : stop.start()]
        prose = any(
            word[0].islower() and word not in PARTICLES | {"and", "et", "al"}
            for word in before.split()
        )
        # Without prose it may be a name cut short, as Chr. is; then nothing is cut.
        if prose and not _ABBREVIATED.search(before):
            start = stop.end()
    return text[start:]
