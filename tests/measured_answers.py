"""What answers say that was measured: the same measured once more, by plain torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from answer_parts import Lines, Sizes, linear


def example(*shape: int) -> Tensor:
    """Return the input that a command draws."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def made(make: Callable[[], nn.Module]) -> nn.Module:
    """Return a network with the first weights that a command gives it."""
    torch.manual_seed(0)
    return make()


def by_steps(what: str, steps: int) -> str:
    """Return that a loop gives what the sequence gives."""
    return f"by steps {what}: all {steps} outputs are the same, to 1e-11 in float64"


def reaches(s: Sizes, window: int | None) -> Lines:
    """Return how far back the gradient of an LSTM's last output reaches."""
    layer = made(lambda: nn.LSTM(s.I, s.H))
    assert isinstance(layer, nn.LSTM)
    nodes = _states(layer, example(s.T, s.B, s.I), window or s.T)
    loss = nodes[-1][0].square().sum() / 2
    found: Lines = []
    for index, name in enumerate("hc"):
        line = [states[index] for states in reversed(nodes)]
        slopes = torch.autograd.grad(loss, line, retain_graph=True, allow_unused=True)
        norms = torch.tensor(
            [
                0.0 if g is None else float(g.double().norm(dim=1).mean())
                for g in slopes
            ],
            dtype=torch.float64,
        )
        found.append(f"reaches {name}_l0, {_reach(norms, s.T, window)}")
    return found


def _states(layer: nn.LSTM, x: Tensor, window: int) -> list[tuple[Tensor, Tensor]]:
    """Return h and c after each step, off the graph between two windows."""
    weights = [getattr(layer, f"{n}_l0") for n in ("weight_ih", "weight_hh")]
    bias = layer.get_parameter("bias_ih_l0") + layer.get_parameter("bias_hh_l0")
    h = c = torch.zeros(x.shape[1], layer.hidden_size)
    nodes: list[tuple[Tensor, Tensor]] = []
    for t, step in enumerate(x):
        if t % window == 0:
            h, c = h.detach(), c.detach()
        i, f, g, o = (step @ weights[0].T + h @ weights[1].T + bias).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        nodes.append((h, c))
    return nodes


def _reach(norms: Tensor, steps: int, window: int | None) -> str:
    far = int((norms > 0.01 * norms.max()).nonzero()[-1])
    back = (
        f"the last output's gradient is above 1 % of its largest norm back to k={far}"
    )
    if window is None:
        share = float(norms[-1] / norms.max())
        how = "decay" if share <= 0.01 else "no decay to 1 %"
        left = f"{share:.2g} of the largest norm is left"
        return (
            f"over {steps} steps: {back}; {how}: {left} at the first step, "
            f"k={steps - 1}"
        )
    last = (steps - 1) % window + 1
    call = (steps - 1) // window
    return (
        f"over {steps} steps in calls of {window}, with the states carried on: {back}; "
        f"a cut, not decay: exactly 0 from k={last} on; the states that call {call} of "
        "the layer was given were detached, or made without gradients"
    )


def ranges(s: Sizes) -> Lines:
    """Return between which numbers h and c of an LSTM are."""
    layer = made(lambda: nn.LSTM(s.I, s.H))
    assert isinstance(layer, nn.LSTM)
    nodes = _states(layer, example(s.T, s.B, s.I), s.T)
    h, c = (torch.stack(values).detach() for values in zip(*nodes, strict=True))
    apart = float((h - c).abs().max())
    return [
        (
            f"range c'_l0 is between {float(c.min()):.3g} and {float(c.max()):.3g}, "
            f"and up to {apart:.3g} from the same unit's h"
        ),
        f"range h'_l0 is between {float(h.min()):.3g} and {float(h.max()):.3g}",
    ]


def descents(make: Callable[[], nn.Module], x: Tensor, rates: Sequence[float]) -> Lines:
    """Return what one step at each rate does, by torch's own optimiser."""
    found: Lines = []
    for rate in rates:
        module = made(make).double()
        before = {name: p.detach().clone() for name, p in module.named_parameters()}
        first = _loss(module, x)
        first.backward()
        torch.optim.SGD(module.parameters(), lr=rate).step()
        then = float(_loss(module, x).detach())
        way = "falls" if then < float(first.detach()) else "grows"
        found.append(
            f"rate {rate:g} one step of gradient descent moves {len(before)} tensors "
            f"together, and the loss {way} from {float(first.detach()):.3g} to "
            f"{then:.3g}"
        )
        moved = ", ".join(
            f"{name} by {float((p.detach() - before[name]).abs().max()):.3g}"
            for name, p in module.named_parameters()
        )
        found.append(f"moved at most, {moved}")
    return found


def _loss(module: nn.Module, x: Tensor) -> Tensor:
    output = module(x.double())
    draws = torch.Generator().manual_seed(1)
    aim = torch.randn(output.shape, generator=draws, dtype=torch.float64)
    return F.mse_loss(output, aim)


def slope(s: Sizes) -> Lines:
    """Return what a step does to a network with a PReLU."""

    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(s.I, s.H), nn.PReLU(), nn.Linear(s.H, s.O))

    return descents(make, example(s.B, s.I), [0.1])


def rates(s: Sizes) -> Lines:
    """Return what a step does to a linear layer, at three rates."""
    found = descents(lambda: nn.Linear(s.I, s.O), example(s.B, s.I), [1, 0.1, 0.01])
    return found[::2]


