r"""Text of a comment as text of LaTeX, which pdflatex sets without a package."""

from __future__ import annotations

import re
import unicodedata

_ESCAPES: dict[str, str] = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
} | {character: "\\" + character for character in "#$%&_{}"}
_TABLE = r"""
< <   > >   ≤ \leq   ≥ \geq   ≠ \neq   ≈ \approx   ≡ \equiv   ∼ \sim   ∝ \propto
≪ \ll   ≫ \gg   « \ll   » \gg   × \times   · \cdot   ⋅ \cdot   ÷ \div   ± \pm   ∓ \mp
− -   ∗ \ast   ∘ \circ   ⊙ \odot   ⊗ \otimes   ⊕ \oplus   √ \surd   → \rightarrow
← \leftarrow   ↔ \leftrightarrow   ⇒ \Rightarrow   ⇐ \Leftarrow   ⇔ \Leftrightarrow
↦ \mapsto   ↑ \uparrow   ↓ \downarrow   ∈ \in   ∉ \notin   ∀ \forall   ∃ \exists
∅ \emptyset   ∪ \cup   ∩ \cap   ⊂ \subset   ⊆ \subseteq   ∑ \sum   ∏ \prod   ∫ \int
∂ \partial   ∇ \nabla   ∞ \infty   ′ {}'   ° {}^{\circ}   ‖ \|   ⟨ \langle   ⟩ \rangle
⌊ \lfloor   ⌋ \rfloor   ⌈ \lceil   ⌉ \rceil   ⊤ \top   ⊥ \bot   ℓ \ell   ℝ \mathbf{R}
µ \mu
"""
"""Signs, each with what it is in a formula."""
_WORDS = _TABLE.split()
_SIGNS: dict[str, str] = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱᵀ]+")
_LOWERED = re.compile("[₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙᵢₜ]+")
_VARIANTS: dict[str, str] = {
    "ς": r"\varsigma",
    "ϕ": r"\phi",
    "φ": r"\varphi",
    "ϑ": r"\vartheta",
}
_VARIANTS |= {"ϵ": r"\epsilon", "ε": r"\varepsilon", "ο": "o"}
_LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True))
"""Greek capitals that LaTeX has no command for, because they look as ours do."""
_ACCENTS = dict(
    zip(
        "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0323\u0327\u0328\u0331",
        "`'^~=u.\"rHvdckb",
        strict=True,
    )
)
_LETTERS = dict(
    zip(
        "øØłŁßæÆœŒđĐðÐþÞŋŊı",
        "o O l L ss ae AE oe OE dj DJ dh DH th TH ng NG i".split(),  # noqa: SIM905
        strict=True,
    )
)
"""Letters that have a command of their own."""
_EXTENDED_A = "\u017f"
"""The last of the letters that LaTeX reads as they are."""


def escape(text: str) -> str:
    r"""Return text that LaTeX prints as it is.

    Special characters are escaped; Greek letters and signs of mathematics become
    formulas; accented Latin letters, which LaTeX reads up to U+017F, become commands
    beyond it. What else there is stays as it stands, so pdflatex stops and names it
    rather than that it is lost: a script of another kind needs LuaLaTeX and a font, and
    ``ą``, ``đ``, ``ð`` or ``þ`` need ``\usepackage[T1]{fontenc}``.

    Args:
        text: a comment.

    Example:
        >>> escape("100 % of W_i")
        '100 \\% of W\\_i'
        >>> print(escape("α² ≥ 0"))
        $\alpha {}^{2}$ $\geq$ 0
    """
    parts: list[str] = []
    formula: list[str] = []
    whole = unicodedata.normalize("NFC", text)
    whole = _RAISED.sub(lambda run: _script("^", run[0]), whole)
    whole = _LOWERED.sub(lambda run: _script("_", run[0]), whole)
    for token in re.findall(r"\x00.*?\x01|.", whole, re.DOTALL):
        if token[0] == "\x00":
            formula.append(token[1:-1])
        elif sign := _sign(token):
            formula.append(sign)
        else:
            parts += _math(formula)
            formula = []
            parts.append(_ESCAPES.get(token) or _letter(token))
    return "".join([*parts, *_math(formula)])


def special_letters(text: str) -> str:
    r"""Return text with its accents as commands in braces, which BibTeX counts as one.

    BibTeX cuts names into initials and labels byte by byte.

    Args:
        text: a name; what LaTeX has no command for stays.

    Example:
        >>> print(special_letters("Şule Ørsted-Nguyễn"))
        {\c{S}}ule {\O}rsted-Nguy{\~{\^{e}}}n
    """
    return "".join(map(_special, unicodedata.normalize("NFC", text)))


def _special(character: str) -> str:
    if character in _LETTERS:
        return rf"{{\{_LETTERS[character]}}}"
    found = _accented(character)
    # Of Greek and Cyrillic letters LaTeX's own fonts have none.
    return f"{{{found}}}" if found.isascii() and found else character


def _math(formula: list[str]) -> list[str]:
    return [f"${' '.join(formula)}$"] if formula else []


def _script(sign: str, run: str) -> str:
    """Return digits above or below the line, between marks no comment can hold."""
    plain = unicodedata.normalize("NFKC", run).replace("\u2212", "-")
    return f"\x00{{}}{sign}{{{plain}}}\x01"


def _sign(character: str) -> str:
    """Return what a sign or a Greek letter is in a formula; empty for others."""
    found = _SIGNS.get(character) or _VARIANTS.get(character)
    if found or not "\u0370" <= character <= "\u03ff":
        return found or ""
    base, *marks = unicodedata.normalize("NFD", character)
    if marks == ["\u0301"]:
        return rf"\acute{{{_sign(base)}}}"
    if marks == ["\u0308"]:
        return rf"\ddot{{{_sign(base)}}}"
    if character in _LATIN:
        return rf"\mathrm{{{_LATIN[character]}}}"
    words = unicodedata.name(character, "").split()
    match words:
        case ["GREEK", "SMALL", "LETTER", name]:
            return "\\" + name.lower().replace("lamda", "lambda")
        case ["GREEK", "CAPITAL", "LETTER", name]:
            return "\\" + name.capitalize().replace("Lamda", "Lambda")
    return ""


def _letter(character: str) -> str:
    """Return a letter with the accents that LaTeX has commands for."""
    return character if character <= _EXTENDED_A else _accented(character) or character


def _accented(character: str) -> str:
    """Return a letter under its accents, as commands; empty without, or for others."""
    base, *marks = unicodedata.normalize("NFD", character)
    if not marks or not set(marks) <= _ACCENTS.keys():
        return ""
    for mark in marks:
        base = rf"\{_ACCENTS[mark]}{{{base}}}"
    return base
