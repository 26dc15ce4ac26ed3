"""First values of parameters and constants."""

import math

import pytest
import torch

from cellwright.backends.reference.initial import initial_values
from cellwright.cells import find
from cellwright.checks.tolerances import TOLERANCES, error

TEXT = """# Every initialiser.
size heads = 3
size part = 4
input x [input_size]
state h [heads * part]
weight W [heads * part, input_size]
weight u [heads * part] = uniform(2, 3)
weight v [heads * part] = u + 1
weight A [heads, part, part] = orthogonal
weight B [heads, part, part] = glorot
weight n [heads * part] = normal(5, 0)
weight t [heads * part] = exp(uniform(log(1), log(1000)))
bias b [heads * part] = 0.5
constant eye [i: heads * part, j: heads * part] = i == j
constant below [i: heads * part, j: heads * part] = i > j
constant ramp [i: heads * part] = (i + 1) / (heads * part)
constant k = 4
output h'
h' = tanh(W @ x + A @ h + B @ h + eye @ (below @ h) + u * v + n * ramp + b + k + t)
"""
REFERENCE = TOLERANCES["reference", "float64"].bound
SIZES = {"input_size": 5, "hidden_size": 9, "heads": 3, "part": 4}


def drawn(seed: int = 0, **given: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return all first values under a seed."""
    torch.manual_seed(seed)
    parameters, constants = initial_values(find(TEXT).graph, SIZES, given)
    assert {v.dtype for v in parameters.values()} == {torch.float64}
    return {**parameters, **constants}


def test_declared_values():
    """Numbers, indices and earlier parameters mean what they say."""
    v = drawn()
    assert v["v"].equal(v["u"] + 1)
    assert v["b"].tolist() == [0.5] * 12
    assert v["n"].tolist() == [5.0] * 12
    assert v["eye"].equal(torch.eye(12).double())
    assert v["below"].equal(torch.ones(12, 12).double().tril(-1))
    assert v["ramp"].equal(torch.arange(1, 13).double() / 12)
    assert v["k"].shape == ()


def test_draws_keep_their_range():
    """Bounds hold, and a weight without a value has torch.nn's bound."""
    v = drawn()
    assert 2 <= v["u"].min() < v["u"].max() < 3
    assert 1 <= v["t"].min() < v["t"].max() < 1000
    assert v["W"].abs().max() <= 1 / math.sqrt(9)
    assert v["W"].abs().max() > 0.8 / math.sqrt(9)


def test_blocks_are_drawn_one_by_one():
    """Orthogonal and glorot see each head's own sizes."""
    v = drawn()
    for block in v["A"]:
        assert error(block @ block.T, torch.eye(4)) <= REFERENCE
    bound = math.sqrt(6 / (4 + 4))
    assert v["B"].abs().max() <= bound
    assert v["B"].abs().max() > 0.8 * bound
    assert not v["B"][0].equal(v["B"][1])


def test_a_seed_gives_the_same_values():
    """manual_seed decides all draws, and only they differ under another seed."""
    one, same, other = drawn(1), drawn(1), drawn(2)
    assert all(one[name].equal(same[name]) for name in one)
    changed = {name for name in one if not one[name].equal(other[name])}
    assert changed == {"W", "u", "v", "A", "B", "t"}


def test_given_constants_replace_the_declared():
    """A number spreads over a shape, a tensor is taken as it is."""
    ramp = torch.arange(12.0)
    v = drawn(ramp=ramp, eye=torch.tensor(0.0), k=torch.tensor(7.0))
    assert v["below"].equal(torch.ones(12, 12).double().tril(-1))
    assert v["ramp"].equal(ramp.double())
    assert v["eye"].equal(torch.zeros(12, 12).double())
    assert v["k"].item() == 7


def test_values_do_not_hang_on_the_default_device():
    """The default device of torch does not move the draws."""
    with torch.device("meta"):
        inside = drawn(3)
    outside = drawn(3)
    assert all(v.device.type == "cpu" for v in inside.values())
    assert all(inside[name].equal(outside[name]) for name in outside)


def test_two_weights_of_one_statement_differ():
    """Names that share a statement do not share their draws."""
    text = TEXT.replace("weight u [", "weight u, w [").replace("u * v", "u * v + w")
    torch.manual_seed(0)
    parameters, _ = initial_values(find(text).graph, SIZES, {})
    assert not parameters["u"].equal(parameters["w"])


@pytest.mark.parametrize("name", ["u", "A"])
def test_each_layer_is_drawn_anew(name: str):
    """A second call under the same generator goes on in its stream."""
    torch.manual_seed(0)
    graph = find(TEXT).graph
    one, two = (initial_values(graph, SIZES, {})[0] for _ in range(2))
    assert not one[name].equal(two[name])


def test_a_scalar_may_come_from_a_vector():
    """Sums, means and largest entries of drawn values are numbers of no axis."""
    text = """input x [input_size]
state h [hidden_size]
state s = total
constant v [hidden_size] = uniform(0, 1)
constant total = sum(v)
constant middle = mean(v)
constant top = max(v)
constant part [hidden_size] = v / total + top
constant one = uniform(0, total)
constant even [hidden_size] = layer_norm(v) + softmax(v)
weight k = middle
weight W [hidden_size, input_size]
output h'
h' = tanh(W @ x + k * h + s * part + one * even)
s' = s + top + mean(h)
"""
    graph, sizes = find(text).graph, {"input_size": 3, "hidden_size": 4}
    torch.manual_seed(0)
    parameters, constants = initial_values(graph, sizes, {})
    v = constants["v"]
    expected = {"total": v.sum(), "middle": v.mean(), "top": v.max()}
    for name, value in expected.items():
        assert constants[name].shape == ()
        assert error(constants[name], value) <= REFERENCE, name
    assert parameters["k"].shape == constants["one"].shape == ()
    assert error(parameters["k"], v.mean()) <= REFERENCE
    assert error(constants["part"], v / v.sum() + v.max()) <= REFERENCE
    normal = torch.nn.functional.layer_norm(v, (4,)) + v.softmax(0)
    assert error(constants["even"], normal) <= REFERENCE
