"""What is true of a network, as plain typed data: every view is made from this.

Nothing here computes and nothing here prints. `arithmetic` puts counts in words,
`watching` runs a module once, `layers` holds what is known of each kind of layer, and
`network` puts the facts of a whole network together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a tensor.

    Args:
        name: what it counts: ``batch``, ``time``, ``features``, ``channels``.
        size: how many.
    """

    name: str
    size: int


Shape = tuple[Axis, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """A block of learned numbers, ``300×1 input weights``.

    Args:
        factors: its sizes; one of them for a vector, none for one number.
        words: what the numbers are.
        tensors: names of the tensors that hold it.
    """

    factors: tuple[int, ...]
    words: str
    tensors: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return math.prod(self.factors)


@dataclass(frozen=True, slots=True)
class Factor:
    """How often blocks come, ``4 gates``, ``20 steps``.

    Args:
        times: the number.
        of: what there is so many of.
    """

    times: int
    of: str


@dataclass(frozen=True, slots=True)
class Term:
    """Blocks that come several times over, ``4 gates × (…)``.

    Args:
        factors: how often; none for once.
        products: the blocks.
    """

    factors: tuple[Factor, ...]
    products: tuple[Product, ...]

    @property
    def count(self) -> int:
        """How many numbers it has."""
        times = math.prod(factor.times for factor in self.factors)
        return times * sum(product.count for product in self.products)


@dataclass(frozen=True, slots=True)
class Sum:
    """A number and how it comes about."""

    terms: tuple[Term, ...]

    @property
    def count(self) -> int:
        """The number."""
        return sum(term.count for term in self.terms)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A learned tensor of a layer.

    Args:
        name: in the layer.
        shape: its sizes.
        trained: whether an optimiser may change it.
        same_as: where its numbers are counted already, the path of another tensor.
    """

    name: str
    shape: tuple[int, ...]
    trained: bool
    same_as: str = ""

    @property
    def count(self) -> int:
        """How many numbers it has, wherever they are counted."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Named:
    """A gate or a state of a recurrent layer.

    Args:
        name: in the cell's equations.
        size: how many values it has at each step and row; one a unit.
        words: what it is.
        equation: how it comes about; empty for a state before the step.
    """

    name: str
    size: int
    words: str
    equation: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of a packed tensor that belong to one gate.

    Args:
        tensor: its name.
        gate: the gate's.
        rows: the first of them, and the one behind the last.
    """

    tensor: str
    gate: str
    rows: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Place:
    """What stands at some place of a result.

    Args:
        place: how Python writes it, ``h_n[3]``, ``output[:, :, 300:]``.
        holds: what it is.
    """

    place: str
    holds: str


@dataclass(frozen=True, slots=True)
class Direction:
    """One layer and direction of a recurrent module.

    Args:
        layer: from 0.
        backwards: whether it reads from the last step to the first.
        inputs: how many numbers it takes at each step.
        sees: what these are.
        parameters: how many it learns.
    """

    layer: int
    backwards: bool
    inputs: int
    sees: str
    parameters: Sum


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What a recurrent layer is made of.

    Args:
        cell: the name of its equations in the library.
        units: length of h.
        steps: how many there are in the example; None where nothing was run.
        gates: what is computed at every step and is no state.
        states: what is carried to the next step.
        sees: what a unit sees of the state one step earlier: ``all`` of it, that of its
            ``head``, or its ``own`` alone.
        directions: each layer and direction.
        blocks: which rows of which tensor belong to which gate.
        places: what its results hold, index by index.
        other_count: a sentence on how another framework counts.
    """

    cell: str
    units: int
    steps: int | None
    gates: tuple[Named, ...]
    states: tuple[Named, ...]
    sees: str
    directions: tuple[Direction, ...]
    blocks: tuple[Block, ...]
    places: tuple[Place, ...]
    other_count: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a network.

    Args:
        path: where it is in the module; empty for the module itself.
        kind: its class.
        words: the layer as Python writes it.
        takes: shapes of what it is called with, in the order of its first call.
        gives: shapes of what it returned.
        parameters: how many it learns.
        tensors: what holds them.
        multiply_adds: of all its calls, each as large as the first; None where that is
            not known.
        calls: how often it was called.
        follows: path of the layer whose result it was handed as it is, if any.
        begins: whether it was handed the network's input as it is.
        ends: whether the network returned its result as it is.
        remarks: what else is true of it, sentences with its own numbers.
        recurrence: what it is made of, if it is recurrent.
    """

    path: str
    kind: str
    words: str
    takes: tuple[Shape, ...]
    gives: tuple[Shape, ...]
    parameters: Sum
    tensors: tuple[Tensor, ...]
    multiply_adds: Sum | None
    calls: int
    follows: str | None = None
    begins: bool = False
    ends: bool = False
    remarks: tuple[str, ...] = ()
    recurrence: Recurrence | None = None

    @property
    def counted(self) -> int:
        """How many numbers it learns that no layer before it holds."""
        return sum(tensor.count for tensor in self.tensors if not tensor.same_as)


@dataclass(frozen=True, slots=True)
class Collapse:
    """Layers that are one affine map, because nothing bends between them.

    Args:
        paths: of the layers, two or more.
        inputs: numbers in, channels of convolutions.
        outputs: numbers out, likewise.
        rank: at most so many directions get through; the narrowest layer.
        window: of the one convolution that convolutions are; empty for linear layers.
    """

    paths: tuple[str, ...]
    inputs: int
    outputs: int
    rank: int
    window: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """What is true of a module.

    Args:
        words: the module, or the text that it was made from.
        takes: shapes of the example input.
        gives: shapes of the result.
        layers: in the order of their first calls; those never called stand last.
        collapses: layers that could be one.
    """

    words: str
    takes: tuple[Shape, ...]
    gives: tuple[Shape, ...]
    layers: tuple[Layer, ...]
    collapses: tuple[Collapse, ...]

    @property
    def parameters(self) -> int:
        """How many numbers it learns, shared ones counted once."""
        return sum(layer.counted for layer in self.layers)

    @property
    def trained(self) -> int:
        """How many of them an optimiser may change."""
        return sum(t.count for t in self._tensors() if t.trained)

    @property
    def multiply_adds(self) -> int | None:
        """Of one run on the example; None where a layer's are not known."""
        counts = [layer.multiply_adds for layer in self.layers if layer.calls]
        known = [count.count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def _tensors(self) -> Iterator[Tensor]:
        for layer in self.layers:
            yield from (tensor for tensor in layer.tensors if not tensor.same_as)
