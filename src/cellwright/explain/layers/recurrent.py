"""What is true of a recurrent layer, ours or torch.nn's, told from its equations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from torch import nn

from cellwright.cells import load
from cellwright.explain.arithmetic import in_words, times, together
from cellwright.explain.cell_facts import one_line
from cellwright.explain.facts import (
    Block,
    Direction,
    Factor,
    Named,
    Place,
    Product,
    Recurrence,
    Sum,
)
from cellwright.ir.graph import Graph, Parameter
from cellwright.language.cell import Cell
from cellwright.nn import Recurrent
from cellwright.nn.call import Form, suffixes
from cellwright.nn.dropin_form import dropin_form
from cellwright.nn.layer_sizes import numbers
from cellwright.nn.torch_weights import TORCH, cell_name
from cellwright.passes.rewrite import recurrent_matrices

CELLS: Mapping[type[nn.Module], str] = {nn.LSTMCell: "LSTM", nn.GRUCell: "GRU"}
"""torch.nn's single steps, and the mode of the layer that they are a step of."""
_ORDER = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
"""torch.nn's tensors as people add them up."""


@dataclass(frozen=True)
class Made:
    """What a recurrent layer is made of, whoever wrote it.

    Args:
        cell: its equations.
        form: the layer's sizes.
        packed: whether its tensors hold several gates each, as torch.nn's do.
        tails: what the names of tensors end in, for each layer and direction.
    """

    cell: Cell
    form: Form
    packed: bool
    tails: Sequence[Sequence[str]]

    @property
    def graph(self) -> Graph:
        """The cell's graph with this layer's counts and biases."""
        return self.form.graph


def made_of(module: nn.Module) -> Made | None:
    """Return what a recurrent layer is made of; None for every other layer."""
    if isinstance(module, Recurrent):
        form = module._form()
        return Made(module.cell, form, False, _tails(form))
    if isinstance(module, nn.RNNBase):
        form = dropin_form(
            type(module).__name__,
            module.mode,
            module.input_size,
            module.hidden_size,
            module.proj_size,
            module.num_layers,
            module.bias,
            module.bidirectional,
        )
        name = cell_name(module.mode, module.proj_size)
        return Made(load(name), form, True, _tails(form))
    if isinstance(module, nn.RNNCellBase):
        mode = CELLS.get(type(module), "")
        if isinstance(module, nn.RNNCell):
            mode = f"RNN_{module.nonlinearity.upper()}"
        sizes = (module.input_size, module.hidden_size, 0, 1, module.bias, False)
        form = dropin_form(type(module).__name__, mode, *sizes)
        return Made(load(cell_name(mode)), form, True, [[""]])
    return None


def _tails(form: Form) -> list[list[str]]:
    return [suffixes(layer, form.bidirectional) for layer in range(len(form.sizes))]


def recurrence(made: Made, steps: int | None, batch_first: bool) -> Recurrence:
    """Return the facts of a recurrent layer.

    Args:
        made: what it is made of.
        steps: of the example; None where nothing was run.
        batch_first: whether the batch stands before the steps.
    """
    graph, sizes = made.graph, made.form.sizes[0]
    states = tuple(
        Named(s.name, _entries(s.shape, sizes), s.description, _equation(made, s.name))
        for s in graph.states
    )
    known = {f"{state.name}'" for state in graph.states}
    gates = tuple(
        Named(
            value.name,
            _entries(graph.nodes[value.node].shape, sizes),
            value.description,
            _equation(made, value.name),
        )
        for value in graph.values
        if value.name not in known
    )
    directions = tuple(
        _direction(made, layer, which)
        for layer, tails in enumerate(made.tails)
        for which in range(len(tails))
    )
    units = sizes.get("hidden_size", max((s.size for s in states), default=0))
    return Recurrence(
        made.cell.name,
        units,
        steps,
        gates,
        states,
        _sees(graph),
        directions,
        tuple(_blocks(made)),
        tuple(_places(made, batch_first)),
        _other_count(made),
    )


