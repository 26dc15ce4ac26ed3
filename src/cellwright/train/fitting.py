"""Train any module on any data: the loop with its defaults filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .batches import Source, Tensors
from .checkpoint import Checkpoints
from .errors import RunError, SettingsError
from .files import read_json, write_json
from .lock import locked
from .loop import Callback, Loop
from .loss import Loss, squared_error
from .parallel import joined_by_torchrun
from .progress import reporting
from .recipe import Recipe
from .state import Epoch
from .stopping import stop_between_steps
from .walk import Walk

Data = Source | tuple[Tensor, Tensor]
CHECKPOINT_SECONDS = 10.0
RECIPE = "recipe.json"
OPTIMISER = ("learning_rate", "momentum", "weight_decay")
"""Settings that an optimiser which is given has itself."""


@dataclass(frozen=True)
class Fit:
    """What a training was.

    Attributes:
        curve: A row an epoch.
        best: The row with the least loss. The model has its weights now, or the last
            ones where a callback ended the training and there is no middle block.
        steps: How often the weights were changed.
        seconds: How long it took, over all resumptions.
    """

    curve: tuple[Epoch, ...]
    best: Epoch | None
    steps: int
    seconds: float


def fit(
    model: nn.Module,
    data: Data,
    middle: Data | Callable[[nn.Module], float] | None = None,
    *,
    loss: Loss = squared_error,
    optimiser: str | torch.optim.Optimizer = "adam",
    batch_size: int = 32,
    out: str | Path | None = None,
    resume: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **recipe: Any,
) -> Fit:
    """Train a module in place; at the end it has its best weights, and evaluates.

    It is called with a batch's input alone (and with ``lengths=`` where the data has
    them); of a tuple, as recurrent layers return one, the first is the prediction.

    Args:
        model: Any module.
        data: Where batches come from (`Tensors`, `Drawn`, `TruncatedBPTT`, or anything
            with their methods); a pair ``(x, y)`` is ``Tensors(x, y, batch_size)``.
        middle: Data that decides which epoch is best, or a function from the model to
            its loss; without it the training loss decides.
        loss: From predictions and targets to their mean loss.
        optimiser: A name, see `Recipe`, or an optimiser of the model's parameters,
            with its own learning rate.
        batch_size: Rows of a batch where a pair is given.
        out: Where checkpoints go; None for none.
        resume: Go on from the newest checkpoint in ``out``, to the same bits as
            without the interruption.
        checkpoint_seconds: How often the run is made safe.
        callbacks: Functions that are told each `Event`; one that returns True ends the
            training.
        progress: Report on standard error.
        **recipe: The attributes of `Recipe`: ``epochs=20``, ``learning_rate=1e-3``,
            ``patience``, ``schedule``, ``clip``, ``noise``, ``accumulate``, ...

    Raises:
        SettingsError: A setting, the model, the optimiser, the batches or the callbacks
            are not those of the resumed run, or a setting cannot be used.
        DivergedError: The loss is not finite; with the layer, equation and step where
            it began.
        StateError: States cannot go from batch to batch.
        RunError: A checkpoint cannot be read or written.
        InterruptedRunError: Ctrl-C or SIGTERM, after a checkpoint.

    Example:
        >>> import torch, cellwright as cw
        >>> x = torch.randn(64, 20, 1)
        >>> model = cw.nn.LSTM(1, 1, batch_first=True)
        >>> fit = cw.train.fit(model, (x, x.cumsum(1)), epochs=2, progress=False)
        >>> len(fit.curve), fit.steps
        (2, 4)
    """
    given = optimiser if isinstance(optimiser, torch.optim.Optimizer) else None
    named = (
        {} if isinstance(optimiser, torch.optim.Optimizer) else {"optimiser": optimiser}
    )
    _require_one_voice(given, recipe)
    chosen = Recipe.of({**recipe, **named})
    if resume and out is None:
        raise SettingsError("resume=True goes on with the run in out=; found no out=")
    source = _source(data, batch_size)
    group = joined_by_torchrun()
    checkpoints = None if out is None else Checkpoints(Path(out) / "checkpoints")
    with (
        torch.random.fork_rng(devices=[]),
        stop_between_steps() as should_stop,
        ExitStack() as stack,
        reporting(shown=progress and group.leads, resume=resume) as told,
    ):
        if out is not None:
            group.told(partial(_begin, Path(out), chosen, resume, stack))
        torch.manual_seed(chosen.seed)
        loop = Loop(
            model,
            source,
            chosen,
            loss,
            _measure(middle, batch_size, loss),
            checkpoints,
            checkpoint_seconds,
            should_stop,
            [told, *callbacks],
            group,
            given,
        )
        state = loop.begin()
        loop.run(state)
    return Fit(tuple(state.curve), state.best_epoch, state.step, state.seconds)


def _require_one_voice(
    optimiser: torch.optim.Optimizer | None, recipe: Mapping[str, Any]
) -> None:
    both = [name for name in OPTIMISER if name in recipe]
    if optimiser is not None and both:
        raise SettingsError(
            f"{both[0]} is that of the optimiser, and {type(optimiser).__name__} was "
            f"given, which has its own\n  fix: leave out {both[0]}=, or give the "
            "optimiser by its name"
        )


def _source(data: Data, batch_size: int) -> Source:
    if isinstance(data, tuple) and len(data) == 2:
        return Tensors(*data, batch_size=batch_size)
    if all(hasattr(data, name) for name in ("batches", "carries", "order", "batch")):
        return data
    raise SettingsError(
        f"data is a pair (x, y), Tensors, Drawn, TruncatedBPTT or has the methods of "
        f"cellwright.train.Source; found {type(data).__name__}\n"
        "  fix: Tensors(x, y, batch_size), or a loop of your own, as in examples/"
    )


def _measure(
    middle: Data | Callable[[nn.Module], float] | None, batch_size: int, loss: Loss
) -> Callable[[nn.Module], float] | None:
    if middle is None:
        return None
    if callable(middle):
        return middle
    return Measured(_source(middle, batch_size), loss)


@dataclass(frozen=True)
class Measured:
    """The mean loss of a model over all batches of a source.

    Args:
        source: Of the batches; its order is drawn, and the random numbers are left as
            they were.
        loss: Of a batch.
    """

    source: Source
    loss: Loss

    def __call__(self, model: nn.Module) -> float:
        """Return the loss, each target counting once."""
        total, count = 0.0, 0
        with torch.random.fork_rng(devices=[]):
            walk = Walk(model, self.source)
            for batch, prediction in walk.predictions(model):
                total += float(self.loss(prediction, batch.y)) * batch.count
                count += batch.count
        return total / count


def _begin(folder: Path, recipe: Recipe, resume: bool, stack: ExitStack) -> None:
    """Hold a folder that has this run, or is free for it, until a stack unwinds."""
    _check(folder, recipe, resume)
    stack.enter_context(locked(folder))
    _check(folder, recipe, resume)  # Somebody may have been quicker.
    write_json(folder / RECIPE, asdict(recipe))


def _check(folder: Path, recipe: Recipe, resume: bool) -> None:
    if (folder / "config.json").exists():
        raise RunError(
            f"{folder}: holds a run of a training command\n"
            "  fix: choose a new folder with out="
        )
    if not Checkpoints(folder / "checkpoints").begun:
        return
    if not resume:
        raise RunError(
            f"{folder}: holds a run already, and none is overwritten\n"
            "  fix: resume=True goes on with it; another out= starts a new one"
        )
    settings = folder / RECIPE
    there, here = read_json(settings), asdict(recipe)
    differ = [n for n in here if there.get(n) != here[n]]
    if differ:
        lines = [f"  {n}: {there.get(n)} there, {here[n]} here" for n in differ]
        raise SettingsError(
            f"{settings}: a run resumes under the settings it began with\n"
            + "\n".join(lines)
        )
