"""What a resumed `fit` must find again, and what it refuses."""

import json
import math
from typing import Any

import pytest
import torch
from torch import nn

import cellwright as cw
from cellwright.train import InterruptedRunError, RunError, SettingsError, Tensors, fit
from cellwright.train.plain import from_plain, to_plain


class Net(nn.Module):
    """A layer and its readout."""

    def __init__(self, hidden=3, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.layer = cw.nn.RNN(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        """Return ``[B, T, 1]``."""
        return self.head(self.layer(x)[0])


class Tied(nn.Module):
    """Two names of one weight."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.into, self.back = nn.Linear(1, 1), nn.Linear(1, 1)
        self.back.weight = self.into.weight

    def forward(self, x):
        """Return ``[B, T, 1]``."""
        return self.back(self.into(x).tanh())


class Remembers:
    """A callback with any state."""

    def __init__(self, state=None):
        self.state = state

    def __call__(self, event):
        """Do nothing."""

    def state_dict(self):
        """Return it."""
        return self.state

    def load_state_dict(self, state):
        """Take it."""
        self.state = state


class Slowing(torch.optim.SGD):
    """Counts its steps in its groups, and acts on the count."""

    def step(self, closure=None):
        """Go a shorter way each time."""
        for group in self.param_groups:
            group["count"] = group.get("count", 0) + 1
            group["lr"] = group["lr"] / group["count"]
        return super().step(closure)


class Wide(torch.optim.SGD):
    """Keeps sums in more digits than the weights have."""

    def step(self, closure=None):
        """Follow the sum of all gradients."""
        assert closure is None
        for group in self.param_groups:
            for p in group["params"]:
                kept = self.state[p]
                kept["sum"] = kept.get("sum", 0) + p.grad.double() / 3
                p.data.sub_(group["lr"] * kept["sum"])


def examples(rows=12):
    """Return inputs and targets."""
    torch.manual_seed(1)
    x = torch.randn(rows, 5, 1)
    return x, x.cumsum(1) / 5


def train(model, out=None, rows=12, source=None, **options):
    """Fit without a word, three steps an epoch."""
    chosen = {"batch_size": 4, "epochs": 3, "progress": False, **options}
    return fit(model, source or examples(rows), out=out, **chosen)


def weights(model):
    """Return a model's weights as one vector."""
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def shifted():
    """Return data like the examples, one number of which is another."""
    x, y = examples()
    x[3, 2] += 1
    return Tensors(x, y, 4)


@pytest.fixture
def begun(tmp_path, stop_after, monkeypatch):
    """Return how to begin a run that is interrupted, as by Ctrl-C, in step 4."""

    def begin(model, **options):
        stop_after(4)
        with pytest.raises(InterruptedRunError):
            train(model, tmp_path, **options)
        monkeypatch.undo()
        return tmp_path

    return begin


def test_a_users_files_beside_checkpoints_stay(tmp_path):
    """A training with out= removes nothing that it did not write."""
    folder = tmp_path / "checkpoints"
    (folder / "figures").mkdir(parents=True)
    (folder / "notes.json").write_text("precious")
    train(Net(), tmp_path, checkpoint_seconds=0.0)
    assert (folder / "notes.json").read_text() == "precious"
    assert (folder / "figures").is_dir()


def test_an_epoch_cut_short_leaves_two_checkpoints(tmp_path):
    """The step that a callback ends the run in is saved twice, under two names."""
    train(
        Net(),
        tmp_path,
        checkpoint_seconds=0.0,
        callbacks=[lambda event: event.state.step == 2],
    )
    pairs = sorted((tmp_path / "checkpoints").glob("*.json"))
    facts = [json.loads(path.read_text())["facts"] for path in pairs]
    assert [(f["step"], len(f["curve"])) for f in facts] == [(2, 0), (2, 1)]


@pytest.mark.parametrize(
    "state",
    [
        {10: 1, 9: (2, 3)},
        {"best": math.inf, "worst": [-math.inf, None, True]},
        {"$tuple": 1, 1: "a", "1": "b", (1, "x"): {}},
    ],
)
def test_a_callback_s_state_comes_back_as_it_was(begun, state):
    """Keys that are no strings, infinities and tuples are kept."""
    folder = begun(Net(), callbacks=[Remembers(state)])
    after = Remembers()
    train(Net(), folder, resume=True, callbacks=[after])
    assert after.state == state


def test_nan_and_tensors_come_back():
    """Plain data says NaN; tensors lie beside it, each under its own name."""
    tensors = {}
    value = {1: torch.ones(2), "1": torch.zeros(1), "n": math.nan}
    said = json.loads(json.dumps(to_plain(value, "s", tensors)))
    back = from_plain(said, tensors)
    assert math.isnan(back["n"])
    assert (back[1].tolist(), back["1"].tolist()) == ([1.0, 1.0], [0.0])


@pytest.mark.parametrize("value", [torch.zeros(2), {1, 2}, object()])
def test_what_is_no_plain_data_is_refused(tmp_path, value):
    """The callback's class and the place are named."""
    with pytest.raises(SettingsError, match=r"Remembers.*\n?.*state\.best is a"):
        train(Net(), tmp_path, callbacks=[Remembers({"best": value})])


def test_tied_weights_are_kept(begun):
    """A model with two names of one weight resumes to the bit."""
    whole, other = Tied(), Tied(seed=5)
    train(whole)
    train(other, begun(Tied()), resume=True)
    assert torch.equal(weights(other), weights(whole))
    assert other.into.weight is other.back.weight


@pytest.mark.parametrize("kind", [Slowing, Wide])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_all_of_an_optimiser_is_kept(begun, kind, schedule):
    """Counters in groups, wide tensors, and the rates before the schedule."""

    def optimiser(model):
        return kind(model.parameters(), lr=0.1)

    whole, first, other = Net(), Net(), Net(seed=5)
    train(whole, optimiser=optimiser(whole), schedule=schedule)
    folder = begun(first, optimiser=optimiser(first), schedule=schedule)
    options = {"optimiser": optimiser(other), "schedule": schedule, "resume": True}
    train(other, folder, **options)
    assert torch.equal(weights(other), weights(whole))


def test_an_optimiser_in_use_goes_on_at_its_first_rate(begun):
    """Resumed in the same session, what the schedule left is not the rate."""
    whole, model = Net(), Net()
    options: dict[str, Any] = {"schedule": "cosine"}
    train(whole, optimiser=torch.optim.SGD(whole.parameters(), lr=0.1), **options)
    used = torch.optim.SGD(model.parameters(), lr=0.1)
    folder = begun(model, optimiser=used, **options)
    train(model, folder, optimiser=used, resume=True, **options)
    assert torch.equal(weights(model), weights(whole))


def test_weights_outside_of_the_model_are_kept(begun):
    """What the optimiser changes besides the model, such as a loss' scale, goes on."""

    def parts(seed=0):
        model, scale = Net(seed=seed), nn.Parameter(torch.ones(1))
        both = [*model.parameters(), scale]

        def loss(said, y):
            return ((said * scale - y) ** 2).mean()

        options = {"loss": loss, "optimiser": torch.optim.Adam(both, lr=0.1)}
        return model, scale, options

    whole, expected, options = parts()
    train(whole, **options)
    first, _, options = parts()
    folder = begun(first, **options)
    other, found, options = parts(seed=5)
    train(other, folder, resume=True, **options)
    assert torch.equal(found, expected)
    assert torch.equal(weights(other), weights(whole))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 8}, r"data\.batch_size: 4 there, 8 here"),
        ({"rows": 11}, r"data\.x: \[12, 5, 1\] float32, .* there, \[11, 5, 1\]"),
        ({"source": shifted()}, r"data\.x: .*checksum (\w+) there, .*checksum (?!\1)"),
        ({"rows": 24}, "batches of an epoch: 3 there, 6 here"),
        ({"hidden": 4}, r"parameter head\.weight: \[1, 3\] there, \[1, 4\] here"),
        ({"callbacks": [Remembers()]}, r"\['Remembers'\] here"),
        ({"optimiser": torch.optim.SGD}, "optimiser: Adam there, SGD here"),
    ],
)
def test_only_the_same_run_goes_on(begun, options, words):
    """What differs is named, with what is there and what is here."""
    folder = begun(Net())
    other = dict(options)
    model = Net(other.pop("hidden", 3))
    if "optimiser" in other:
        other["optimiser"] = other["optimiser"](model.parameters(), lr=0.1)
    with pytest.raises(SettingsError, match=words):
        train(model, folder, resume=True, **other)