def _sees(graph: Graph) -> str:
    names = {*recurrent_matrices(graph)}
    matrices = [len(p.shape) for p in graph.parameters if p.name in names]
    if not matrices:
        return "own"
    return "head" if min(matrices) == 3 else "all"


def multiply_adds(found: Recurrence, steps: int, rows: int) -> Sum:
    """Return what the matrices of all layers and directions take.

    Args:
        found: the layer.
        steps: how many are run.
        rows: of the batch.
    """
    turns = [Factor(steps, "steps"), Factor(rows, "rows")]
    return together(
        times([*turns, *term.factors], [p for p in term.products if len(p.factors) > 1])
        for direction in found.directions
        for term in direction.parameters.terms
    )


def parameters(made: Made, layer: int, direction: int) -> Sum:
    """Return how many numbers one layer and direction learns, gate by gate."""
    tail = made.tails[layer][direction]
    return (_packed if made.packed else _own)(made, made.form.sizes[layer], tail)


def words_of(graph: Graph, parameter: Parameter) -> str:
    """Return what a parameter's numbers are called."""
    if parameter.role == "bias":
        return "biases"
    if len(parameter.shape) < 2:
        return parameter.description.partition(":")[0] or "weights"
    return _matrix_words(graph).get(parameter.name, "weights")


@lru_cache(maxsize=256)
def _matrix_words(graph: Graph) -> Mapping[str, str]:
    """Return what each matrix is, from what it is multiplied with."""
    names = {
        node: str(graph.nodes[node].attr)
        for node in range(len(graph.nodes))
        if graph.nodes[node].op == "parameter"
    }
    from_state = _reached(graph, {"state"})
    from_input = _reached(graph, {"input"})
    found: dict[str, str] = {}
    for node in graph.nodes:
        if node.op != "matmul" or node.args[0] not in names:
            continue
        operand = node.args[1]
        own = graph.nodes[operand].op
        words = "projection weights"
        if operand in from_input and operand not in from_state:
            words = "input weights"
        elif own == "state" or (operand in from_state and operand not in from_input):
            words = "recurrent weights"
        found[names[node.args[0]]] = words
    return found


def _reached(graph: Graph, ops: set[str]) -> set[int]:
    found: set[int] = set()
    for i, node in enumerate(graph.nodes):
        if node.op in ops or found.intersection(node.args):
            found.add(i)
    return found


def _packed(made: Made, sizes: Mapping[str, int], tail: str) -> Sum:
    """Return the count of tensors that hold several gates each."""
    declared = {p.name: p for p in made.graph.parameters}
    blocks: dict[int, dict[str, Product]] = {}
    for name, pieces in TORCH[made.cell.name].items():
        if name not in declared:
            continue
        shape = numbers(declared[name].shape, sizes)
        words = words_of(made.graph, declared[name])
        for piece in pieces:
            product = Product(shape, words, (piece.source + tail,))
            blocks.setdefault(piece.parts, {})[piece.source] = product
    return together(
        times(
            [Factor(parts, "gates")], [found[name] for name in _ORDER if name in found]
        )
        for parts, found in sorted(blocks.items(), reverse=True)
    )


def _own(made: Made, sizes: Mapping[str, int], tail: str) -> Sum:
    """Return the count of one tensor a gate."""
    graph = made.graph
    values = {value.name for value in graph.values}
    groups: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for p in graph.parameters:
        key = words_of(graph, p), numbers(p.shape, sizes)
        groups.setdefault(key, []).append(p.name)
    by_count: dict[tuple[int, str], list[Product]] = {}
    for (words, shape), names in groups.items():
        gates = all(name.partition("_")[2] in values for name in names)
        key = len(names), "gates" if gates else ""
        product = Product(shape, words, tuple(name + tail for name in names))
        by_count.setdefault(key, []).append(product)
    return together(
        times([Factor(count, of)], products)
        for (count, of), products in by_count.items()
    )


