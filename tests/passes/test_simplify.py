"""What nothing uses is dropped."""

from cellwright.cells import find, load
from cellwright.ir.verify import verify
from cellwright.passes.simplify import without_first_weights


def test_cells_that_begin_differently_are_one_step():
    """Without first values of weights the graphs are equal, constants and all."""
    text = "extends lstm\nbias b_i [hidden_size] = -log(uniform(1, 99))\n"
    text += "bias b_f [hidden_size] = -b_i\n"
    made, plain = find(text).graph, load("lstm").graph
    assert {p.name for p in made.parameters if p.init is not None} == {"b_i", "b_f"}
    stripped = verify(without_first_weights(made))
    assert all(p.init is None for p in stripped.parameters)
    assert stripped.nodes == without_first_weights(plain).nodes == plain.nodes
    assert stripped.constants == plain.constants


def test_constants_and_states_keep_their_first_values():
    """A kernel is not given these by whoever calls it."""
    graph = load("izhikevich").graph
    stripped = verify(without_first_weights(graph))
    assert [c.name for c in stripped.constants] == [c.name for c in graph.constants]
    firsts = [stripped.nodes[s.first].op for s in stripped.states]
    assert firsts == [graph.nodes[s.first].op for s in graph.states]
