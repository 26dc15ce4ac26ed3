"""Gate orders: how torch.nn packs the weights of its cells into a few tensors.

One row a cell of ours: every parameter, and the pieces of torch's tensors whose sum it
is. Other frameworks' orders are further tables of the same form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from cellwright.autograd import Packed
from cellwright.backends.c.roots import Place
from cellwright.errors import CellwrightValueError


@dataclass(frozen=True, slots=True)
class Piece:
    """Part ``part``, from 0, of ``parts`` equal ones along the rows of ``source``."""

    source: str
    part: int
    parts: int

    def of(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Return the piece as a view."""
        return tensors[self.source].chunk(self.parts)[self.part]


Packing = Mapping[str, tuple[Piece, ...]]
Add = Callable[[Tensor, Tensor], Tensor]
"""A cell's parameters, each the sum of its pieces."""


def _packed(gates: str, *, apart: str = "") -> dict[str, tuple[Piece, ...]]:
    """Return the packing of gates in torch's order; ``_`` is a cell without gate names.

    Args:
        gates: one letter a gate, in the order of the rows.
        apart: gates whose second bias stands in the equations by itself.
    """
    rows: dict[str, tuple[Piece, ...]] = {}
    for part, gate in enumerate(gates):
        tail = "" if gate == "_" else f"_{gate}"
        ih, hh, b_ih, b_hh = (
            Piece(source, part, len(gates))
            for source in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        rows |= {f"W{tail}": (ih,), f"U{tail}": (hh,)}
        if gate in apart:
            rows |= {f"b{tail}": (b_ih,), f"d{tail}": (b_hh,)}
        else:
            rows[f"b{tail}"] = (b_ih, b_hh)
    return rows


TORCH: Mapping[str, Packing] = {
    "elman": _packed("_"),
    "elman_relu": _packed("_"),
    "gru": _packed("rzn", apart="n"),
    "lstm": _packed("ifgo"),
    "lstm_proj": {**_packed("ifgo"), "P": (Piece("weight_hr", 0, 1),)},
}
"""torch.nn's order for every cell that torch.nn has."""

RECURRENT = ("weight_hh", "weight_hr")
"""torch.nn's matrices whose product hangs on a state."""

_MODES = {
    ("RNN_TANH", False): "elman",
    ("RNN_RELU", False): "elman_relu",
    ("GRU", False): "gru",
    ("LSTM", False): "lstm",
    ("LSTM", True): "lstm_proj",
}
_SUFFIX = re.compile(r"(.*?)((?:_l\d+)?(?:_reverse)?)")


def cell_name(mode: str, proj_size: int = 0) -> str:
    """Return our name of what a torch.nn.RNNBase computes.

    Args:
        mode: the ``mode`` of a torch.nn.RNNBase.
        proj_size: its ``proj_size``.
    """
    return _MODES[mode, proj_size > 0]


def split_suffix(name: str) -> tuple[str, str]:
    """Return a name of torch.nn without and with only its layer and direction.

    Example:
        >>> split_suffix("weight_hh_l1_reverse"), split_suffix("bias_ih")
        (('weight_hh', '_l1_reverse'), ('bias_ih', ''))
    """
    found = _SUFFIX.fullmatch(name)
    assert found is not None
    return found.group(1), found.group(2)


_split = lru_cache(maxsize=1024)(split_suffix)


def from_packed(packing: Packing, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a cell's parameters from packed tensors; two biases become their sum.

    Args:
        packing: the cell's row of a table.
        tensors: by the names of the table with any suffix of torch.nn
            (``weight_ih_l0_reverse``), which the cell's names then carry too.
            Without biases the cell gets none.

    Raises:
        CellwrightValueError: for a tensor that the packing has not, or a missing one.

    Example:
        >>> lstm = torch.nn.LSTM(3, 8)
        >>> cell = from_packed(TORCH["lstm"], lstm.state_dict())
        >>> tuple(cell["W_f_l0"].shape), len(cell)
        ((8, 3), 12)
    """
    found: dict[str, Tensor] = {}
    sources = dict.fromkeys(p.source for pieces in packing.values() for p in pieces)
    biases = [name for name in sources if name.startswith("bias")]
    for suffix, mine in by_suffix(tensors).items():
        _check(sources, biases, mine, suffix)
        there = [name for name, pieces in packing.items() if pieces[0].source in mine]
        parameters = Sources.of(packing, there, "").packed(mine)
        found |= {name + suffix: value for name, value in parameters.items()}
    return found


@dataclass(frozen=True)
class Sources:
    """What a cell's parameters are parts of.

    Args:
        sums: the tensors' names; two biases are added as they are packed, once for all
            gates.
        places: of each parameter among the sums.
    """

    sums: tuple[tuple[str, ...], ...]
    places: Mapping[str, Place]

    @staticmethod
    def of(packing: Packing, names: Sequence[str], suffix: str) -> Sources:
        """Return it for those parameters of a packing that a cell has.

        Args:
            packing: of the cell.
            names: of the parameters.
            suffix: what the tensors' names end in.
        """
        sums = {
            name: tuple(piece.source + suffix for piece in packing[name])
            for name in names
        }
        order = list(dict.fromkeys(sums.values()))
        places = {
            name: (order.index(each), packing[name][0].part, packing[name][0].parts)
            for name, each in sums.items()
        }
        return Sources(tuple(order), places)

    def packed(self, tensors: Mapping[str, Tensor], add: Add = torch.add) -> Packed:
        """Return the parameters from tensors by their names.

        Args:
            tensors: by name.
            add: adds two of them.
        """
        found: list[Tensor] = []
        for first, *others in self.sums:
            total = tensors[first]
            for other in others:
                total = add(total, tensors[other])
            found.append(total)
        return Packed(found, self.places)


def to_packed(packing: Packing, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return packed tensors from a cell's parameters.

    The sum of two biases goes into the first (``bias_ih``), and 0 into the second.

    Args:
        packing: the cell's row of a table.
        parameters: by the cell's names with any suffix of torch.nn.

    Raises:
        CellwrightValueError: for a parameter that the packing has not, or that is
            missing.

    Example:
        >>> layer = torch.nn.GRU(3, 8)
        >>> cell = from_packed(TORCH["gru"], layer.state_dict())
        >>> back = to_packed(TORCH["gru"], cell)
        >>> sorted(back) == sorted(layer.state_dict())
        True
    """
    found: dict[str, Tensor] = {}
    biases = [n for n, pieces in packing.items() if pieces[0].source.startswith("bias")]
    for suffix, mine in by_suffix(parameters).items():
        _check(packing, biases, mine, suffix)
        for source, parts in _sources(packing, mine).items():
            found[source + suffix] = torch.cat(parts)
    return found


def by_suffix(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return tensors for each layer and direction, by their names without a suffix.

    Example:
        >>> by_suffix({"bias_ih_l0": torch.empty(1)}).keys()
        dict_keys(['_l0'])
    """
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        bare, suffix = _split(name)
        groups.setdefault(suffix, {})[bare] = value
    return groups


def _check(
    known: Collection[str], biases: Collection[str], mine: Collection[str], suffix: str
) -> None:
    """Raise an error unless ``mine`` is ``known``, or that without all ``biases``."""
    has = f"has {', '.join(known)}"
    for name in mine:
        if name not in known:
            raise CellwrightValueError(f"no weight {name + suffix!r}: the cell {has}")
    needed = known if set(biases) & set(mine) else [n for n in known if n not in biases]
    if missing := [name + suffix for name in needed if name not in mine]:
        raise CellwrightValueError(f"{', '.join(missing)} missing: the cell {has}")


def _sources(packing: Packing, mine: Mapping[str, Tensor]) -> dict[str, list[Tensor]]:
    """Return the rows of every packed tensor, part by part."""
    rows: dict[str, dict[int, Tensor]] = {}
    for name, value in mine.items():
        for piece in packing[name]:
            first = piece is packing[name][0]
            part = value if first else torch.zeros_like(value)
            rows.setdefault(piece.source, {})[piece.part] = part
    return {s: [parts[k] for k in sorted(parts)] for s, parts in rows.items()}