def _direction(made: Made, layer: int, which: int) -> Direction:
    sizes = made.form.sizes[layer]
    graph = made.graph
    inputs = _entries(graph.inputs[0].shape, sizes)
    sees = "the input"
    if layer:
        ways = len(made.tails[layer])
        each = inputs // ways
        sees = f"all {each} outputs of layer {layer - 1} at the same step"
        if ways > 1:
            sees = (
                f"all {each} + {each} outputs of both directions of layer {layer - 1} "
                "at the same step"
            )
    return Direction(layer, which > 0, inputs, sees, parameters(made, layer, which))


def _blocks(made: Made) -> list[Block]:
    if not made.packed:
        return []
    found: list[Block] = []
    rows: dict[str, int] = {}
    sizes = made.form.sizes[0]
    declared = {p.name: numbers(p.shape, sizes) for p in made.graph.parameters}
    for name, pieces in TORCH[made.cell.name].items():
        gate = name.partition("_")[2]
        for piece in pieces:
            if name in declared and gate:
                each = rows.setdefault(piece.source, declared[name][0])
                begin = piece.part * each
                found.append(Block(piece.source, gate, (begin, begin + each)))
    order = [*_ORDER]
    return sorted(set(found), key=lambda block: (order.index(block.tensor), block.rows))


def _places(made: Made, batch_first: bool) -> list[Place]:
    """Return what output and last states hold, index by index."""
    ways = len(made.tails[0])
    last = len(made.tails) - 1
    width = _entries(made.graph.output_shape, made.form.sizes[0])
    at = ":, t" if batch_first else "t"
    nexts = {state.next: state.name for state in made.graph.states}
    output = nexts.get(made.graph.output, "the output")
    output += f" of layer {last}" if last else ""
    found = [Place(f"output[{at}]", f"{output} after step t")]
    if ways > 1:
        every = at if batch_first else f"{at}, :"
        found = [
            Place(
                f"output[{every}, :{width}]", f"{output} after step t, read forwards"
            ),
            Place(
                f"output[{every}, {width}:]",
                f"{output} read backwards: it has seen the last step down to step t",
            ),
        ]
    states = [state.name for state in made.graph.states]
    for i, state in enumerate(states):
        for row in range((last + 1) * ways):
            layer, backwards = divmod(row, ways)
            holds = f"{state} of layer {layer} after the last step"
            if backwards:
                holds = f"{state} of layer {layer} read backwards, after step 0"
            name = f"state[{i}]" if len(states) > 1 else "state"
            name = f"{state}_n" if made.packed else name
            found.append(Place(f"{name}[{row}]", holds))
    return found


def _other_count(made: Made) -> str:
    """Return how Keras counts, where that is another number."""
    if not made.packed or made.cell.name not in ("lstm", "elman", "elman_relu"):
        return ""
    if not any(p.role == "bias" for p in made.graph.parameters):
        return ""
    one = [_own(made, sizes, "") for sizes in made.form.sizes]
    ways = len(made.tails[0])
    total = together(each for each in one for _ in range(ways))
    return f"with one bias, as Keras and {made.cell.name}.cell have: {in_words(total)}"


def _equation(made: Made, name: str) -> str:
    """Return how a value comes about; of a micro-step the equation of all of them."""
    stem = re.fullmatch(r"(.+)_\d+", name)
    for row in made.cell.equations:
        known = {name, f"{name}'"}
        if stem and row.in_block:
            known = {stem[1], f"{stem[1]}'"}
        if known & {*row.names}:
            return f"{', '.join(row.names)} = {one_line(row.text)}"
    return ""


def _entries(shape: Sequence[object], sizes: Mapping[str, int]) -> int:
    total = 1
    for each in numbers(tuple(shape), sizes):  # pyright: ignore[reportArgumentType]
        total *= each
    return total
