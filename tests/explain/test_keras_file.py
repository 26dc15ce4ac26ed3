"""A ``.keras`` file is built anew with its weights, and gives what Keras gives."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import pytest
import torch
from keras import layers as kl

from cellwright.cli.main import main
from cellwright.explain.keras_file import KerasError, read_keras
from cellwright.tolerances import TOLERANCES, error

# Keras' own, of NumPy 2 and its variables.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")

NETWORKS: dict[str, tuple[tuple[int | None, ...], Sequence[Any]]] = {
    "lstm": ((20, 1), [kl.LSTM(9), kl.Dense(4, activation="softmax")]),
    "no bias": ((None, 2), [kl.LSTM(5, use_bias=False, return_sequences=True)]),
    "gru": ((6, 2), [kl.GRU(5, return_sequences=True), kl.Dropout(0.5), kl.GRU(3)]),
    "reset before": ((6, 2), [kl.GRU(5, reset_after=False), kl.Dense(2)]),
    "simple": ((6, 2), [kl.SimpleRNN(5), kl.Dense(2, activation="relu"), kl.Dense(1)]),
    "dense": ((3, 2), [kl.Flatten(), kl.Dense(6), kl.Activation("tanh")]),
}


def saved(folder: Path, shape: tuple[int | None, ...], layers: Sequence[Any]) -> Path:
    """Return the file of a network whose every weight is by chance."""
    copies = [type(each).from_config(each.get_config()) for each in layers]
    model = keras.Sequential([keras.Input(shape), *copies])
    keras.utils.set_random_seed(0)
    model.set_weights([torch.randn(w.shape).numpy() / 2 for w in model.get_weights()])
    path = folder / "net.keras"
    model.save(path)
    return path


@pytest.mark.parametrize("name", NETWORKS)
def test_numbers_are_those_of_keras(name: str, tmp_path: Path):
    """On another input than the one with which reading compares."""
    path = saved(tmp_path, *NETWORKS[name])
    found = read_keras(path)
    model: Any = keras.saving.load_model(path)
    x = torch.randn(5, *(11 if size is None else size for size in NETWORKS[name][0]))
    with torch.no_grad():
        result = found.module(x)
    ours = result[0] if isinstance(result, tuple) else result

    apart = error(ours, torch.as_tensor(model(x, training=False)).cpu())
    assert apart <= TOLERANCES["reference", "float32"].bound
    assert (found.example is None) == (None in NETWORKS[name][0])


def test_the_command_explains_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The count is Keras' own, and what runs can be measured."""
    path = saved(tmp_path, *NETWORKS["lstm"])
    assert main(["explain", str(path), "--measure", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    model: Any = keras.saving.load_model(path)
    assert found["parameters"] == model.count_params()
    assert [each["kind"] for each in found["layers"]] == [
        *("lstm", "LastStep", "Linear", "Softmax")
    ]
    assert found["measured"]["alike"][0]["steps"] == 20


def test_tokens(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A table of vectors takes whole numbers, and says which."""
    path = saved(tmp_path, (7,), [kl.Embedding(12, 3), kl.LSTM(4)])
    assert main(["explain", str(path), "--input", "2,7:long"]) == 0
    assert "a whole number from 0 to 11" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([kl.Bidirectional(kl.LSTM(3))], "found Bidirectional"),
        ([kl.LSTM(3, activation="relu")], "activation is 'tanh'; found 'relu'"),
        (
            [kl.LSTM(3, recurrent_activation="tanh")],
            "recurrent_activation is 'sigmoid'",
        ),
        ([kl.GRU(3, go_backwards=True)], "go_backwards is False; found True"),
        ([kl.GRU(3, activation="relu")], "activation is 'tanh'; found 'relu'"),
        ([kl.ReLU(max_value=6)], "max_value is None; found 6"),
        ([kl.ReLU(negative_slope=0.5)], "negative_slope is 0 or 0.0; found 0.5"),
    ],
    ids=[
        *("a wrapper", "an activation", "a gate", "from behind", "of a GRU"),
        *("a cap", "a slope"),
    ],
)
def test_what_is_not_known_is_refused(layers: Sequence[Any], said: str, tmp_path: Path):
    """With the layer, its option, and what is built."""
    with pytest.raises(KerasError, match=said):
        read_keras(saved(tmp_path, (6, 2), layers))


def test_masks_and_what_was_never_built_are_refused(tmp_path: Path):
    """Steps that Keras leaves out, and a network without a shape."""
    table = kl.Embedding(12, 3, mask_zero=True)
    with pytest.raises(KerasError, match="mask_zero is False; found True"):
        read_keras(saved(tmp_path, (7,), [table, kl.LSTM(4)]))
    path = tmp_path / "net.keras"
    with pytest.warns(UserWarning, match="has not yet been built"):
        keras.Sequential([kl.Dense(3)]).save(path)
    with pytest.raises(KerasError, match="never built"):
        read_keras(path)


def test_branches_are_refused(tmp_path: Path):
    """What is no chain has no line of layers."""
    first = keras.Input((4,))
    pair = [kl.Dense(3)(first), kl.Dense(3)(first)]
    path = tmp_path / "net.keras"
    keras.Model(first, kl.Add()(pair)).save(path)
    with pytest.raises(KerasError, match="found Add"):
        read_keras(path)
    keras.Model(first, pair).save(path)
    with pytest.raises(KerasError, match="found 1 and 2"):
        read_keras(path)


def test_other_numbers_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where a layer would be built wrongly, nothing of it is told."""
    path = saved(tmp_path, *NETWORKS["lstm"])
    monkeypatch.setattr("cellwright.explain.keras_file.LastStep", torch.nn.Identity)
    with pytest.raises(KerasError, match="apart"):
        read_keras(path)


def test_files_that_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """No file, another file, and no Keras: each in a sentence."""
    assert main(["explain", str(tmp_path / "none.keras")]) == 2
    assert "there is no such file" in capsys.readouterr().err
    other = tmp_path / "other.keras"
    other.write_text("no zip")
    assert main(["explain", str(other)]) == 2
    assert "Keras reads it; found" in capsys.readouterr().err
    monkeypatch.setitem(__import__("sys").modules, "keras", None)
    assert main(["explain", str(other)]) == 2
    assert "pip install 'cellwright[keras]'" in capsys.readouterr().err
