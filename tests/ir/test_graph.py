"""Binding times, liveness and look-ups of graphs."""

from __future__ import annotations

from cell_texts import elman
from cellwright.cells import load
from cellwright.ir.graph import Binding, bindings, reachable
from cellwright.ir.sizes import Size


def times(*lines: str) -> dict[str, Binding]:
    """Return the binding time of every value of a cell."""
    graph = elman(*lines).graph
    binding = bindings(graph)
    return {value.name: binding[value.node] for value in graph.values}


def test_binding_times() -> None:
    """A node is as late as its latest leaf: weights, then inputs, then states."""
    found = times("w = 2 * b", "i = W @ x + w", "s = U @ h + i", "h' = tanh(s)")
    assert found == {
        "w": Binding.WEIGHTS,
        "i": Binding.INPUT,
        "s": Binding.STEP,
        "h'": Binding.STEP,
    }


def test_reachable_is_what_roots_hang_on() -> None:
    """All that a root depends on is found, the root included, and nothing else."""
    graph = load("lstm").graph
    gate = graph.value("i")
    assert gate is not None
    found = reachable(graph.nodes, {gate.node})
    attrs = {graph.nodes[i].attr for i in found if graph.nodes[i].op == "parameter"}
    assert attrs == {"W_i", "U_i", "b_i"}
    assert gate.node in found


def test_lookups() -> None:
    """Values are found by name; the output has its shape; a hash is stable."""
    graph = load("lstm").graph
    assert graph.value("c'") is not None
    assert graph.value("nothing") is None
    assert graph.output_shape == (Size.named("hidden_size"),)
    assert hash(graph) == hash(load("lstm").graph)
