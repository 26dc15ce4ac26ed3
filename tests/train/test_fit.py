"""The loop over any module and any batches."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import cellwright as cw
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.nn.errors import StateError
from cellwright.tasks import Adding, PassRule
from cellwright.train import (
    DivergedError,
    Drawn,
    Event,
    InterruptedRunError,
    Readout,
    RunError,
    SettingsError,
    Tensors,
    TruncatedBPTT,
    UntilPassed,
    fit,
)

BOUND = TOLERANCES["reference", "float32"].bound


class Tagger(nn.Module):
    """A user's own module: a layer, and a number at every step."""

    def __init__(self, seed: int = 0, **options):
        super().__init__()
        torch.manual_seed(seed)
        self.layer = cw.nn.LSTM(2, 4, **options)
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        """Return ``[T, B, 1]``."""
        return self.head(self.layer(x)[0])


def data(steps=60, seed=1):
    """Return a stream and the running mean of its first feature."""
    torch.manual_seed(seed)
    x = torch.randn(steps, 2)
    return x, x[:, :1].cumsum(0) / 10


def weights(model):
    """Return a model's weights as one vector."""
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def quiet(model, source, **options):
    """Fit without a word."""
    return fit(model, source, progress=False, **{"epochs": 2, **options})


def by_hand(model, x, y, window, stride, epochs):
    """Truncated BPTT as one writes it oneself, one step of the stream at a time."""
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(epochs):
        state = None
        for begin in range(0, len(x) - window + 1, stride):
            optimiser.zero_grad()
            now, said = state, []
            for t in range(begin, begin + window):
                output, now = model.layer(x[t : t + 1, None], now)
                said.append(model.head(output))
                if t == begin + stride - 1:
                    state = tuple(value.detach() for value in now)
            new = stride if begin else window
            prediction = torch.cat(said[window - new :])
            target = y[begin + window - new : begin + window, None]
            nn.functional.mse_loss(prediction, target).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()


@pytest.mark.parametrize(("window", "stride"), [(10, 10), (10, 4), (7, 1)])
def test_truncated_bptt_is_what_one_writes_by_hand(window: int, stride: int):
    """Windows, carried states, detached borders and targets are those of a loop."""
    x, y = data()
    ours, theirs = Tagger(), Tagger()
    by_hand(theirs, x, y, window, stride, epochs=2)
    source = TruncatedBPTT(x, y, window, stride)
    quiet(ours, source, optimiser="sgd", learning_rate=0.1)

    assert error(weights(ours), weights(theirs)) <= BOUND
    assert error(weights(ours), weights(Tagger())) > 100 * BOUND


def test_windows_without_carry_know_nothing_from_before():
    """Without carry each window is a sequence of its own."""
    x, y = data()
    carried, fresh, tensors = Tagger(), Tagger(), Tagger()
    quiet(carried, TruncatedBPTT(x, y, 10))
    quiet(fresh, TruncatedBPTT(x, y, 10, carry=False))
    cut = x.unflatten(0, (6, 10)), y.unflatten(0, (6, 10))
    rows = [part.transpose(0, 1).contiguous() for part in cut]
    quiet(tensors, Tensors(*rows, batch_size=1, shuffle=False, batch_first=False))

    assert error(weights(fresh), weights(tensors)) <= BOUND
    assert error(weights(fresh), weights(carried)) > 10 * BOUND


def test_rows_that_carry_are_windows():
    """Rows of a batch that go on from the batch before are a stream cut by hand."""
    x, y = data()
    walked, cut = Tagger(), Tagger()
    quiet(walked, TruncatedBPTT(x, y, 10, batch_size=2))
    rows = [
        part.unflatten(0, (2, 3, 10)).transpose(0, 1).flatten(0, 1).transpose(0, 1)
        for part in (x, y)
    ]
    source = Tensors(*rows, batch_size=2, shuffle=False, carry=True, batch_first=False)
    quiet(cut, source)

    assert torch.equal(weights(walked), weights(cut))


def test_accumulated_gradients_are_those_of_a_larger_batch():
    """Two batches of four to a step change the weights as one of eight."""
    x, y = torch.randn(5, 16, 2), torch.randn(5, 16, 1)
    parted, whole = Tagger(), Tagger()
    options: dict[str, Any] = {"shuffle": False, "batch_first": False}
    two = quiet(parted, Tensors(x, y, 4, **options), accumulate=2)
    one = quiet(whole, Tensors(x, y, 8, **options))

    assert error(weights(parted), weights(whole)) <= BOUND
    assert two.steps == one.steps == 4


