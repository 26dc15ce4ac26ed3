import math
from typing import Any, cast

import numpy as np
import pytest
import torch

from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.networks import STDP, SpikeError, first_spikes
from cellwright.nn.recurrent import Recurrent

BOUND = TOLERANCES["reference", "float64"].bound
FREE = {"low": -math.inf, "high": math.inf}


def pair(pre_at: int, post_at: int, steps: int = 100):
    """Return one spike on each side of one synapse, and its weight."""
    pre, post = torch.zeros(2, steps, 1, dtype=torch.float64)
    pre[pre_at], post[post_at] = 1, 1
    return torch.tensor([[0.5]], dtype=torch.float64), pre, post


def drawn(*axes: int, share: float = 0.1, seed: int = 0) -> torch.Tensor:
    """Return random spikes in float64."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(axes, generator=generator) < share).double()


def over_all_pairs(rule: STDP, pre: torch.Tensor, post: torch.Tensor) -> torch.Tensor:
    """Return the change of each weight: the published sum, pair by pair."""
    change = torch.zeros(post.shape[1], pre.shape[1], dtype=torch.float64)
    for s, i in pre.nonzero().tolist():
        for t, j in post.nonzero().tolist():
            apart = (t - s) * rule.step
            if apart > 0:
                change[j, i] += rule.a_plus * math.exp(-apart / rule.tau_plus)
            if apart < 0:
                change[j, i] -= rule.a_minus * math.exp(apart / rule.tau_minus)
    return change


@pytest.mark.parametrize("tau", [10.0, 20.0])
def test_before_strengthens_and_after_weakens(tau: float):
    """Ten ms before add A₊ exp(-10 / τ₊), ten after take away A₋ exp(-10 / τ₋)."""
    rule = STDP(a_plus=0.1, a_minus=0.2, tau_plus=tau, tau_minus=2 * tau)
    before, _ = rule(*pair(20, 30))
    after, _ = rule(*pair(30, 20))

    assert abs(before.item() - 0.5 - 0.1 * math.exp(-10 / tau)) <= BOUND
    assert abs(after.item() - 0.5 + 0.2 * math.exp(-10 / (2 * tau))) <= BOUND


def test_a_step_has_its_milliseconds():
    """Ten ms are 40 steps of 0.25 ms."""
    weight, _ = STDP(a_plus=0.1, step=0.25)(*pair(20, 60))

    assert abs(weight.item() - 0.5 - 0.1 * math.exp(-10 / 20)) <= BOUND


def test_as_published():
    """Without a word: 20 ms on both sides, 0.5 % of the largest weight, 1.05 times."""
    rule = STDP()

    assert (rule.tau_plus, rule.tau_minus, rule.a_plus) == (20, 20, 0.005)
    assert rule.a_minus == 1.05 * rule.a_plus
    assert (rule.low, rule.high) == (0, 1)


def test_spikes_of_one_step_change_nothing():
    """They are at the same time, and neither came first."""
    weight, _ = STDP(a_plus=0.1)(*pair(20, 20))

    assert weight.item() == 0.5


def test_all_pairs_count():
    """Many spikes of several neurons change weights by the sum over all pairs."""
    rule = STDP(0.1, 0.15, 7.0, 13.0, step=0.5, **FREE)
    pre, post = drawn(80, 5), drawn(80, 3, seed=1)
    weight = torch.zeros(3, 5, dtype=torch.float64)
    after, _ = rule(weight, pre, post)

    assert error(after, over_all_pairs(rule, pre, post)) <= BOUND
    assert torch.equal(weight, torch.zeros_like(weight))  # it was not changed


def test_a_recurrent_matrix():
    """Neurons are before and after one another, and themselves."""
    rule = STDP(0.1, 0.15, **FREE)
    spikes = drawn(60, 4)
    after, _ = rule(torch.zeros(4, 4, dtype=torch.float64), spikes, spikes)

    assert error(after, over_all_pairs(rule, spikes, spikes)) <= BOUND


def test_rows_of_a_batch_are_apart():
    """Each row has its own weights, those that it would have alone."""
    rule = STDP(0.3, 0.4)
    pre, post = drawn(50, 2, 4), drawn(50, 2, 3, seed=1)
    weight = torch.full((2, 3, 4), 0.5, dtype=torch.float64)
    together, _ = rule(weight, pre, post)

    for row in range(2):
        alone, _ = rule(weight[row], pre[:, row], post[:, row])
        assert torch.equal(together[row], alone)


def test_a_run_can_be_cut_anywhere():
    """With the traces handed on, two halves are the whole, to the bit."""
    rule = STDP(0.3, 0.4)
    pre, post = drawn(50, 4), drawn(50, 3, seed=1)
    weight = torch.full((3, 4), 0.5, dtype=torch.float64)
    whole, traces = rule(weight, pre, post)
    for cut in (0, 1, 23, 50):
        half, kept = rule(weight, pre[:cut], post[:cut])
        rest, last = rule(half, pre[cut:], post[cut:], kept)
        assert torch.equal(rest, whole)
        assert torch.equal(last.pre, traces.pre)
        assert torch.equal(last.post, traces.post)


def test_no_weight_leaves_the_bounds():
    """It stays at a bound, and goes on from there: what was cut off is no debt."""
    weight, pre, post = pair(5, 10)
    post[11:21] = 1
    rule = STDP(a_plus=0.4, a_minus=0.1, low=0.2, high=0.8)
    top, traces = rule(weight, pre, post)
    assert top.item() == 0.8

    late = torch.zeros(1, 1, dtype=torch.float64)
    less, _ = rule(top, late + 1, late, traces)
    expected = 0.8 - 0.1 * traces.post.item() * math.exp(-1 / 20)
    assert abs(less.item() - max(0.2, expected)) <= BOUND
    assert rule(weight, drawn(300, 1), drawn(300, 1, seed=1))[0].min() >= 0.2


def test_no_gradient_is_kept():
    """The rule is no layer: weights that require gradients come out without a graph."""
    _, pre, post = pair(5, 10)
    parameter = torch.nn.Parameter(torch.tensor([[0.5]], dtype=torch.float64))
    after, _ = STDP()(parameter, pre, post)

    assert not after.requires_grad
    assert parameter.item() == 0.5


def test_early_inputs_win():
    """A neuron that hears 20 inputs one after another learns the first, and is faster.

    Song, Miller & Abbott call it latency reduction.
    """
    inputs, gain = 20, 8.0
    volley = torch.zeros(100, 1, inputs)
    volley[20 + torch.arange(inputs), 0, torch.arange(inputs)] = 1
    neuron = Recurrent("izhikevich", inputs, 1, init={"W": gain / 2, "U": 0})
    weight = torch.full((1, inputs), 0.5)
    rule, traces, state, latency = STDP(a_plus=0.02, a_minus=0.021), None, None, []
    for _ in range(60):
        with torch.no_grad():
            spikes, state = neuron(volley, state)
            weight, traces = rule(weight, volley[:, 0], spikes[:, 0], traces)
            neuron.get_parameter("W_l0").copy_(gain * weight)
        latency.append(float(first_spikes(spikes).item()) - 20)

    assert weight[0, :5].min() == 1
    assert weight[0, 10:].max() == 0
    assert latency[-1] <= latency[0] - 5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tau_plus": 0.0}, "found  tau_plus=0.0"),
        ({"tau_minus": math.inf}, "found  tau_minus=inf"),
        ({"step": -1.0}, "found  step=-1.0"),
        ({"a_minus": -0.1}, "takes a_minus away"),
        ({"a_plus": math.nan}, "found  a_plus=nan"),
        ({"a_plus": True}, "found  a_plus=True"),
        ({"step": "1"}, "found  step='1'"),
        ({"low": 2.0}, r"found  low=2.0, high=1.0"),
        ({"high": "2"}, r"found  low=0.0, high='2'"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any], said: str):
    """A sign that is doubled and times that are none are told at once."""
    with pytest.raises(SpikeError, match=said):
        STDP(**settings)


@pytest.mark.parametrize(
    ("weight", "pre", "post", "said"),
    [
        ((3,), (9, 4), (9, 3), r"weight is \[H, I\] or \[B, H, I\]"),
        ((3, 4), (9, 1, 4), (9, 1, 3), r"spikes\[:, 0\]"),
        ((3, 4), (9, 3), (9, 4), r"pre is \[T, 4\]"),
        ((3, 4), (9, 4), (8, 3), r"post is \[T, 3\]"),
        ((2, 3, 4), (9, 4), (9, 3), r"pre is \[T, 2, 4\]"),
        ((3, 4), (), (9, 3), r"found  weight \[3, 4\], pre \[\], post \[9, 3\]"),
    ],
)
def test_shapes_that_are_refused(weight, pre, post, said: str):
    """Rows and columns taken for each other, or a batch that is none."""
    with pytest.raises(SpikeError, match=said):
        STDP()(torch.zeros(weight), torch.zeros(pre), torch.zeros(post))


@pytest.mark.parametrize(
    ("traces", "said"),
    [
        ((torch.zeros(4), torch.zeros(2)), r"traces.post is \[3\].*\n  found  \[2\]"),
        ((torch.zeros(4),), r"a pair, .*\n  found  tuple of 1"),
        ([torch.zeros(4)] * 3, r"found  list of 3"),
        (torch.zeros(2), r"found  Tensor"),
        ((torch.zeros(4), [0.0] * 3), r"traces.post is a tensor"),
        ((torch.full((4,), math.nan), torch.zeros(3)), r"traces.pre are finite"),
        ((torch.zeros(4), torch.full((3,), math.inf)), r"traces.post are finite"),
    ],
)
def test_traces_that_are_refused(traces: Any, said: str):
    """They are two, of one step, and leave the weights numbers."""
    with pytest.raises(SpikeError, match=said):
        STDP()(torch.zeros(3, 4), torch.zeros(9, 4), torch.zeros(9, 3), traces)


def test_only_tensors_are_read():
    """An array says which of the three it is."""
    with pytest.raises(SpikeError, match=r"post is a tensor.*\n  found  numpy.ndarray"):
        STDP()(torch.zeros(3, 4), torch.zeros(9, 4), cast("Any", np.zeros((9, 3))))


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 3, 4)])
def test_no_weights_stay_none(shape: tuple[int, ...]):
    """A population of no neuron learns nothing, and is no error."""
    *batch, rows, columns = shape
    pre, post = torch.ones(9, *batch, columns), torch.ones(9, *batch, rows)
    after, traces = STDP()(torch.zeros(shape), pre, post)

    assert after.shape == shape
    assert traces.pre.shape == (*batch, columns)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_weights_begin_within_the_bounds(weight: float):
    """Else the bounds would change them without a spike."""
    pre, post = torch.zeros(9, 1), torch.zeros(9, 1)
    with pytest.raises(SpikeError, match="from low=0 to high=1"):
        STDP()(torch.full((1, 1), weight), pre, post)
    with pytest.raises(SpikeError, match="found  int64"):
        STDP()(torch.ones(1, 1, dtype=torch.int64), pre, post)


def test_anything_but_0_is_one_spike():
    """As for all that reads spikes; NaN is none."""
    pre, post = torch.zeros(30, 1), torch.zeros(30, 1)
    pre[5], post[15] = 1, 1
    half = torch.full((1, 1), 0.5)
    assert torch.equal(STDP()(half, 2 * pre, 3 * post)[0], STDP()(half, pre, post)[0])
    with pytest.raises(SpikeError):
        STDP()(half, pre * torch.nan, post)
