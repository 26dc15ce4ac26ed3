"""Spike-timing-dependent plasticity between pairs of spikes, all with all.

The rule is Song, Miller & Abbott's, 2000, "Competitive Hebbian learning through
spike-timing-dependent synaptic plasticity", doi:10.1038/78829. A spike of the neuron
before the synapse at time s and one of the neuron after it at time t change its weight
w by

    A₊ · exp(-(t - s) / τ₊)     where the first came first
    -A₋ · exp(-(s - t) / τ₋)    where it came second

and every pair counts. The sums over pairs are kept as one trace for each neuron
(Morrison, Diesmann & Gerstner, 2008, "Phenomenological models of synaptic plasticity
based on spike timing", doi:10.1007/s00422-008-0233-1):

    x ← x · exp(-step / τ₊)  in each step, then + 1 for a spike before the synapse
    y ← y · exp(-step / τ₋)  in each step, then + 1 for a spike after it
    w ← w + A₊ · x  at a spike after the synapse, - A₋ · y  at one before it

It stands outside the language because what changes is a matrix. A state of a cell is a
vector, ``[hidden_size]``, for each row of the batch; a weight is the same for all
steps, and kernels multiply it with all rows at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .checks import check_spikes, check_tensor, check_time, is_number
from .errors import SpikeError


class Traces(NamedTuple):
    """What the spikes so far have left: x of the neurons before, y of those after."""

    pre: Tensor
    post: Tensor


@dataclass(frozen=True, slots=True)
class STDP:
    """The rule, ready to be applied to any weights and spikes.

    Attributes:
        a_plus: What a pair in the right order adds at most, in units of the weight.
        a_minus: What one in the wrong order takes away at most. As published it is
            1.05 times ``a_plus``, so that weights between neurons that know nothing of
            one another shrink.
        tau_plus: Milliseconds over which a pair in the right order fades to 1/e.
        tau_minus: Milliseconds for the wrong order.
        low: No weight is less; a weight is moved there at the end of a step.
        high: No weight is more. As published, changes are shares of it.
        step: Milliseconds of a step.

    Raises:
        SpikeError: A time is not above 0, an amount is below it, or the bounds are the
            wrong way round.

    Example:
        >>> pre, post = torch.zeros(50, 1), torch.zeros(50, 1)
        >>> pre[10], post[20] = 1, 1  # 10 ms before
        >>> weight, _ = STDP(a_plus=0.1)(torch.tensor([[0.5]]), pre, post)
        >>> round(float(weight - 0.5), 6) == round(0.1 * math.exp(-10 / 20), 6)
        True
    """

    a_plus: float = 0.005
    a_minus: float = 0.00525
    tau_plus: float = 20.0
    tau_minus: float = 20.0
    low: float = 0.0
    high: float = 1.0
    step: float = 1.0

    def __post_init__(self) -> None:
        for name in ("tau_plus", "tau_minus", "step"):
            check_time("STDP", name, getattr(self, name))
        for name in ("a_plus", "a_minus"):
            value = getattr(self, name)
            if not is_number(value) or not 0 <= value < math.inf:
                fix = "the rule itself takes a_minus away"
                raise _refusal(
                    f"{name} is a number from 0 on", f"{name}={value!r}", fix
                )
        bounds = self.low, self.high
        if not all(map(is_number, bounds)) or self.low > self.high:
            found = f"low={self.low!r}, high={self.high!r}"
            raise _refusal("low and high are numbers, and low is at most high", found)

    @torch.no_grad()
    def __call__(
        self, weight: Tensor, pre: Tensor, post: Tensor, traces: Traces | None = None
    ) -> tuple[Tensor, Traces]:
        """Return what the weights are after some steps.

        Spikes of one step are at the same time: as a pair they change nothing. A run
        can be cut anywhere, where the traces are handed on.

        Args:
            weight: From the neurons in columns to those in rows, within the bounds; it
                is not changed.
            pre: Spikes of the neurons before the synapses; anything but 0 is one.
            post: Spikes of the neurons after them; for a recurrent matrix ``U`` the
                same tensor.
            traces: Of the steps before; None is no spike yet.

        Returns:
            The weights after the last step, and the traces.

        Shape:
            - weight: ``[H, I]``; ``[B, H, I]`` where each row of a batch has its own.
            - pre, post: ``[T, I]`` and ``[T, H]``; ``[T, B, I]`` and ``[T, B, H]``.
            - traces: as one step of the spikes.

        Raises:
            SpikeError: The shapes do not fit, a number is none, or a weight begins
                outside of the bounds, which would move it there without a spike.
        """
        traces = _checked(weight, pre, post, traces)
        self._require_inside(weight)
        if len(pre):  # A part of a run may have no step.
            pre, post = (check_spikes("STDP", each, self.step) for each in (pre, post))
        (x, y), weight = traces, weight.clone()
        keep_x = math.exp(-self.step / self.tau_plus)
        keep_y = math.exp(-self.step / self.tau_minus)
        for before, after in zip(pre.to(weight), post.to(weight), strict=True):
            x, y = x * keep_x, y * keep_y
            # A change is a whole matrix, and most steps of a few neurons have none.
            if after.any():
                weight += self.a_plus * after.unsqueeze(-1) * x.unsqueeze(-2)
            if before.any():
                weight -= self.a_minus * y.unsqueeze(-1) * before.unsqueeze(-2)
            weight.clamp_(self.low, self.high)
            x, y = x + before, y + after
        return weight, Traces(x, y)

    def _require_inside(self, weight: Tensor) -> None:
        found = str(weight.dtype).removeprefix("torch.")
        if weight.is_floating_point():
            if bool(((self.low <= weight) & (weight <= self.high)).all()):
                return
            found = f"{float(weight.min()):g} to {float(weight.max()):g}"
        raise _refusal(
            f"weights are real numbers from low={self.low:g} to high={self.high:g}",
            found,
            "low= and high= of these weights; synapses that inhibit are learned "
            "apart, as amounts",
        )


def _checked(
    weight: Tensor, pre: Tensor, post: Tensor, traces: Traces | None
) -> Traces:
    """Return the traces to begin with, or say what does not fit."""
    for name, value in (("weight", weight), ("pre", pre), ("post", post)):
        check_tensor("STDP", name, value)
    found = (
        f"weight {list(weight.shape)}, pre {list(pre.shape)}, post {list(post.shape)}"
    )
    if weight.dim() not in (2, 3):
        raise _refusal("weight is [H, I] or [B, H, I]", found)
    *batch, rows, columns = weight.shape
    for name, spikes, size in (("pre", pre, columns), ("post", post, rows)):
        if list(spikes.shape) != [len(pre) if pre.dim() else 0, *batch, size]:
            whole = ", ".join(["T", *map(str, batch), str(size)])
            fix = "weights [H, I] have no batch: a layer's one row is spikes[:, 0]"
            raise _refusal(f"beside these weights {name} is [{whole}]", found, fix)
    shapes = [*batch, columns], [*batch, rows]
    if traces is None:
        return Traces(*map(weight.new_zeros, shapes))
    return _read_traces(traces, shapes)


def _read_traces(traces: object, shapes: tuple[list[int], list[int]]) -> Traces:
    """Return the traces that a person gave, each in its shape."""
    anew = "traces=None begins anew"
    if not isinstance(traces, tuple | list) or len(traces) != 2:
        many = f" of {len(traces)}" if isinstance(traces, tuple | list) else ""
        found = f"{type(traces).__name__}{many}"
        raise _refusal("traces are a pair, as the rule returns it", found, anew)
    given = Traces(*traces)
    for name, trace, shape in zip(Traces._fields, given, shapes, strict=True):
        check_tensor("STDP", f"traces.{name}", trace)
        if list(trace.shape) != shape:
            rule = f"traces.{name} is {shape}, as one step of the spikes"
            raise _refusal(rule, f"{list(trace.shape)}", anew)
        if not bool(trace.isfinite().all()):
            rule = f"traces.{name} are finite numbers"
            raise _refusal(rule, "NaN or an infinity", anew)
    return given


def _refusal(
    rule: str, found: str, fix: str = "see the docstring of STDP"
) -> SpikeError:
    return SpikeError("STDP", rule, found, fix)