def test_noise_is_on_the_input_and_in_training_only():
    """Noise changes what is learned, and not what is measured."""
    x, y = torch.randn(5, 16, 2), torch.randn(5, 16, 1)
    source = Tensors(x, y, batch_first=False)
    plain, noisy = Tagger(), Tagger()
    kept = [p.requires_grad_(False) for p in noisy.layer.parameters()]
    quiet(plain, source)
    result = quiet(noisy, source, middle=source, noise=0.5)
    noisy.load_state_dict(noisy.state_dict())
    with torch.no_grad():
        measured = nn.functional.mse_loss(noisy(x), y)

    assert kept
    assert error(weights(noisy), weights(plain)) > 10 * BOUND
    assert result.best is not None
    assert error(torch.tensor(result.best.middle_loss), measured) <= BOUND


def scripted(*losses: float):
    """Return a measurement that says these losses, and the weights that it saw."""
    left, seen = iter(losses), []

    def middle(model):
        seen.append(weights(model))
        return next(left)

    return middle, seen


def test_best_epoch_is_restored_and_patience_ends():
    """The model ends with the weights of the least middle loss."""
    middle, seen = scripted(3.0, 1.0, 2.0, 2.0, 2.0)
    model = Tagger()
    x, y = data()
    result = quiet(model, TruncatedBPTT(x, y, 10), middle=middle, epochs=9, patience=2)

    assert [row.middle_loss for row in result.curve] == [3.0, 1.0, 2.0, 2.0]
    assert result.best is not None
    assert result.best.number == 2
    assert torch.equal(weights(model), seen[1])


def test_restarts_draw_weights_anew_and_keep_the_best():
    """After a training ends another begins; the better of both is what remains."""
    middle, seen = scripted(3.0, 1.0, 5.0, 4.0)
    model = Tagger()
    x, y = data()
    result = quiet(model, TruncatedBPTT(x, y, 10), middle=middle, restarts=1)

    assert len(result.curve) == 4
    assert torch.equal(weights(model), seen[1])
    # A third epoch of the same training would be near the second.
    near, far = error(seen[1], seen[0]), error(seen[2], seen[1])
    assert far > 2 * near


def test_callbacks_hear_everything_and_can_end_it():
    """Steps, epochs and the end are told in order; True ends the training."""
    heard = []

    def callback(event: Event):
        heard.append((event.kind, event.state.step))
        if event.kind == "step":
            ((said, target),) = event.pairs
            assert said.shape == target.shape
        return event.state.step == 8

    x, y = data()
    result = quiet(Tagger(), TruncatedBPTT(x, y, 10), callbacks=[callback], epochs=5)

    assert result.steps == 8
    steps = [("step", i) for i in range(1, 7)]
    assert heard[:8] == [("begin", 0), *steps, ("epoch", 6)]
    assert heard[-3:] == [("step", 8), ("epoch", 8), ("end", 8)]
    assert len(result.curve) == 2  # the second is of two steps


def test_what_a_callback_ends_keeps_its_weights_and_stays_ended(tmp_path):
    """Without a middle block the last weights stay, with one the best; also resumed."""
    x, y = data()
    source = TruncatedBPTT(x, y, 10)
    found: dict[str, list[torch.Tensor]] = {"last": [], "best": []}
    rising = {"last": None, "best": lambda _: float(len(found["best"]))}
    for kind, middle in rising.items():

        def callback(event: Event, kind=kind):
            if event.kind == "step":
                found[kind].append(weights(event.loop.model))
            return event.state.step == 14

        options = {"middle": middle, "callbacks": [callback], "out": tmp_path / kind}
        model = Tagger()
        steps = quiet(model, source, epochs=9, **options).steps
        again = Tagger()
        resumed = quiet(again, source, epochs=9, resume=True, **options).steps

        assert (steps, resumed, len(found[kind])) == (14, 14, 14)
        kept = found[kind][5 if middle else 13]  # an epoch has six steps
        assert torch.equal(weights(model), kept)
        assert torch.equal(weights(again), kept)


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd", "rmsprop"])
@pytest.mark.parametrize("stop", [1, 4, 7, 11])
def test_resumed_is_uninterrupted_to_the_bit(
    tmp_path, optimiser: str, stop: int, stop_after, monkeypatch
):
    """States, optimiser, order, noise and curves go on as if nothing had been."""
    options = {
        "optimiser": optimiser,
        "momentum": 0.9 if optimiser in ("sgd", "rmsprop") else 0.0,
        "noise": 0.1,
        "average": 0.9,
        "restarts": 1,
        "schedule": "cosine",
    }
    x, y = data()
    source = TruncatedBPTT(x, y, 20, 5)
    whole = Tagger()
    expected = quiet(whole, source, **options)

    stop_after(stop)
    with pytest.raises(InterruptedRunError):
        quiet(Tagger(), source, out=tmp_path, **options)
    monkeypatch.undo()
    other = Tagger(seed=5)
    found = quiet(other, source, out=tmp_path, resume=True, **options)

    assert torch.equal(weights(other), weights(whole))
    assert found.curve == expected.curve


