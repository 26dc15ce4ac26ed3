"""What a name means where it stands, or why it means nothing there."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from cellwright.ir.builder import Builder
from cellwright.ir.sizes import Shape, Size

from .definitions import Definition, Definitions
from .fragment import Fragment
from .functions import FUNCTIONS
from .order import Instance, Scoping
from .report import Report, Span, did_you_mean

_WITHOUT_ARGUMENTS = [row.name for row in FUNCTIONS.values() if not row.arguments]
"""Functions that are written as names are: ``orthogonal``."""


class Lookup:
    """Finds nodes by name; a name that means nothing is noted once."""

    def __init__(
        self,
        definitions: Definitions,
        scoping: Scoping,
        builder: Builder,
        sizes: Mapping[str, Size | None],
        report: Report,
    ):
        self._definitions = definitions
        self._table = definitions.table
        self._place = {key: place for place, key in enumerate(definitions.table)}
        self._scoping = scoping
        self._b = builder
        self._sizes = sizes
        self._report = report

    def node(
        self,
        nodes: Mapping[Instance, int],
        user: Definition,
        step: int,
        at: Fragment,
        shape: Shape,
        name: str,
        tree: ast.Name,
    ) -> int | None:
        """Return the node that ``name`` means in the text ``at`` of ``user``.

        Args:
            nodes: those that are built.
            user: whose text the name stands in.
            step: its micro-step.
            at: the text.
            shape: of a running index.
            name: with its prime.
            tree: where it stands.
        """
        block = self._definitions.block
        if block is not None and step >= 0 and name == block.index.text:
            return self._b.const(step)
        for axis, dim in enumerate(user.shape or ()):
            if dim.index is not None and dim.index.text == name:
                return self._b.leaf("index", axis, shape)
        if name in self._sizes:
            return self._size(self._sizes[name])
        meaning = self._scoping.meaning(name, step)
        if meaning is None:
            self._unknown(name, at.place(tree))
            return None
        used = self._table[meaning[0]]
        fault = "" if user.kind == "equation" else self._too_late(user, used)
        if fault:
            self._report.add("first-value", at.place(tree), f"{name!r} is {fault}")
            return None
        return nodes.get(meaning)

    def _size(self, size: Size | None) -> int | None:
        if size is None:
            return None
        if size.constant is not None:
            return self._b.const(float(size.constant))
        return self._b.leaf("size", size, ())

    def _too_late(self, user: Definition, used: Definition) -> str:
        """Return why ``used`` may not stand in the first value of ``user``, or ""."""
        if used.kind in ("weight", "bias", "constant"):
            earlier = self._place[used.key] < self._place[user.key]
            return "" if user.kind == "state" or earlier else "declared later"
        if user.kind == "state" and used.kind == "state":
            return ""
        return f"{_article(used.kind)} {used.kind}"

    def _unknown(self, name: str, place: Span) -> None:
        bare = name.removesuffix("'")
        if name in self._definitions.broken or bare in self._definitions.broken:
            return
        block = self._definitions.block
        inside = self._table.get(name)
        before = self._table.get(bare)
        if inside is not None and inside.in_block:
            fix = f"write {bare}' in the block to carry it on"
            self._report.add("inside-block", place, f"{name!r}", fix)
        elif block is not None and name == block.index.text:
            self._report.add("inside-block", place, f"{name!r}")
        elif name != bare and before is not None and before.kind != "state":
            found = f"{name!r}, and {bare} is {_article(before.kind)} {before.kind}"
            self._report.add("no-state", place, found, f"write {bare}")
        elif name != bare and before is not None:
            return  # the state's missing equation is noted where it is declared
        elif self._definitions.carried(name):
            fix = f"write {name} = ... before the block: its first value"
            self._report.add("unknown-name", place, f"{name!r}", fix, name)
        else:
            known = {*self._table, *self._sizes, *_WITHOUT_ARGUMENTS}
            fix = did_you_mean(name, known)
            self._report.add("unknown-name", place, f"{name!r}", fix, name)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
