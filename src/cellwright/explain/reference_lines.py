"""Read a reference that a person wrote: authors, year, title, DOI or arXiv number.

What can be read in two ways is not read at all: a reference that is missing is seen,
one that names somebody else is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MARK = re.compile(
    r"(?:\bdoi:\s*|\b(?:https?://)?(?:dx\.)?doi\.org/)(?P<doi>10\.[^\s,;]+)"
    r"|(?:\barXiv:\s*|\b(?:https?://)?(?:www\.)?arxiv\.org/(?:abs|pdf)/)"
    r"(?P<arXiv>(?:\d{4}\.\d{4,5}|[a-z][a-z.-]*/\d{7})(?:v\d+)?)(?!\d)(?:\.pdf\b)?",
    re.IGNORECASE,
)
_YEAR = re.compile(r",\s+(?P<plain>\d{4})\b|,?\s+\((?P<round>\d{4})\)")
_TITLE = re.compile(r'"(.+?)"|“(.+?)”')
_MEANT = re.compile(
    r'\b(?:doi:|arXiv:)|doi\.org/|arxiv\.org/|\b\d{4}\)?[,.:]?\s+["“]', re.IGNORECASE
)
_SENTENCE = re.compile(r"[.:]\s+")
_ABBREVIATED = re.compile(r"(?:^|[\s.-])(?:[^\W\d_]|[^\W\d_a-z][a-z]|al)$")
_AND = re.compile(r",?\s+(?:&|and)\s+|\s*;\s*")
_ET_AL = re.compile(r",?\s+et al\.?$")
_INITIALS = re.compile(r"(?:[A-ZÀ-Þ](?:\.|[a-z]\.)?[\s-]?){1,4}")
_WORD = re.compile(r"[^\W\d_][^\W\d_'’.-]*(?:[.'’-]+[^\W\d_]*)*")
_PARTICLES = frozenset(
    (
        *("van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "du"),
        *("la", "le", "ten", "ter", "zu", "zum", "el", "bin", "ibn", "y"),
    )
)
_NO_NAMES = frozenset(
    (
        *("See", "From", "After", "In", "By", "Following", "The", "A", "An", "Cf."),
        *("Jr", "Jr.", "Sr", "Sr."),
    )
)


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
        kind = "doi" if mark["doi"] else "arXiv"
        between = line[end : mark.start()].strip(" .,;()")
        one = (kind, without_stop(mark[kind]))
        if found and not between and kind not in dict(found[-1].marks):
            found[-1] = Part(found[-1].text, (*found[-1].marks, one))
        else:
            found.append(Part(between, (one,)))
        end = mark.end()
    rest = line[end:].strip(" .,;()")
    return [*found, Part(rest, ())] if is_meant(rest) else found


def said(text: str) -> Said | None:
    """Return what a reference says; None where it cannot be read in one way.

    Args:
        text: a line, or the part of it that is about one paper.

    Example:
        >>> said('O. Doe, Smith, J. and Roe et al., 2030, "Cells"').authors
        ('O. Doe', 'Smith, J.', 'Roe', 'others')
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
    names = _authors(_last_sentence(text[: year.start()].strip()))
    if names is None:
        return None
    words = (title[1] or title[2]) if title else ""
    return Said(tuple(names), year["plain"] or year["round"], words)


def without_stop(text: str) -> str:
    """Return an identifier without the full stop or bracket of its sentence."""
    text = text.rstrip(".")
    return text.rstrip(")") if text.count("(") < text.count(")") else text


def _last_sentence(text: str) -> str:
    """Return what stands behind the last sentence: a full stop after J. ends none."""
    start = 0
    for stop in _SENTENCE.finditer(text):
        before = text[start : stop.start()]
        prose = any(
            word[0].islower() and word not in _PARTICLES | {"and", "et", "al"}
            for word in before.split()
        )
        # Without prose it may be a name cut short, as Chr. is; then nothing is cut.
        if prose and not _ABBREVIATED.search(before):
            start = stop.end()
    return text[start:]


def _authors(text: str) -> list[str] | None:
    others = ["others"] if _ET_AL.search(text) else []
    groups = [
        re.split(r",\s+", group.strip(" ,"))
        for group in _AND.split(_ET_AL.sub("", text))
    ]
    if len(groups) > 1 and all(len(group) == 2 for group in groups):
        names = [", ".join(group) for group in groups]  # Family, Given and ...
    else:
        names = list(_listed(groups))
        one_by_comma = len(groups) == 1 and len(groups[0]) == len(names) == 2
        if one_by_comma and all(" " not in name for name in names):
            return None  # two families, or a family and a given name
        if len(groups) > 1 and len(list(_listed(groups[-1:]))) > 1:
            return None  # Doe and Roe, Poe
    if not all(map(_is_name, names)):
        return None
    return [_turned(name) for name in names] + others


def _listed(groups: list[list[str]]) -> Iterator[str]:
    """Yield names of lists; initials that stand alone belong to the family before."""
    for group in groups:
        family = ""
        for part in group:
            if family and _INITIALS.fullmatch(part):
                yield f"{family}, {part}"
                family = ""
                continue
            if family:
                yield family
            family = part
        if family:
            yield family


def _is_name(name: str) -> bool:
    words = name.replace(",", " ").split()
    upper = [w for w in words if not w[0].islower() or re.match(r"[a-z]['’]", w)]
    known = all(w in upper or w in _PARTICLES for w in words)
    shaped = all(_WORD.fullmatch(w) for w in words)
    only = _INITIALS.fullmatch(name) and len(words) > 0 and "." in name
    cut = any(re.fullmatch(r"[^\W\d_]{3,}\.", w) for w in words)
    no_name = _NO_NAMES.intersection(words[:1] + words[-1:]) and len(words) > 1
    return bool(upper and known and shaped and not only and not cut and not no_name)


def _turned(name: str) -> str:
    """Return ``Doe JK`` as ``Doe, JK``, because BibTeX takes the last word's family."""
    found = re.fullmatch(r"(\S*[a-zß-ÿ]\S*) ([A-Z]{1,3}|(?:[A-Z]\.[ -]?)+)", name)
    return f"{found[1]}, {found[2]}" if found and "," not in name else name
