"""All layers of a bare call as one pass: which tensors of the layer it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cellwright.autograd import Planned, without_autocast
from cellwright.autograd.function import Call
from cellwright.autograd.kernels import fixed_roots
from cellwright.autograd.whole import Layer, Whole
from cellwright.backends.reference.interpret import Weights as Computed
from cellwright.passes.pipeline import Gradients

from .call import Form

Weights = Mapping[str, Tensor]


class OnePass(NamedTuple):
    """A pass, and how its weights come about.

    Args:
        form: of the layer.
        whole: the pass.
        names: of the layer's weights that it takes, ahead of those that are computed.
        computed: for each layer, what it takes that is made of weights by more than
            sums: torch computes it at every call, and finds its gradients.
    """

    form: Form
    whole: Whole
    names: Sequence[str]
    computed: Sequence[Computed | None]

    @property
    def computes(self) -> bool:
        """Whether anything is computed for every call."""
        return any(each is not None for each in self.computed)

    def weights(self, weights: Weights, like: Tensor) -> list[Tensor]:
        """Return the weights as the pass takes them.

        Args:
            weights: of the layer, by name.
            like: has their dtype and device.
        """
        found = [weights[name] for name in self.names]
        return [*found, *self.made(weights, like)] if self.computes else found

    def made(self, weights: Weights, like: Tensor) -> list[Tensor]:
        """Return what is computed for a call; the arguments are those of `weights`."""
        found: list[Tensor] = []
        rows = zip(self.form.arguments(weights), self.computed, strict=True)
        with without_autocast(like.device.type):
            for (arguments,), computed in rows:
                if computed is not None:
                    found += computed.values(arguments, like)
        return found


class _Taken(NamedTuple):
    """What one layer's kernels take.

    Args:
        call: the layer's.
        made_of: of each tensor, the names of the weights whose sum it is.
        fixed: those that hang on sizes alone, by their places.
        computed: what torch computes, if anything.
    """

    call: Call
    made_of: Sequence[Sequence[str]]
    fixed: Mapping[int, Tensor]
    computed: Computed | None


def one_pass(
    form: Form,
    planned: Planned,
    like: Tensor,
    shapes: Mapping[str, Sequence[int]],
    gradients: Gradients,
    batch_first: bool,
) -> OnePass | None:
    """Return all layers as one pass; None where a layer runs backwards too.

    Args:
        form: of the layer.
        planned: its cell's kernels.
        like: has the dtype and the device of the weights.
        shapes: of the weights, by name.
        gradients: whose are asked for: the input's is the lowest layer's alone.
        batch_first: whether the input is ``[B, T, n]``.
    """
    if form.bidirectional:
        return None
    rows = _taken(form, planned, like, shapes, gradients)
    read = dict.fromkeys(name for row in rows for made in row.made_of for name in made)
    names = [name for name in read if name in shapes]
    all_names = [*names, *(name for name in read if name not in shapes)]
    layers = [
        Layer(
            row.call,
            [[all_names.index(name) for name in made] for made in row.made_of],
            row.fixed,
        )
        for row in rows
    ]
    count = 1 + len(form.graph.states) + len(all_names)
    whole = Whole(layers, batch_first, count)
    return OnePass(form, whole, names, [row.computed for row in rows])


def _taken(
    form: Form,
    planned: Planned,
    like: Tensor,
    shapes: Mapping[str, Sequence[int]],
    gradients: Gradients,
) -> list[_Taken]:
    """Return what every layer's kernels take, the lowest layer's first."""
    # What stands for a weight here is a tensor of its own also where one weight has
    # two names. What is told by its id must not die.
    stands = {name: torch.empty(s, device="meta") for name, s in shapes.items()}
    made_of: dict[int, tuple[str, ...]] = {
        id(value): (name,) for name, value in stands.items()
    }
    alive: list[Tensor] = []

    def add(a: Tensor, b: Tensor) -> Tensor:
        alive.append(a + b)
        made_of[id(alive[-1])] = made_of[id(a)] + made_of[id(b)]
        return alive[-1]

    rows: list[_Taken] = []
    for (arguments,) in form.arguments(stands, add):
        # Of a layer above another one all are asked for.
        asked = "all" if rows and gradients == "weights" else gradients
        call, own = planned.call(asked, arguments, next(iter(stands.values())))
        alive += own
        fixed: Mapping[int, Tensor] = {}
        if call.places is None:
            fixed = fixed_roots(call.program, call.sizes, like)
        made_of |= {id(own[i]): () for i in fixed}
        more = [i for i, value in enumerate(own) if id(value) not in made_of]
        made_of |= {id(own[i]): (f"computed {len(rows)} {i}",) for i in more}
        schedule = call.program.ahead.schedule
        computed = Computed(schedule.graph, [schedule.roots[i] for i in more])
        made = [made_of[id(value)] for value in own]
        rows.append(_Taken(call, made, fixed, computed if more else None))
    return rows
