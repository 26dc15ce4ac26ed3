"""Read a list of authors as people write it, in any of the usual forms.

Commas part people and stand inside of a name; where both are possible nothing is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_AND = re.compile(r",?\s+(?:&|and)\s+|\s*;\s*")
_ET_AL = re.compile(r",?\s+et al\.?$")
_INITIALS = re.compile(r"(?:[A-ZÀ-Þ](?:\.|[a-z]\.)?[\s-]?){1,4}")
_WORD = re.compile(r"[^\W\d_][^\W\d_'’.-]*(?:[.'’-]+[^\W\d_]*)*")
PARTICLES = frozenset(
    (
        *("van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "du"),
        *("la", "le", "ten", "ter", "zu", "zum", "el", "bin", "ibn", "y"),
    )
)
_PROSE = frozenset(
    (
        *("A", "Adapted", "After", "Also", "Although", "An", "And", "As", "At"),
        *("Based", "Because", "Both", "But", "By", "Cell", "Cells", "Cf.", "Code"),
        *("Compare", "Described", "Due", "Eq.", "Equation", "Equations", "Extended"),
        *("Extends", "Fig.", "Figure", "First", "Following", "Follows", "For", "Form"),
        *("From", "Gate", "Gates", "Given", "Here", "Idea", "If", "Implementation"),
        *("Implements", "In", "Inspired", "Introduced", "It", "Its", "Layer", "Like"),
        *("Made", "Model", "Modified", "Network", "Neuron", "New", "Not", "Note", "Of"),
        *("On", "Or", "Original", "Originally", "Our", "Paper", "Proposed"),
        *("Published", "Ref.", "Reference", "Same", "Section", "See", "Similar"),
        *("Simplified", "Since", "Source", "Step", "Taken", "Text", "Thanks", "That"),
        *("The", "Then", "These", "This", "Though", "To", "Under", "Unit", "Unlike"),
        *("Used", "Uses", "Using", "Variant", "Version", "Via", "We", "When", "Where"),
        *("While", "With", "Without"),
    )
)
"""Words that begin a sentence, and no name."""
_SUFFIXES = frozenset(("Jr", "Jr.", "Sr", "Sr.", "II", "III", "IV"))
_BODIES = frozenset(
    (
        *("AI", "Association", "Authors", "Brain", "Center", "Centre", "Collaboration"),
        *("Committee", "Community", "Company", "Consortium", "Contributors"),
        *("Corporation", "Council", "DeepMind", "Department", "Developers", "EU"),
        *("Foundation", "Group", "Inc", "Inc.", "Initiative", "Institute", "Lab"),
        *("Labs", "Laboratories", "Laboratory", "Ltd", "Ltd.", "Organisation"),
        *("Organization", "Project", "Research", "School", "Society", "Team", "UK"),
        *("US", "USA", "University", "authors", "contributors", "developers", "team"),
    )
)
"""Last words of what is no person: braces keep BibTeX from cutting them off."""
_FAMILY_FIRST = re.compile(
    r"(?P<family>[^\s,]*[a-zß-ÿ][^\s,]*) (?P<given>[A-ZÀ-Þ]{1,3}|(?:[A-ZÀ-Þ]\.[ -]?)+)"
)
"""``Doe JK``, where BibTeX would take the last word for the family."""
_ENDS_IN_INITIALS = re.compile(r"[^,]* (?:[A-ZÀ-Þ]{1,3}|[A-ZÀ-Þ]\.)")


def authors(text: str) -> list[str] | None:
    """Return names as BibTeX reads them; None where they cannot be read in one way.

    Args:
        text: what stands before the year; the last name is ``others`` for *et al.*

    Example:
        >>> authors("Doe, J., Karen Roe & Meta AI"), authors("Doe, John, and Karen Roe")
        (['Doe, J.', 'Karen Roe', '{Meta AI}'], None)
    """
    others = ["others"] if _ET_AL.search(text) else []
    groups = [
        re.split(r",\s+", group.strip(" ,"))
        for group in _AND.split(_ET_AL.sub("", text))
    ]
    if len(groups) > 1 and all(len(group) == 2 for group in groups):
        if any(_is_full(family) and " " in given for family, given in groups):
            return None  # J. Doe, K. Roe and L. Poe, M. Moe
        names = [", ".join(group) for group in groups]  # Family, Given and ...
    else:
        names = list(_listed(groups))
        if _has_two_readings(groups, names):
            return None
    if not all(map(_is_name, names)):
        return None
    written = _as_bibtex(names)
    return written and written + others


def _has_two_readings(groups: list[list[str]], names: list[str]) -> bool:
    """Whether a comma may stand between two people or inside of one."""
    families = [name for name in names if _is_family(name)]
    upper = [name for name in families if len(name) > 1 and name.isupper()]
    return (
        # Doe and Roe, Poe
        (len(groups) > 1 and len(list(_listed(groups[-1:]))) > 1)
        # Doe, John; and Xu, Bo, Ma, Ed
        or (len(groups) == 1 and len(names) % 2 == 0 and families == names)
        # Doe, John, and Karen Roe, as the MLA writes
        or (len(groups[0]) > 1 and bool(families) and any(map(_is_full, names)))
        # LSTM, Doe, Roe
        or 0 < len(upper) < len(families)
    )


def _is_family(name: str) -> bool:
    """Whether a name is a family's alone: Doe, van der Doe."""
    *before, last = name.split()
    return "," not in name and not {*before} - PARTICLES and last not in PARTICLES


def _is_full(name: str) -> bool:
    """Whether a name is a given one and a family's; Le Song or Le Roux can be both."""
    first, *rest = name.split()
    several = bool(rest) and "," not in name
    return several and first.lower() not in PARTICLES and not _is_body(name)


def _is_body(name: str) -> bool:
    words = name.split()
    return len(words) > 1 and words[-1] in _BODIES


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
    if not all(map(_WORD.fullmatch, words)) or _SUFFIXES.intersection(words):
        return False
    prose = len(words) > 1 and words[0] in _PROSE
    if _is_body(name):
        return words[0] == "The" or not prose
    upper = [w for w in words if not w[0].islower() or re.match(r"[a-z]['’]", w)]
    known = all(w in upper or w in PARTICLES for w in words)
    only = _INITIALS.fullmatch(name) and "." in name
    cut = any(re.fullmatch(r"[^\W\d_]{3,}\.", w) for w in words)
    return bool(upper and known and not only and not cut and not prose)


def _as_bibtex(names: list[str]) -> list[str] | None:
    """Return names with the family where BibTeX looks for it; None where unsure."""
    turned = [_FAMILY_FIRST.fullmatch(name) for name in names]
    bodies = [name for name in names if _is_body(name)]
    if all(turned) and not bodies:
        return [f"{m['family']}, {m['given']}" for m in turned if m]
    if any(_ENDS_IN_INITIALS.fullmatch(n) for n in names if n not in bodies):
        return None
    return [f"{{{name}}}" if name in bodies else name for name in names]
