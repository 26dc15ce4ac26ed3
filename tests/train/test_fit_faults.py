"""What a training must not do, and what it must refuse."""

import signal
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cellwright as cw
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.tasks import Adding, PassRule
from cellwright.train import (
    AddingSettings,
    DivergedError,
    Drawn,
    Event,
    InterruptedRunError,
    Readout,
    SettingsError,
    Tensors,
    TruncatedBPTT,
    UntilPassed,
    fit,
)
from cellwright.train.fitting import Measured

X = torch.randn(24, 5, 1, generator=torch.Generator().manual_seed(0))
BOUND = TOLERANCES["reference", "float32"].bound


def layer(**options: Any) -> nn.Module:
    """Return a module with the same weights every time."""
    torch.manual_seed(0)
    return cw.nn.GRU(1, 1, batch_first=True, **options)


def quiet(model: nn.Module, data: Any, middle: Any = None, **options: Any):
    """Train without a word."""
    return fit(model, data, middle, progress=False, **options)


def weights(model: nn.Module) -> torch.Tensor:
    """Return a model's weights as one vector."""
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def test_averaged_weights_come_with_their_buffers():
    """Batch norm's statistics are those of training."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))
    x = 100 + torch.randn(64, 1)
    quiet(model, (x, x), middle=(x, x), average=0.9, epochs=3)

    assert model.state_dict()["0.num_batches_tracked"] == 6
    assert model.state_dict()["0.running_mean"] > 30


def test_windows_that_overlap_without_carry():
    """Only the new targets of a window count, and the model sees all of it."""
    stream = torch.randn(40, 1)
    windows = TruncatedBPTT(stream, stream, 10, 5, 2, carry=False)
    torch.manual_seed(0)
    model = cw.nn.GRU(1, 1)
    events = []
    quiet(model, windows, epochs=1, callbacks=[lambda e: events.extend(e.pairs)])

    assert [len(said) for said, _ in events] == [10, 5, 5]
    assert all(said.shape == target.shape for said, target in events)


def test_a_rule_sees_every_batch_of_a_step():
    """With accumulation, too, each sequence counts."""
    until = UntilPassed(PassRule(last=100))
    model = Readout.of("lstm", 2, 3, 1)
    data = Drawn(Adding(8), 16, batches=10)
    quiet(model, data, epochs=1, accumulate=4, callbacks=[until])

    assert until.rule.seen == 160


@pytest.mark.parametrize("size", [24, 12, 10, 23])
def test_accumulated_batches_are_one_large_one(size: int):
    """Whatever the rest, each example has the same weight."""
    options = {"optimiser": "sgd", "epochs": 1, "clip": 1e9, "learning_rate": 0.1}
    whole, parts = layer(), layer()
    quiet(whole, Tensors(X, X, 24, shuffle=False), **options)
    data = Tensors(X, X, size, shuffle=False)
    result = quiet(parts, data, accumulate=data.batches, **options)

    assert result.steps == 1
    assert error(weights(parts), weights(whole)) <= BOUND


def test_each_target_of_a_stream_counts_once():
    """The middle block's loss is that of the whole stream, however it is cut."""
    x = torch.randn(60, 1)
    model = cw.nn.GRU(1, 1)
    with torch.no_grad():
        whole = nn.functional.mse_loss(model(x[:, None])[0], x[:, None])
        cut = Measured(TruncatedBPTT(x, x, 20, 2), nn.functional.mse_loss)(model)

    assert error(torch.tensor(cut), whole) <= BOUND


def test_what_an_optimiser_leaves_alone_has_no_say():
    """Gradients of the rest neither add up nor shrink the step."""
    found = []
    for frozen in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(1, 4), nn.Linear(4, 1))
        model[0].requires_grad_(not frozen)
        only = torch.optim.SGD(model[1].parameters(), 0.1)
        x = torch.randn(64, 1)
        quiet(model, (x, 9 * x), optimiser=only, clip=0.05, epochs=2)
        found.append(weights(model))

    assert torch.equal(*found)


def test_optimisers_that_cannot_be_used():
    """Another model's, one that evaluates again, and two learning rates."""
    model = layer()
    other = torch.optim.SGD(layer().parameters(), 0.1)
    with pytest.raises(SettingsError, match="SGD has none of them"):
        quiet(model, (X, X), optimiser=other)
    again = torch.optim.LBFGS(model.parameters())
    with pytest.raises(SettingsError, match="LBFGS evaluates the loss many times"):
        quiet(model, (X, X), optimiser=again)
    own = torch.optim.SGD(model.parameters(), 0.1)
    with pytest.raises(SettingsError, match="learning_rate is that of the optimiser"):
        quiet(model, (X, X), optimiser=own, learning_rate=0.5)
    with pytest.raises(SettingsError, match="momentum is that of the optimiser"):
        quiet(model, (X, X), optimiser=own, momentum=0.5)