def spreads(s: Sizes, start: str) -> Lines:
    """Return how what each of three layers gives is spread."""

    def draw(weight: Tensor) -> None:
        deviation = 0.05
        if start == "he_normal":
            deviation = (2 / weight.shape[1]) ** 0.5 / 0.87962566103423978
        if start == "zeros":
            nn.init.zeros_(weight)
        else:
            bounds = (-2 * deviation, 2 * deviation)
            nn.init.trunc_normal_(weight, 0.0, deviation, *bounds)

    def make() -> nn.Module:
        layers: list[nn.Module] = []
        for i, h in pairwise((s.I, s.H, s.H, s.O)):
            layer = nn.Linear(i, h)
            draw(layer.weight.detach())
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    module, value = made(make), example(s.B, s.I)
    assert isinstance(module, nn.Sequential)
    found: Lines = []
    for place, layer in enumerate(module):
        value = layer(value).detach()
        deviation, mean = torch.std_mean(value.double(), correction=0)
        off = int((value == 0).all(0).sum())
        rest = f"; {off} of {value.shape[1]} units give 0 for every row" if off else ""
        name = f"{place} {layer}" if place % 2 else f"{place} {_written(layer)}"
        found.append(name)
        found.append(
            f"spread what it gives has mean {float(mean):.3g} and standard deviation "
            f"{float(deviation):.3g}{rest}"
        )
    return found


def _written(layer: nn.Module) -> str:
    assert isinstance(layer, nn.Linear)
    return linear(layer.in_features, layer.out_features)


def twins(s: Sizes) -> list[Lines]:
    """Return which units of 3-1-1 and 3-2-1 stay alike."""
    alone = "twins its one unit has no other that could be like it"
    listed = ", ".join(map(str, range(s.H)))
    if s.H > 8:
        listed = f"0, 1, … {s.H - 1} ({s.H} of them)"
    same = (
        f"twins units {listed} have the same weights, and 10 steps down the gradient, "
        "in evaluation, leave them the same"
    )
    none = f"twins no two of its {s.H} units have the same weights"
    return [
        [f"0 {linear(s.I, h)}", first, f"1 {linear(h, 1)}", alone]
        for h, first in ((1, alone), (s.H, same), (s.H, none))
    ]


def unit(s: Sizes) -> Lines:
    """Return the first unit of a linear layer, worked out for the first row."""
    layer = made(lambda: nn.Linear(s.I, s.H))
    assert isinstance(layer, nn.Linear)
    row, weights = example(s.B, s.I)[0].tolist(), layer.weight[0].tolist()

    def signed(number: float) -> str:
        return f"{number:.4g}" if number >= 0 else f"({number:.4g})"

    pairs = list(zip(weights, row, strict=True))
    terms = [f"{w:.4g}×{signed(x)}" for w, x in pairs[:8]]
    if pairs[8:]:
        rest = sum(w * x for w, x in pairs[8:])
        terms.append(f"{signed(rest)} from {len(pairs[8:])} more")
    bias = float(layer.bias[0].detach())
    value = sum(w * x for w, x in pairs) + bias
    terms.append(f"{signed(bias)}, its bias, which is learned as they are")
    words = f"{s.H}×{s.I} weights + {s.H} biases = {s.H * (s.I + 1):,}"
    return [
        f"parameters {s.H * (s.I + 1):,}",
        f"parameters {words}",
        f"unit 0 of the first row: {' + '.join(terms)} = {value:.4g}",
    ]


def begins(*states: Sequence[int]) -> str:
    """Return what a recurrent layer begins with."""
    names = "hc"[: len(states)]
    pairs = zip(names, states, strict=True)
    listed = " and ".join(f"{name} {list(shape)}" for name, shape in pairs)
    return (
        "it begins with first states of its own, or with those that it is handed "
        f"beside the input: {listed}, such as another layer's last ones"
    )


def through_two(s: Sizes) -> list[Lines]:
    """Return what two convolutions on one another see, without and with a bend."""
    first = s.F * (s.K**2 + 1)
    second = s.F * (s.F * s.K**2 + 1)
    wide = 2 * s.K - 1
    field = (
        f"through the 2 layers with windows so far, each value hangs on {wide}×{wide} "
        f"places of the network's input: {wide} = {s.K} + ({s.K} - 1)×1"
    )
    one = (
        "one map nothing bends between layers 0, 1: together they are one convolution "
        f"with a window of {wide}×{wide}, from 1 to {s.F} channels"
    )

    def layer(place: int, i: int) -> str:
        return f"{place} Conv2d({i}, {s.F}, kernel_size=({s.K}, {s.K}), stride=(1, 1))"

    counts = [
        f"parameters {s.F} filters × ({i}×{s.K}×{s.K} weights + 1 bias) = {count:,}"
        for i, count in ((1, first), (s.F, second))
    ]
    total = f"parameters {first + second:,}"
    return [
        [total, one, layer(0, 1), counts[0], layer(1, s.F), counts[1], field],
        [
            *(total, layer(0, 1), counts[0], "1 ReLU()", "parameters 0"),
            *(layer(2, s.F), counts[1], field),
        ],
    ]


def skip(s: Sizes) -> Lines:
    """Return what the layers of a stack with the input at every layer see."""
    found: Lines = []
    for place, (i, h) in enumerate(((s.I, s.G), (s.I + s.G, s.H))):
        found += [
            f"0.layers.{place} Recurrent('lstm', input_size={i}, hidden_size={h})",
            f"takes [time {s.T}, batch {s.B}, features {i}]",
            (
                f"each unit sees {i} numbers of the input at this step, and h of one "
                f"step earlier, all {h} numbers of it"
            ),
        ]
    return found