def test_a_rule_ends_a_training_and_is_kept(tmp_path, stop_after, monkeypatch):
    """What a rule has seen goes on with the run: it is met by the same sequence."""

    def train(**options):
        torch.manual_seed(0)
        model = Readout(cw.nn.GRU(2, 4), units=4, output_size=1)
        until = UntilPassed(PassRule(tolerance=2.0, mean=1.0, last=100))
        drawn = Drawn(Adding(10), batch_size=16, batches=2)
        fitted = quiet(model, drawn, callbacks=[until], epochs=9, **options)
        return until.rule.passed_at, fitted.steps, weights(model)

    expected = train()
    stop_after(3)
    with pytest.raises(InterruptedRunError):
        train(out=tmp_path)
    monkeypatch.undo()
    found = train(out=tmp_path, resume=True)

    assert found[:2] == expected[:2] == (100, 7)
    assert torch.equal(found[2], expected[2])


def test_a_readout_speaks_at_each_row_s_last_step():
    """Steps behind a row's length change nothing, whatever the layer."""
    torch.manual_seed(0)
    model = Readout(nn.LSTM(2, 4), units=4, output_size=1)
    x = torch.randn(6, 3, 2)
    lengths = torch.tensor([6, 2, 4])
    said = model(x, lengths=lengths)
    rows = [model(x[:n, i : i + 1]) for i, n in enumerate(lengths)]
    every = Readout(nn.LSTM(2, 4), units=4, output_size=1, every_step=True)

    assert error(said, torch.cat(rows)) <= BOUND
    assert every(x).shape == (6, 3, 1)


def test_two_trainings_do_not_share_a_folder(tmp_path):
    """A folder that a training holds is in use."""
    x, y = data()
    source = TruncatedBPTT(x, y, 10)

    def again(event: Event):
        if event.state.step == 1:
            quiet(Tagger(), source, out=tmp_path)

    with pytest.raises(RunError, match="is in use"):
        quiet(Tagger(), source, out=tmp_path, callbacks=[again])


def test_a_run_is_not_overwritten_nor_continued_otherwise(tmp_path):
    """A folder with a run is refused, and so are other settings."""
    x, y = data()
    source = TruncatedBPTT(x, y, 10)
    quiet(Tagger(), source, out=tmp_path)
    with pytest.raises(RunError, match="holds a run already"):
        quiet(Tagger(), source, out=tmp_path)
    with pytest.raises(SettingsError, match=r"learning_rate: 0\.001 there, 0\.5 here"):
        quiet(Tagger(), source, out=tmp_path, resume=True, learning_rate=0.5)


def poisoned(model, name):
    """Put a weight at the edge of what float32 can hold."""
    with torch.no_grad():
        dict(model.named_parameters())[name].fill_(3e38)
    return model


def test_nan_is_traced_to_its_layer_equation_and_step():
    """The message says where the first number that is none came up."""
    layer = cw.nn.Recurrent(
        """
input  x [input_size]
state  h [hidden_size]
weight W [hidden_size, input_size]
output h'
s  = W @ x + h
q  = exp(s)
h' = h + q
""",
        2,
        3,
    )
    model = nn.Sequential(layer)
    with torch.no_grad():
        layer.get_parameter("W_l0").fill_(1.0)
    x = torch.zeros(6, 4, 2)
    x[3, 2] = 60.0  # exp(120) is beyond float32
    with pytest.raises(DivergedError) as caught:
        quiet(model, Tensors(x, torch.zeros(6, 4, 3), 4, False, batch_first=False))

    assert "began: q_l0 of Recurrent '0', step 3" in str(caught.value)


