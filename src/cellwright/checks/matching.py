"""Match the parameters of a person's module to those of a cell, by name.

Nothing is guessed: what has no counterpart by the rules below is listed in an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from cellwright.errors import CellwrightValueError
from cellwright.ir.graph import Graph
from cellwright.language.report import did_you_mean
from cellwright.nn.torch_weights import TORCH, Packing, Piece, split_suffix

Names = Mapping[str, str | Sequence[str | Sequence[str]] | None]
"""A module's parameter to the cell's: one name, the names of its rows in their order,
for every row the names of its columns, or None to leave it out."""


class MatchError(CellwrightValueError):
    """Weights of a module and a cell that have no counterpart."""


@dataclass(frozen=True, slots=True)
class Source:
    """A part of a module's parameter: a piece of its rows, and one block of columns.

    Args:
        piece: the rows.
        columns: names of the cell's parameters side by side in these rows.
        column: which one of them it is.
    """

    piece: Piece
    columns: tuple[str, ...] = ()
    column: int = 0

    def of(
        self, tensors: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]]
    ) -> Tensor:
        """Return the part as a view.

        Args:
            tensors: the module's parameters.
            shapes: of the cell's parameters.
        """
        rows = self.piece.of(tensors)
        if not self.columns:
            return rows
        start = sum(shapes[name][1] for name in self.columns[: self.column])
        return rows.narrow(1, start, shapes[self.columns[self.column]][1])


Match = Mapping[str, tuple[Source, ...]]
"""The cell's parameters, with ``_l0`` and so on; each is the sum of its sources."""


@dataclass(frozen=True)
class Target:
    """The parameters of a cell's layers, and what is known of the cell."""

    graph: Graph
    suffixes: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Every parameter with layer and direction."""
        return [p.name + s for s in self.suffixes for p in self.graph.parameters]

    def full(self, name: str) -> str | None:
        """Return a name with its suffix, ``_l0`` if it has none; None if it is none."""
        found = name if name in self.names else name + self.suffixes[0]
        return found if found in self.names else None

    @property
    def packing(self) -> Packing:
        """Torch's packing of gates that are called as this cell's."""
        mine = {p.name for p in self.graph.parameters}
        biased = any(p.role == "bias" for p in self.graph.parameters)
        found: Packing = {}
        for packing in TORCH.values():
            fitting = {
                name: pieces
                for name, pieces in packing.items()
                if biased or not pieces[0].source.startswith("bias")
            }
            if fitting.keys() <= mine and len(fitting) > len(found):
                found = fitting
        return found


def match(
    given: Mapping[str, Tensor], target: Target, names: Names, module: str
) -> Match:
    """Return where in a module each parameter of a cell stands.

    Args:
        given: the module's parameters.
        target: the cell's.
        names: what a person says; it comes before every rule.
        module: the module in words, for the error.

    Raises:
        MatchError: listing everything that has no counterpart.
    """
    found: dict[str, list[Source]] = {name: [] for name in target.names}
    left: list[str] = []
    for name in given:
        said = names.get(name, ())
        pairs = _automatic(name, target) if said == () else _said(name, said, target)
        if not pairs and said is not None:
            left.append(name)
        for to, source in pairs:
            found[to].append(source)
    biases = {p.name for p in target.graph.parameters if p.role == "bias"}
    modules = _modules(given)
    faults = [
        f"names= has {name!r}, which is no parameter of the module. "
        f"{did_you_mean(name, [*given, *modules], modules)}".rstrip()
        for name in names
        if name not in given
    ]
    for to, sources in found.items():
        bare = split_suffix(to)[0]
        if len(sources) > 1 and bare not in biases:
            both = " and ".join(source.piece.source for source in sources)
            faults.append(f"the cell's {bare} would be the sum of {both}")
    missing = [to for to, sources in found.items() if not sources]
    if faults or missing or left:
        lines = _report(given, target, left, missing, faults)
        raise MatchError(f"{module}: not every weight has its counterpart in {lines}")
    return {to: tuple(sources) for to, sources in found.items()}


def reordered(match: Match, order: Sequence[int]) -> Match:
    """Return a match whose packed gates are read in another order."""
    parts = len(order)

    def read(source: Source) -> Source:
        piece = source.piece
        if piece.parts != parts:
            return source
        moved = dataclasses.replace(piece, part=order[piece.part])
        return dataclasses.replace(source, piece=moved)

    return {to: tuple(map(read, sources)) for to, sources in match.items()}


def labels(name: str, match: Match) -> list[str]:
    """Return what the rows of a module's packed parameter are, part by part.

    Example:
        >>> f, i = Source(Piece("w", 1, 2)), Source(Piece("w", 0, 2))
        >>> labels("w", {"W_f_l0": (f,), "W_i_l0": (i,)})
        ['W_i', 'W_f']
    """
    found: dict[int, list[str]] = {}
    for to, sources in match.items():
        for source in sources:
            if source.piece.source == name:
                found.setdefault(source.piece.part, []).append(split_suffix(to)[0])
    return ["|".join(found[part]) for part in sorted(found)]


def _said(
    name: str, said: str | Sequence[str | Sequence[str]] | None, target: Target
) -> list[tuple[str, Source]]:
    if said is None:
        return []
    rows = [said] if isinstance(said, str) else list(said)
    pairs: list[tuple[str, Source]] = []
    for part, row in enumerate(rows):
        piece = Piece(name, part, len(rows))
        columns = [row] if isinstance(row, str) else list(row)
        full = tuple(_known(name, column, target) for column in columns)
        if len(full) == 1:
            pairs.append((full[0], Source(piece)))
        else:
            pairs += [(to, Source(piece, full, k)) for k, to in enumerate(full)]
    return pairs


def _known(name: str, to: str, target: Target) -> str:
    full = target.full(to)
    if full is None:
        known = [p.name for p in target.graph.parameters]
        close = did_you_mean(to, known)
        raise MatchError(
            f"names= gives {name!r} as {to!r}; {target.graph.name} has "
            f"{', '.join(known)}. {close}".rstrip()
        )
    return full


def _automatic(name: str, target: Target) -> list[tuple[str, Source]]:
    """Return the counterparts of a parameter that nothing was said about."""
    whole = Source(Piece(name, 0, 1))
    parts = name.split(".")
    own = target.full(parts[-1])
    if own is not None:
        return [(own, whole)]
    if len(parts) > 1 and parts[-1] in ("weight", "bias"):
        weight = target.full(parts[-2])
        if weight is not None and parts[-1] == "bias":
            weight = _bias_beside(weight, target.graph)
        return [] if weight is None else [(weight, whole)]
    bare, suffix = split_suffix(parts[-1])
    suffix = suffix or target.suffixes[0]
    if suffix not in target.suffixes:
        return []
    return [
        (to + suffix, Source(dataclasses.replace(piece, source=name)))
        for to, pieces in target.packing.items()
        for piece in pieces
        if piece.source == bare
    ]


def _bias_beside(weight: str, graph: Graph) -> str | None:
    """Return the bias that the equations add to a weight's product, if there is one."""
    bare, suffix = split_suffix(weight)
    nodes = graph.nodes
    attrs = [node.attr if node.op == "parameter" else None for node in nodes]
    products = {
        i
        for i, node in enumerate(nodes)
        if node.op == "matmul" and attrs[node.args[0]] == bare
    }
    sums = set(products)
    for i, node in enumerate(nodes):
        if node.op == "add" and sums & set(node.args):
            sums.add(i)
    for i in reversed(range(len(nodes))):
        if i in sums and nodes[i].op == "add":
            sums.update(nodes[i].args)
    biases = [
        p.name
        for p in graph.parameters
        if p.role == "bias" and any(attrs[i] == p.name for i in sums)
    ]
    return biases[0] + suffix if len(biases) == 1 else None


