"""The loop against the steps that one writes by hand in plain torch, to the bit."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cellwright.train import Event, Recipe, fit

ROWS = 4
RATE = 0.125
SEED = 7


def make() -> nn.Sequential:
    """Return a model; its dropout draws from the generator that all else draws from."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.25), nn.Tanh(), nn.Linear(3, 1))


def examples(count: int) -> tuple[Tensor, Tensor]:
    """Return inputs, and targets with some noise."""
    draws = torch.Generator().manual_seed(count)
    x = torch.randn(count, 2, generator=draws)
    noise = torch.randn(count, 1, generator=draws)
    return x, 2 * x[:, :1] - x[:, 1:] + noise


DATA = examples(3 * ROWS)
MIDDLE = examples(5)


def middle_loss(model: nn.Module) -> float:
    """Return what decides which epoch is best."""
    return nn.functional.mse_loss(model(MIDDLE[0]), MIDDLE[1]).item()


def weights(model: nn.Module) -> Tensor:
    """Return a copy of a model's weights as one vector."""
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@dataclass
class Trace:
    """What a training was.

    Attributes:
        steps: the weights after each step.
        middle: the loss on the middle block after each epoch.
        kept: the weights that are left at the end.
    """

    steps: list[Tensor] = field(default_factory=list)
    middle: list[float] = field(default_factory=list)
    kept: Tensor = field(default_factory=lambda: torch.empty(0))

    def equals(self, other: "Trace") -> bool:
        """Whether all is the same to the bit."""
        same = len(self.steps) == len(other.steps) and self.middle == other.middle
        steps = zip([*self.steps, self.kept], [*other.steps, other.kept], strict=False)
        return same and all(torch.equal(a, b) for a, b in steps)


def by_loop(**recipe: Any) -> Trace:
    """Train with `fit`."""
    model, trace = make(), Trace()

    def note(event: Event) -> None:
        if event.kind == "step":
            trace.steps.append(weights(event.loop.model))

    options: dict[str, Any] = {"epochs": 3, "optimiser": "sgd"} | recipe
    calls: dict[str, Any] = {"batch_size": ROWS, "callbacks": [note], "progress": False}
    found = fit(
        model, DATA, middle_loss, learning_rate=RATE, seed=SEED, **calls, **options
    )
    trace.middle = [row.middle_loss or math.nan for row in found.curve]
    trace.kept = weights(model)
    return trace


OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda _: 1.0,
    "linear": lambda done: 1 - done,
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "warm restarts": lambda done: 0.5 * (1 + math.cos(math.pi * (4 * done % 1))),
}


def take_step(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: list[Tensor],
    noise: float,
    clip: float,
) -> None:
    """Change the weights once, by batches of equal size."""
    model.train()
    optimiser.zero_grad()
    for rows in batches:
        x, y = (part[rows] for part in DATA)
        if noise:
            x = x + noise * torch.randn(x.shape)
        # By sums, as batches may differ in size: these do not, and could as well
        # be divided by their number, but for the last bit.
        (nn.functional.mse_loss(model(x), y) * y.numel()).backward()
    count = sum(DATA[1][rows].numel() for rows in batches)
    for weight in model.parameters():
        assert weight.grad is not None
        weight.grad.mul_(1 / count)
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimiser.step()


def by_hand(
    *,
    epochs: int = 3,
    patience: int = 99,
    restarts: int = 0,
    optimiser: str = "sgd",
    schedule: str = "constant",
    warmup: int = 0,
    clip: float = 1.0,
    noise: float = 0.0,
    accumulate: int = 1,
    average: float = 0.0,
    weight_decay: float = 0.0,
    **of_optimiser: float,
) -> Trace:
    """Train as one writes it oneself."""
    model, trace, best = make(), Trace(), math.inf
    of_optimiser |= {"lr": RATE, "weight_decay": weight_decay}
    torch.manual_seed(SEED)
    order = torch.randperm(len(DATA[0]))
    for attempt in range(restarts + 1):
        if attempt:
            torch.manual_seed(Random(f"{SEED} {attempt}").getrandbits(32))
            for layer in (model[0], model[3]):
                layer.reset_parameters()  # pyright: ignore[reportCallIssue]
        mean, began, done = copy.deepcopy(model), len(trace.middle), 0
        own = OPTIMISERS[optimiser](model.parameters(), **of_optimiser)
        whole = epochs * math.ceil(3 / accumulate)
        for _ in range(epochs):
            batches = order.split(ROWS)
            for i in range(0, 3, accumulate):
                rise = min(1.0, (done + 1) / (warmup + 1))
                share = rise * SCHEDULES[schedule](done / whole)
                own.param_groups[0]["lr"] = RATE * share
                take_step(model, own, [*batches[i : i + accumulate]], noise, clip)
                trace.steps.append(weights(model))
                done += 1
                stays = Recipe(average=average).kept(done)
                with torch.no_grad():
                    for a, b in zip(mean.parameters(), model.parameters(), strict=True):
                        a.lerp_(b, 1 - stays)
            trace.middle.append(middle_loss(mean.eval()))
            if trace.middle[-1] < best:
                best, trace.kept = trace.middle[-1], weights(mean)
            order = torch.randperm(len(DATA[0]))
            since = trace.middle[began:]
            if len(since) - 1 - since.index(min(since)) >= patience:
                break
    return trace