def test_nan_elsewhere_is_named_too():
    """An input, a weight, an ordinary layer or the way back: each is said."""
    x, y = torch.randn(6, 4, 2), torch.randn(6, 4, 1)
    bad = x.clone()
    bad[0, 0, 0] = torch.nan

    def told(model, x):
        with pytest.raises(DivergedError) as caught:
            quiet(model, Tensors(x, y, 4, batch_first=False))
        return str(caught.value)

    broken = Tagger()
    with torch.no_grad():
        broken.head.bias[0] = torch.inf
    assert "began: the input, 1 of whose 48 numbers" in told(Tagger(), bad)
    assert "began: the weight head.bias" in told(broken, x)
    large = Tagger()
    with torch.no_grad():
        large.head.weight.fill_(3e38)
        large.head.bias.fill_(3e38)
        for p in large.layer.parameters():
            p.fill_(5.0)
    assert "the output of Linear 'head'" in told(large, x.abs())


def test_wrong_shapes_and_batches_are_told():
    """What torch would stretch or mix up in silence is refused."""
    x = torch.randn(6, 4, 2)
    with pytest.raises(SettingsError, match=r"found \[6, 4, 1\] and \[6, 4\]"):
        quiet(Tagger(), Tensors(x, torch.randn(6, 4), 4, batch_first=False))

    class Shrinking(TruncatedBPTT):
        def batch(self, order, index):
            batch = super().batch(order, index)
            return batch.part(0, 2) if index else batch

    stream, targets = data()
    with pytest.raises(StateError, match=r"B=1 .* B=2"):
        quiet(Tagger(), Shrinking(stream, targets, 10, batch_size=2))
    with pytest.raises(StateError, match="bidirectional"):
        quiet(
            nn.Sequential(cw.nn.LSTM(2, 1, bidirectional=True)),
            TruncatedBPTT(stream, targets, 10),
        )
    with pytest.raises(SettingsError, match="did you mean 'patience'"):
        quiet(Tagger(), (x, x), patient=3)


def test_random_numbers_of_the_caller_stay(tmp_path):
    """Training draws from its own seed."""
    x, y = data()
    torch.manual_seed(9)
    expected = torch.rand(1)
    model = Tagger()
    torch.manual_seed(9)
    quiet(model, TruncatedBPTT(x, y, 10), noise=0.1)

    assert torch.equal(torch.rand(1), expected)
    again = copy.deepcopy(Tagger())
    quiet(again, TruncatedBPTT(x, y, 10), noise=0.1)
    assert torch.equal(weights(again), weights(model))


PARALLEL = Path(__file__).parents[1] / "parallel_runs.py"


def torchrun(folder, processes, steps, job):
    """Do what tests/parallel_runs.py names in so many processes."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
        str(PARALLEL),
        str(folder),
        job,
        str(steps),
    ]
    env = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def losses(folder, processes, steps, job="stream"):
    """Train along a stream, and return the loss of each step."""
    folder.mkdir(exist_ok=True)
    torchrun(folder, processes, steps, job)
    return torch.load(folder / "losses.pt")


@pytest.mark.long
def test_two_processes_are_one(tmp_path):
    """Losses of two processes are those of one; each goes on from the other's."""
    bound = TOLERANCES["processes", "float32"].bound
    one = losses(tmp_path / "one", 1, 50)
    two = losses(tmp_path / "two", 2, 50)

    assert error(two, one) <= bound
    for processes in (1, 2):
        folder = tmp_path / f"begun-by-{processes}"
        first = losses(folder, processes, 20)
        rest = losses(folder, 3 - processes, 50, job="resumed")
        assert error(torch.cat([first, rest]), one) <= bound


def test_processes_agree_on_what_they_share(tmp_path):
    """Orders, weights and the end are one, whatever each draws and measures."""
    torchrun(tmp_path, 2, 6, job="dropout")

    one, other = (torch.load(tmp_path / f"ended-{rank}.pt") for rank in (0, 1))
    assert one["epochs"] == 3  # the patience of the leading one
    assert {name: torch.equal(value, other[name]) for name, value in one.items()} == {
        "orders": True,
        "weights": True,
        "epochs": True,
    }


@pytest.mark.long
def test_processes_without_rows_look_on(tmp_path):
    """A rest smaller than the team, and a weight that nothing uses, change nothing."""
    bound = TOLERANCES["processes", "float32"].bound
    one = losses(tmp_path / "one", 1, 3, job="rest")
    two = losses(tmp_path / "two", 2, 3, job="rest")

    assert len(one) == 6
    assert error(two, one) <= bound


def test_all_processes_tell_where_it_began(tmp_path):
    """The one that met the NaN knows; the others say the same."""
    torchrun(tmp_path, 2, 1, job="nan")
    told = [(tmp_path / f"told-{rank}.txt").read_text() for rank in (0, 1)]

    assert told[0] == told[1]
    assert "began: the input, 1 of whose" in told[0]