def test_other_groups_of_parameters_are_told(begun):
    """An optimiser of the same class with other groups is another one."""
    first, other = Net(), Net()
    folder = begun(first, optimiser=torch.optim.SGD(first.parameters(), lr=0.1))
    groups = [{"params": part.parameters()} for part in (other.layer, other.head)]
    with pytest.raises(SettingsError, match="parameters in its groups"):
        train(other, folder, optimiser=torch.optim.SGD(groups, lr=0.1), resume=True)


def test_sources_without_a_batch_size_resume(begun):
    """A source needs no more than the protocol's methods."""

    class Bare:
        def __init__(self):
            self._tensors = Tensors(*examples(), 4)
            self.batches, self.carries = 3, False
            self.order, self.batch = self._tensors.order, self._tensors.batch

    folder = begun(Net(), source=Bare())
    assert train(Net(), folder, source=Bare(), resume=True).steps == 9


def test_resuming_says_from_where(begun, capsys):
    """Both a run that goes on and one that has nothing to go on from are told."""
    folder = begun(Net())
    train(Net(), folder, resume=True, progress=True)
    assert capsys.readouterr().err.startswith("goes on after step 4, in epoch 2\n")
    train(Net(), folder / "new", resume=True, progress=True)
    assert "no checkpoint to go on from" in capsys.readouterr().err


@pytest.mark.parametrize("resume", [False, True])
def test_checkpoints_without_their_recipe_are_not_gone_on_with(begun, resume):
    """Nobody knows any more what they belong to."""
    folder = begun(Net())
    (folder / "recipe.json").unlink()
    words = r"recipe\.json: cannot be read" if resume else "holds a run already"
    with pytest.raises(RunError, match=words):
        train(Net(), folder, resume=resume)