def test_restarts_are_refused_at_once_and_draw_from_the_inside_out():
    """What cannot be drawn anew is told before the first step; a parent has its say."""

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

    model = nn.Sequential(nn.Linear(1, 1), Own())
    with pytest.raises(SettingsError, match="found Own '1' with parameters"):
        quiet(model, (X, X), restarts=1, callbacks=[lambda _: pytest.fail("a step")])

    class Parent(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(1, 1)

        def reset_parameters(self) -> None:
            nn.init.constant_(self.head.weight, 7.0)

        def forward(self, x):
            return self.head(x)

    seen = []

    def note(event):
        if event.kind == "epoch":
            seen.append(event.loop.model.head.weight.item())

    options = {"learning_rate": 1e-9, "epochs": 1, "restarts": 1}
    quiet(Parent(), (X, X), callbacks=[note], **options)
    assert round(seen[1], 3) == 7.0


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: [X, X], "data is a pair"),
        (lambda: (X, X, X), "found tuple"),
        (
            lambda: torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X)),
            "found DataLoader",
        ),
        (lambda: (X.numpy(), X), "x is a tensor; found ndarray"),
        (lambda: (X[:0], X[:0]), "at least one example"),
        (lambda: Tensors(X, X, 0), "batch_size is a whole number, at least 1"),
        (lambda: Drawn(Adding(8), batches=0), "batches is a whole number, at least 1"),
        (lambda: TruncatedBPTT(X, X, 2.5), "window is a whole number"),  # pyright: ignore[reportArgumentType]
        (lambda: TruncatedBPTT(X, X, 2, batch_size=0), "batch_size is a whole number"),
        (
            lambda: Tensors(X, X, 8, False, True, lengths=torch.full((24,), 3)),
            "carry=True with lengths=",
        ),
    ],
)
def test_data_that_is_none(make, told: str):
    """Each is refused with what data may be."""
    with pytest.raises(SettingsError, match=told):
        quiet(layer(), make())


def test_a_loss_is_one_number():
    """A loss for each example is refused with the fix."""
    with pytest.raises(SettingsError, match=r"\.mean\(\)"):
        quiet(layer(), (X, X), loss=lambda said, y: (said - y).abs().mean((1, 2)))


@pytest.mark.parametrize("yes", [True, np.True_, torch.tensor(True)])
def test_what_is_true_ends_a_training(yes: object):
    """Also where it is NumPy's truth or torch's."""
    assert quiet(layer(), (X, X), callbacks=[lambda _: yes]).steps == 1
    for other in (None, np.False_, torch.tensor(False), torch.ones(3), [0]):
        calls = [lambda _, other=other: other]
        assert quiet(layer(), (X, X), callbacks=calls, epochs=2).steps == 2


def test_sizes_are_no_options_of_the_cell():
    """What a job sets itself is refused as an option."""
    for name in ("hidden_size", "input_size", "bidirectional"):
        with pytest.raises(SettingsError, match=f"{name} is no option of the"):
            AddingSettings.of({"cell_options": {name: 3}})


GROUP = """
import os, sys, torch, torch.distributed as dist, torch.multiprocessing as mp
import cellwright as cw

def work(rank, place):
    dist.init_process_group("gloo", f"file://{place}", rank=rank, world_size=2)
    torch.manual_seed(rank)
    model, told = cw.nn.GRU(1, 1), []
    torch.manual_seed(0)
    x = torch.randn(5, 6, 1)
    data = cw.train.Tensors(x, x, 6, batch_first=False)
    cw.train.fit(model, data, callbacks=[told.append], epochs=2, progress=False)
    own = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    both = [torch.empty_like(own) for _ in range(2)]
    dist.all_gather(both, own)
    assert torch.equal(*both)
    assert bool(told) == (rank == 0)
    # What was to be shown is shown. A process that ends as usual is at times ended by
    # a thread of gloo's that nobody has joined ("terminate called without an active
    # exception"), most often on a machine that has nothing else to do.
    dist.barrier()
    os._exit(0)

if __name__ == "__main__":
    mp.spawn(work, (sys.argv[1],), nprocs=2)
"""


