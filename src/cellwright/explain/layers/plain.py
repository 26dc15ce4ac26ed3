"""Layers that see one row at a time: linear maps, lookups, masks, norms."""

from __future__ import annotations

import math

from torch import nn

from cellwright.explain.arithmetic import counted, once, times
from cellwright.explain.facts import Factor, Product, Sum

from .told import NOTHING, Seen, Told, held, rows_of, wide_rows


def linear(module: nn.Linear, seen: Seen) -> Told:
    """Tell a linear layer, torch's ``y = x Wᵀ + b``."""
    n, m = module.in_features, module.out_features
    weights = Product((m, n), "weights", ("weight",))
    biases = [] if module.bias is None else [Product((m,), "biases", ("bias",))]
    own = f"{n} weights and a bias of its own" if biases else f"{n} weights of its own"
    remarks = [
        f"each of its {m} units sees all {n} numbers of a row, with {own}",
        (
            f"[rows, {n}] times [{n}, {m}] is [rows, {m}]: no unit is left out, "
            "and none looks at another of its own layer"
        ),
    ]
    adds = None
    if seen.takes:
        rows = rows_of(seen.takes[0])
        adds = times([Factor(rows, "rows")], [weights])
    names = wide_rows(seen)
    return Told(once([weights, *biases]), adds, tuple(remarks), names, names)


def embedding(module: nn.Embedding, _: Seen) -> Told:
    """Tell a table of vectors."""
    rows, width = module.num_embeddings, module.embedding_dim
    table = Product((rows, width), "entries of the table", ("weight",))
    remark = (
        f"a token is a whole number from 0 to {rows - 1}, and becomes row by row the "
        f"{width} numbers that stand there; nothing is multiplied"
    )
    takes = ("batch", "time")
    return Told(once([table]), NOTHING, (remark,), takes, (*takes, "features"))


def dropout(module: nn.Dropout, seen: Seen) -> Told:
    """Tell dropout of single values."""
    share = module.p
    kept = f"{1 / (1 - share):.4g}" if share < 1 else "0"
    values = math.prod(seen.takes[0]) if seen.takes else None
    what = "each value" if values is None else f"each of the {values} values"
    return Told(
        NOTHING,
        NOTHING,
        (
            (
                f"in training {what} is 0 with probability {share:g} by itself, "
                f"whatever its neighbours are, and the others are multiplied by {kept}"
            ),
            "in evaluation it does nothing",
        ),
    )


def channel_dropout(module: nn.Dropout2d, seen: Seen) -> Told:
    """Tell dropout of whole channels."""
    share = module.p
    kept = f"{1 / (1 - share):.4g}" if share < 1 else "0"
    what = "each channel of each row is 0 as a whole"
    if seen.takes and len(seen.takes[0]) > 2:
        batch, channels, *size = seen.takes[0]
        each = math.prod(size)
        what = (
            f"each of the {batch * channels} channels is 0 as a whole, with all its "
            f"{each} values,"
        )
    return Told(
        NOTHING,
        NOTHING,
        (
            (
                f"in training {what} with probability {share:g}, and the others are "
                f"multiplied by {kept}"
            ),
            "in evaluation it does nothing",
        ),
    )


def norm(module: nn.Module, seen: Seen) -> Told:
    """Tell a normalisation."""
    names = wide_rows(seen) if isinstance(module, nn.LayerNorm) else ()
    remark = {
        "L": "each row is brought to mean 0 and variance 1 over its own features",
        "B": "each channel is brought to mean 0 and variance 1: in training over the "
        "batch, in evaluation with running statistics",
    }.get(type(module).__name__[0], "values are brought to one scale")
    return Told(held(module), NOTHING, (remark,), names, names)


def slope(module: nn.PReLU, _: Seen) -> Told:
    """Tell a rectifier with learned slopes."""
    count = module.num_parameters
    shared = (
        "one slope for all values" if count == 1 else f"{count} slopes, one a channel"
    )
    words = "slope" if count == 1 else "slopes"
    return Told(
        once([Product((count,), words, ("weight",))]),
        NOTHING,
        (f"{shared} below 0; an optimiser's step moves it together with all weights",),
    )


def bend(module: nn.Module, _: Seen) -> Told:
    """Tell a function of every value by itself."""
    return Told(held(module), NOTHING, ("acts on every value by itself",))


def flatten(_: nn.Flatten, seen: Seen) -> Told:
    """Tell a change of shape."""
    remarks: tuple[str, ...] = ()
    if seen.takes and seen.gives:
        behind = seen.takes[0][1:]
        product = "×".join(map(str, behind))
        remarks = (f"{product} = {math.prod(behind)}: the same numbers in one row",)
    return Told(NOTHING, NOTHING, remarks)


def last_step(_: nn.Module, seen: Seen) -> Told:
    """Tell that all steps but the last are dropped."""
    axes = ("batch", "time", "features")
    if not seen.takes:
        return Told(NOTHING, NOTHING)
    steps, width = seen.takes[0][1:]
    remark = (
        f"of {counted(steps, 'step')} the last one's {width} numbers are handed on, "
        "output[:, -1], which has seen all the others"
    )
    return Told(NOTHING, NOTHING, (remark,), axes, ("batch", "features"))


def any_layer(module: nn.Module, _: Seen) -> Told:
    """Tell a layer of which only its tensors are known."""
    found = held(module)
    return Told(found, None if found.terms else Sum(()))