LONG = {"epochs": 12, "clip": 1e3}
"""So long, and with such large steps, that the middle block gets worse again."""

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "clip": ({}, {"clip": 0.0625}),
    "no clip": ({}, {"clip": 1e3}),
    "noise": ({}, {"noise": 0.5}),
    "average": ({}, {"average": 0.75}),
    "average from the beginning on": ({"average": 0.75}, {"average": 0.25}),
    "accumulate": ({}, {"accumulate": 2}),
    "accumulate all": ({"noise": 0.5, "accumulate": 2}, {"accumulate": 3}),
    "momentum": ({}, {"momentum": 0.75}),
    "momentum of rmsprop": ({"optimiser": "rmsprop"}, {"momentum": 0.75}),
    "patience": (LONG, {"patience": 1}),
    "longer patience": (LONG | {"patience": 1}, {"patience": 2}),
    "restarts": ({}, {"restarts": 2}),
    "restarts and patience": (
        {"epochs": 12, "patience": 1, "momentum": 0.75},
        {"restarts": 2},
    ),
    "restarts and an average": ({"average": 0.75}, {"restarts": 1}),
    "schedule without warmup": ({}, {"schedule": "linear"}),
    "all at once": (
        {"epochs": 8, "clip": 0.5, "average": 0.75, "optimiser": "adamw"},
        {
            "patience": 2,
            "restarts": 2,
            "schedule": "cosine",
            "warmup": 2,
            "noise": 0.5,
            "accumulate": 2,
            "weight_decay": 0.25,
        },
    ),
}
CASES |= {
    f"weight decay, {o}": ({"optimiser": o}, {"weight_decay": 0.25}) for o in OPTIMISERS
}
CASES |= {f"warmup, {s}": ({"schedule": s}, {"warmup": 4}) for s in SCHEDULES}
CASES |= {f"{o}, restarts": ({"optimiser": o}, {"restarts": 1}) for o in OPTIMISERS}
CASES |= {
    f"{s}, restarts": ({"schedule": s, "warmup": 4}, {"restarts": 1}) for s in SCHEDULES
}


@pytest.mark.parametrize("case", CASES)
def test_loop_is_what_one_writes_by_hand(case: str):
    """Every setting does what its name says, in its place among the others.

    What the setting is without effect on would prove nothing, so its absence is to be
    another training.
    """
    base, options = CASES[case]
    expected = by_hand(**base | options)
    assert by_loop(**base | options).equals(expected)
    assert not by_hand(**base).equals(expected)


def test_best_weights_are_not_always_the_last():
    """Else the cases above would not tell which epoch is kept."""
    trace = by_hand(**LONG, patience=1)
    assert len(trace.middle) < 12
    assert not torch.equal(trace.kept, trace.steps[-1])
    assert torch.equal(by_loop(**LONG, patience=1).kept, trace.kept)


def test_an_optimiser_that_is_given_keeps_its_rates():
    """A schedule scales each group's own learning rate."""
    ours, theirs = make(), make()

    def groups(model: nn.Sequential) -> torch.optim.Optimizer:
        first, last = model[0].parameters(), model[3].parameters()
        return torch.optim.SGD(
            [{"params": first}, {"params": last, "lr": 0.5}], lr=RATE
        )

    calls: dict[str, Any] = {"epochs": 1, "batch_size": ROWS, "progress": False}
    options: dict[str, Any] = {"schedule": "linear"}
    fit(ours, DATA, optimiser=groups(ours), seed=SEED, **calls, **options)
    torch.manual_seed(SEED)
    own = groups(theirs)
    for done, rows in enumerate(torch.randperm(len(DATA[0])).split(ROWS)):
        for group, rate in zip(own.param_groups, (RATE, 0.5), strict=True):
            group["lr"] = rate * (1 - done / 3)
        take_step(theirs, own, [rows], 0.0, 1.0)
    assert torch.equal(weights(ours), weights(theirs))