def _report(
    given: Mapping[str, Tensor],
    target: Target,
    left: Sequence[str],
    missing: Sequence[str],
    faults: Sequence[str],
) -> str:
    lines = [target.graph.name, *faults]
    shapes = {p.name: p.shape for p in target.graph.parameters}
    for to in missing:
        bare, suffix = split_suffix(to)
        sizes = ", ".join(str(size) for size in shapes[bare])
        shown = bare if suffix == "_l0" else to
        # A matrix is meant by none but a matrix.
        alike = [n for n in left if given[n].dim() == len(shapes[bare])]
        cores = {_core(name): name for name in alike}
        close = did_you_mean(bare, cores, cores)
        lines.append(f"the cell's {shown} [{sizes}] is not in the module. {close}")
    for name in left:
        bares = [split_suffix(to)[0] for to in missing]
        alike = [bare for bare in bares if given[name].dim() == len(shapes[bare])]
        close = did_you_mean(_core(name), alike)
        shape = list(given[name].shape)
        lines.append(f"the module's {name} {shape} is not in the cell. {close}")
    lines.append(
        'say it with names={"theirs": "W_i"}, rows as {"theirs": ["W_i", "W_f"]},'
        ' with columns as {"theirs": [["W_i", "U_i"], ["W_f", "U_f"]]}; None leaves out'
    )
    return "\n  ".join(line.rstrip() for line in lines)


def _modules(given: Iterable[str]) -> dict[str, str]:
    """Return what modules are called, each with the first of its parameters."""
    found: dict[str, str] = {}
    for name in given:
        found.setdefault(name.rpartition(".")[0], name)
    return found


def _core(name: str) -> str:
    """Return what a person calls a weight: ``W_i`` of ``cell.W_i.weight``."""
    parts = name.split(".")
    return (
        parts[-2] if len(parts) > 1 and parts[-1] in ("weight", "bias") else parts[-1]
    )