def test_a_group_that_is_there_is_taken(tmp_path):
    """Processes that were started by other means share the work, too."""
    script = tmp_path / "group.py"
    script.write_text(GROUP, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_half_an_environment_is_told(monkeypatch):
    """Several processes, and nothing about where the others are."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)

    with pytest.raises(SettingsError, match="WORLD_SIZE=2 asks for several"):
        quiet(layer(), (X, X))


def test_resuming_needs_a_place():
    """Without a folder there is nothing to go on with."""
    with pytest.raises(SettingsError, match="found no out="):
        quiet(layer(), (X, X), resume=True)


def test_a_target_that_is_no_number_is_named():
    """The data are at fault, not the learning rate."""
    y = X.clone()
    y[3, 2] = torch.inf
    with pytest.raises(
        DivergedError, match="began: the target, 1 of whose 120"
    ) as told:
        quiet(layer(), (X, y))
    assert "fix:   data whose numbers are all finite" in str(told.value)


class Turned(nn.Module):
    """Turns the data for its layer, as anybody may."""

    def __init__(self, kind: Any):
        super().__init__()
        self.layer = kind(1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Take the first axis for rows."""
        return self.layer(x.transpose(0, 1))[0].transpose(0, 1)


@pytest.mark.parametrize("kind", [cw.nn.LSTM, nn.GRU, partial(cw.nn.Recurrent, "gru")])
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_layer_that_takes_time_for_rows_is_told(kind: Any, batch_first: bool):
    """It would learn something else without a word."""
    x = torch.zeros(6, 5, 1)
    y = torch.zeros(6, 5, 2)
    layer = kind(1, 2, batch_first=batch_first)
    data = Tensors(x, y, 3, batch_first=not batch_first)
    rows = "second" if batch_first else "first"
    with pytest.raises(SettingsError, match=f"has batch_first={batch_first}.* {rows}"):
        fit(layer, data, epochs=1, progress=False)
    stream = TruncatedBPTT(x[:, 0], y[:, 0], 3, 2, batch_first=not batch_first)
    with pytest.raises(SettingsError, match=f"has batch_first={batch_first}"):
        fit(layer, stream, epochs=1, progress=False)
    assert not layer._forward_pre_hooks


@pytest.mark.parametrize("kind", [cw.nn.GRU, nn.LSTM])
def test_a_model_may_turn_its_data(kind: Any):
    """What a layer gets is looked at, not what its model says."""
    x, y = torch.zeros(6, 5, 1), torch.zeros(6, 5, 2)
    assert fit(Turned(kind), (x, y), epochs=1, progress=False).steps == 1


class Beside(nn.Module):
    """A loss that has a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.zeros(1))

    def reset_parameters(self) -> None:
        """Begin at 0."""
        nn.init.zeros_(self.by)

    def forward(self, said: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the error of what is shifted."""
        return (said - target - 1 - self.by).square().mean()


def both(model: nn.Module, loss: nn.Module) -> torch.optim.Optimizer:
    """Return an optimiser of a model and its loss."""
    return torch.optim.SGD([*model.parameters(), *loss.parameters()], lr=0.1)


def test_the_best_weights_of_a_loss_come_with_those_of_the_model():
    """They are weights of one epoch, on a middle block that gets worse."""
    model, loss, seen = layer(), Beside(), []

    def note(event: Event) -> None:
        if event.kind == "epoch":
            seen.append([p.clone() for p in (*model.parameters(), loss.by)])

    rising = iter([1.0, 2.0, 3.0])
    quiet(
        model,
        (X, X),
        lambda _: next(rising),
        loss=loss,
        optimiser=both(model, loss),
        epochs=3,
        callbacks=[note],
    )
    assert all(map(torch.equal, seen[0], [*model.parameters(), loss.by]))
    assert not torch.equal(seen[2][-1], loss.by)


def test_restarts_draw_the_weights_of_a_loss_too():
    """And refuse those of which nobody knows how they are drawn."""
    model, loss, begins = layer(), Beside(), []

    def note(event: Event) -> None:
        if event.kind == "step" and event.state.step == event.state.begun * 8 + 1:
            begins.append(loss.by.item())

    options: dict[str, Any] = {"restarts": 1, "epochs": 2, "batch_size": 3}
    options["loss"], optimiser = loss, both(model, loss)
    quiet(model, (X, X), optimiser=optimiser, callbacks=[note], **options)
    first, second = begins
    assert abs(first) < 0.5 > abs(second)
    loose = nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([*model.parameters(), loose], lr=0.1)
    with pytest.raises(SettingsError, match="neither the model has nor the loss"):
        quiet(model, (X, X), optimiser=optimiser, **options)


class Dead(nn.Module):
    """Has a weight whose gradient is 0, and one whose gradient may be NaN."""

    def __init__(self, root: bool) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(1, 1), nn.Parameter(torch.zeros(1))
        self.root = root

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add nothing, in one of two ways."""
        return self.a(x) + 0 * (self.b.abs().sqrt() if self.root else self.b)


def test_the_gradient_that_is_none_is_named_alone():
    """What clipping would make of the others is no fault of theirs."""
    with pytest.raises(DivergedError, match="the gradient of b is not\n"):
        quiet(Dead(True), (X, X))
    huge = nn.Linear(1, 1)
    with pytest.raises(DivergedError, match="began: the norm of the gradients, which"):
        quiet(huge, (X, X), loss=lambda a, b: ((a - b) * 1e12).square().mean())


def test_a_weight_that_an_optimiser_breaks_is_never_kept(tmp_path):
    """0 / 0 of an Adam without its eps comes behind the last look at gradients."""
    model = Dead(False)
    optimiser = torch.optim.Adam(model.parameters(), eps=0.0)
    options: dict[str, Any] = {"batch_size": 2, "checkpoint_seconds": 0.0}
    with pytest.raises(DivergedError, match=r"in step 1 .*\n.*Adam changed") as told:
        quiet(model, (X, X), optimiser=optimiser, out=tmp_path, **options)
    assert "began: the step of the optimiser: b is not finite" in str(told.value)
    assert not (tmp_path / "checkpoints").exists()


def test_a_weight_that_an_optimiser_breaks_is_never_given_back():
    """Nothing is kept where there is no folder; the end of an epoch is a look."""
    model = Dead(False)
    optimiser = torch.optim.Adam(model.parameters(), eps=0.0)
    with pytest.raises(DivergedError, match=r"in step 1 .*\n.*Adam changed"):
        quiet(model, (X, X), optimiser=optimiser, epochs=1)


@pytest.mark.parametrize("where", ["target", "input"])
def test_missing_data_that_the_user_handles_are_not_blamed(where: str):
    """A NaN that a loss or a model leaves out is not where another began."""
    x, y = X.clone(), X.clone()
    (y if where == "target" else x)[0, 0] = torch.nan

    class Handles(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.far = nn.Linear(1, 1), 1.0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            said = self.layer(x.nan_to_num()) * self.far
            self.far = 1e39
            return said

    def masked(said: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (said - target)[~target.isnan()].abs().mean()

    with pytest.raises(DivergedError, match="began: the model's own output, which it"):
        quiet(Handles(), (x, y), loss=masked, epochs=9)


def test_a_flat_prediction_is_the_losss_affair():
    """Rows and steps on one axis, as of language models."""
    x = torch.randint(5, (40,))
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5), nn.Flatten(0, 1))
    source = TruncatedBPTT(x, x, 4, batch_size=5, carry=False)

    def loss(said: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(said, target.flatten())

    assert quiet(model, source, loss=loss, epochs=1).steps == 2


def test_a_schedule_of_ones_own_has_its_way():
    """Without a schedule of the recipe the learning rate is the caller's."""
    model, rates = layer(), []
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    own = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.5)

    def note(event: Event) -> None:
        if event.kind == "step":
            rates.append(event.loop.learning_rate)
            own.step()

    quiet(model, (X, X), optimiser=optimiser, callbacks=[note], batch_size=12, epochs=2)
    assert rates == [0.1, 0.05, 0.025, 0.0125]


