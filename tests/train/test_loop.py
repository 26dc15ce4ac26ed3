import dataclasses
import itertools

import numpy as np
import pytest
import torch

from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.tasks import Plan, Scale, TaskError, targets
from cellwright.train import DivergedError, Forecaster, load
from cellwright.train.state import Epoch, State
from cellwright.train.windows import Windows, blocks, forecast

from .conftest import train_tiny, wave

PLAN = Plan(4, 3)
MIDDLE_ERROR = "cellwright.train.series_job.middle_error"

pytestmark = pytest.mark.usefixtures("no_pictures")


def test_windows_are_histories_and_targets():
    """A batch holds the rows before each start, and the target column from it on."""
    scaled = np.stack([np.arange(20.0), -np.arange(20.0)], axis=1)
    windows = Windows.of(scaled, np.array([4, 10, 17]), PLAN)
    history, truth = windows.cut(torch.tensor([2, 0]))
    assert history.shape == (2, 4, 2)
    assert history[0, :, 0].tolist() == [13, 14, 15, 16]
    assert history[1, :, 1].tolist() == [0, -1, -2, -3]
    assert truth.tolist() == [[17, 18, 19], [4, 5, 6]]


def test_training_never_sees_the_test_block():
    """The loop's windows are cut from a series that ends where the test begins."""
    scaled = wave().values
    split = PLAN.split(len(scaled))
    for windows in blocks(scaled, split, PLAN):
        assert len(windows.scaled) == split.test.start


def test_test_block_changes_no_weight(tmp_path, finished):
    """Other values in the test block lead to the very same model and curves."""
    data = wave()
    values = data.values.copy()
    values[PLAN.split(len(data)).test.start :] *= 3
    other = dataclasses.replace(data, values=values)
    train_tiny(tmp_path, other)
    for name in ("model.safetensors", "curves.csv"):
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes()
    assert (tmp_path / "metrics.json").read_text() != (
        finished / "metrics.json"
    ).read_text()


def test_forecast_in_pieces(finished, monkeypatch):
    """Windows forecast a few at a time equal the module's own forecast."""
    data = wave()
    plan = PLAN
    starts = plan.starts(plan.split(len(data)).test)
    model = load(finished)
    assert isinstance(model, Forecaster)
    scale = Scale(model.mean.numpy(), model.std.numpy())
    windows = Windows.of(scale.apply(data.values), starts, plan)
    monkeypatch.setattr("cellwright.train.windows.WINDOWS_AT_ONCE", 4)
    pieces = scale.undo(forecast(model, windows))
    raw = np.stack([data.values[start - 4 : start] for start in starts])
    whole = model(torch.from_numpy(raw))
    bound = TOLERANCES["reference", "float32"].bound
    assert error(torch.from_numpy(pieces), whole) <= bound


def test_best_epoch_is_kept(tmp_path, monkeypatch):
    """The weights kept are those of the epoch with the least middle error."""
    errors = iter([3.0, 1.0, 2.0])
    kept = []

    def scripted(model, _):
        kept.append({k: v.clone() for k, v in model.state_dict().items()})
        return next(errors)

    monkeypatch.setattr(MIDDLE_ERROR, scripted)
    run = train_tiny(tmp_path)
    assert run.metrics["best_epoch"] == 2
    for name, value in run.model().state_dict().items():
        assert torch.equal(value, kept[1][name])


def test_early_stopping(tmp_path, monkeypatch):
    """Training ends when so many epochs brought no better middle block."""
    errors = itertools.chain([3.0, 1.0], itertools.repeat(2.0))
    monkeypatch.setattr(MIDDLE_ERROR, lambda *_: next(errors))
    run = train_tiny(tmp_path, epochs=50, patience=3)
    assert run.metrics["epochs"] == 5


def test_finished():
    """A state is finished by its epochs or by its patience, not before."""
    state = State(torch.arange(3))
    assert not state.finished(2, 2)
    state.curve = [Epoch(1, 1.0, 1.0), Epoch(2, 1.0, 2.0)]
    assert not state.finished(3, 2)
    assert state.finished(2, 2)
    assert state.finished(3, 1)


def test_divergence_is_told(tmp_path):
    """A loss that is not finite stops the run and names rate, place and remedy."""
    with pytest.raises(DivergedError, match="diverged in step 2 of epoch 1") as caught:
        train_tiny(tmp_path, learning_rate=1e20)
    assert "a smaller learning_rate" in str(caught.value)
    assert not (tmp_path / "metrics.json").exists()


def test_divergence_of_the_middle_block_is_told(tmp_path, monkeypatch):
    """An error that is not finite on the middle block stops the run too."""
    monkeypatch.setattr(MIDDLE_ERROR, lambda *_: np.inf)
    with pytest.raises(DivergedError, match=r"at the end of epoch 1: [\s\S]*error inf"):
        train_tiny(tmp_path)


def test_training_helps(tmp_path):
    """On a clean wave, a small model is far better than persistence."""
    data = wave()
    rows = np.arange(300)
    clean = np.sin(2 * np.pi * rows / 12)[:, None]
    data = dataclasses.replace(data, columns=("y",), values=clean)
    run = train_tiny(
        tmp_path,
        data,
        hidden_size=8,
        num_layers=1,
        epochs=12,
        dropout=0.0,
        learning_rate=0.02,
    )
    model, persistence = run.scores[:2]
    assert model.mse < 0.1 * persistence.mse
    assert targets(clean, np.array([5]), 2).shape == (1, 2)


def test_season_beyond_the_training_block(tmp_path):
    """A season that the series cannot have is refused."""
    with pytest.raises(TaskError, match="season=5000"):
        train_tiny(tmp_path / "run", season=5000)
    assert not (tmp_path / "run").exists()


def test_a_start_that_failed_does_not_block_the_next(tmp_path):
    """A run that diverged before its first checkpoint is begun anew by any command."""
    with pytest.raises(DivergedError) as caught:
        train_tiny(tmp_path, learning_rate=1e20)
    assert "checkpoint" not in str(caught.value)
    assert train_tiny(tmp_path).metrics["epochs"] == 3


def test_divergence_names_the_checkpoint_before(tmp_path, monkeypatch):
    """What is left is named where something is."""
    errors = iter([1.0, np.inf])
    monkeypatch.setattr(MIDDLE_ERROR, lambda *_: next(errors))
    with pytest.raises(DivergedError, match="left:  checkpoint 000007"):
        train_tiny(tmp_path, checkpoint_seconds=0.0)
