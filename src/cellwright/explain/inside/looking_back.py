"""`horizon`: how far back in time the gradient of a loss reaches, as measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .findings import finding
from .horizons import Horizon, StateHorizon
from .measured import Measured, measure
from .outcome import Loss, losses
from .recurrent_kinds import find_layers, nothing_ran
from .step_by_step import Visits, step_by_step
from .trace_errors import TraceError
from .untouched import untouched


def horizon(
    run: Callable[..., Any],
    /,
    *args: Any,
    model: nn.Module | None = None,
    at: int | Sequence[int] = -1,
    loss: Loss | None = None,
    **kwargs: Any,
) -> Horizon:
    """Measure how far back learning reaches: the norm of d loss_t / d h_{t-k} over k.

    The module runs as `run(*args, **kwargs)` with its recurrent layers step by step,
    and the gradient goes back through all that ran: what the module or a loop around it
    detaches, truncates or carries over acts as it does in training. A gradient that
    decays and one that is cut are told apart. The module is afterwards what it was.

    The loss is half the squared norm of the output at step t. Its gradient at the
    output is the output itself: it needs no target, no unit cancels another, as in a
    sum, and another scale of the output changes no relative norm. It says how far back
    what is put out can be learned. Where training has a loss of its own, give that.

    Args:
        run: a module, or a function that runs one, as a loop that calls it many times:
            what it returns is an output or a loss, or a list of them, one a step.
        *args: what it is called with.
        model: the module whose layers are measured, if ``run`` is a function.
        at: the step t of the output, from the end if below 0, among the steps that
            happen in each row; or several, over which norms are averaged. Of a list,
            its place in the list.
        loss: makes one number of what the run returns, in place of the above.
        **kwargs: as ``args``.

    Returns:
        A record for each state of each layer and direction. k counts steps in the order
        in which the direction reads: later ones for a backward direction. It begins at
        step t, or, where the run does not say which step a loss is of, at the last
        state on which the loss hangs. States of one number a row are left out.

    Raises:
        TraceError: when there is no recurrent layer, none ran, one draws random numbers
            in training or runs in half precision, or there is no loss with a gradient.
        ReplayError: when a layer step by step would not be what it is as it runs.

    Example:
        >>> import torch, cellwright as cw
        >>> layer = torch.nn.RNN(1, 1, nonlinearity="relu", bias=False)
        >>> for weight in layer.parameters():
        ...     _ = torch.nn.init.constant_(weight, 0.5)
        >>> found = cw.horizon(layer, torch.ones(8, 1, 1))["RNN.h_l0"]
        >>> found.relative[:4].tolist()
        [1.0, 0.5, 0.25, 0.125]
        >>> found.reach
        6
    """
    where = f"horizon({getattr(run, '__name__', type(run).__name__)})"
    module = run if model is None and isinstance(run, nn.Module) else model
    if module is None:
        raise TraceError(
            where,
            "a function is measured together with the module that it runs",
            "model=None",
            "write cellwright.horizon(function, ..., model=model)",
        )
    layers = find_layers(module, "horizon")
    steps = (at,) if isinstance(at, int) else tuple(at)
    if not steps:
        raise TraceError(where, "at names a step or several", "none", "leave it out")
    eager = torch.compiler.set_stance("force_eager")
    with untouched(module), torch.enable_grad(), eager:
        with step_by_step(layers) as visits:
            result = run(*args, **kwargs)
        if not visits:
            raise nothing_ran(where, list(layers))
        seen = losses(result, steps, loss, visits[-1][1], where)
        measured = [measure(each, visits, where) for each in seen]
    states = [
        _state_horizon(found, layers[found[0].layer], visits)
        for found in zip(*measured, strict=True)
    ]
    value = sum(float(each.loss.detach()) for each in seen) / len(seen)
    return Horizon(type(module).__name__, value, states)


def _state_horizon(
    found: Sequence[Measured], layer: nn.Module, visits: Visits
) -> StateHorizon:
    """Return what was measured of one state, by one loss or several."""
    rows = _mean([each.rows for each in found])
    norms = rows.nanmean(1).nan_to_num(0)
    ended = None
    if not norms[-1]:
        ended = int((norms > 0).nonzero().max()) + 1 if norms.any() else 0
    longest = max(found, key=lambda each: len(each.rows))
    name = longest.layer
    calls = [visit for called, visit in visits if called == name]
    place = longest.places[ended or 0]
    words = finding(norms, ended, calls, place, longest.connected[place], longest.dtype)
    return StateHorizon(
        name or type(layer).__name__, longest.state, norms, rows, ended, words
    )


def _mean(found: Sequence[Tensor]) -> Tensor:
    """Return the mean of ``[K, B]`` of several K, over those that are so long."""
    longest = max(len(rows) for rows in found)
    most = max(rows.shape[1] for rows in found)
    wide = [rows.new_full((longest, most), torch.nan) for rows in found]
    for all_rows, rows in zip(wide, found, strict=True):
        all_rows[: len(rows), : rows.shape[1]] = rows
    return torch.stack(wide).nanmean(0)