def test_losses_of_the_middle_block_keep_their_digits():
    """The least of all is the best, by however little."""
    falling = iter([0.1, 0.1 - 1e-9, 0.1 - 2e-9])
    fit_ = quiet(layer(), (X, X), lambda _: next(falling), epochs=3)
    assert fit_.best is not None
    assert (fit_.best.number, fit_.best.middle_loss) == (3, 0.1 - 2e-9)


def test_an_interrupt_behind_the_last_step_is_not_lost():
    """Nobody waits for it any more, so it is raised."""

    def at_the_end(event: Event) -> None:
        if event.kind == "end":
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        quiet(layer(), (X, X), epochs=1, callbacks=[at_the_end])


def test_what_a_module_says_beside_tensors_is_kept(tmp_path, stop_after, monkeypatch):
    """An extra state of plain data comes back."""

    class Counts(nn.Linear):
        calls = 0

        def forward(self, input: torch.Tensor) -> torch.Tensor:
            self.calls += self.training
            return super().forward(input)

        def get_extra_state(self) -> Any:
            return {"calls": self.calls}

        def set_extra_state(self, state: Any) -> None:
            self.calls = state["calls"]

    stop_after(2)
    options: dict[str, Any] = {"epochs": 4, "out": tmp_path, "batch_size": 24}
    with pytest.raises(InterruptedRunError):
        quiet(Counts(1, 1), (X, X), **options)
    monkeypatch.undo()
    model = Counts(1, 1)
    steps = quiet(model, (X, X), resume=True, **options).steps
    assert model.calls == steps


def test_targets_that_could_be_either_are_told():
    """As many steps as rows, and a number for each of both."""
    with pytest.raises(SettingsError, match="which may be either"):
        Tensors(torch.zeros(5, 5, 1), torch.zeros(5, 5), 2, batch_first=False)
