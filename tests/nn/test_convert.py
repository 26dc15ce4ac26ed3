import copy
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

import cellwright as cw
from cellwright.backends.c.levels import best_level
from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.compiler.choose import BackendError
from cellwright.nn.errors import OptionError


class Tagger(nn.Module):
    """A model with recurrent layers in every kind of place."""

    def __init__(self):
        super().__init__()
        self.first = nn.LSTM(3, 4, batch_first=True)
        self.blocks: Any = nn.ModuleList([nn.GRU(4, 4), nn.Sequential(nn.RNN(4, 4))])
        self.again = self.first
        self.head = nn.Linear(4, 2)
        self.register_buffer("mark", torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        """Run all layers."""
        x, _ = self.first(x)
        x, _ = self.blocks[0](x)
        x, _ = self.blocks[1](x)
        return self.head(x)


def table(report: Any) -> dict[str, tuple[str, str]]:
    """Return a report by layer."""
    return {row.layer: (row.backend, row.reason) for row in report.rows}


def test_every_layer_is_converted_and_computes_the_same():
    """Layers in lists and sequences become ours; numbers and state_dict stay."""
    model: Any = Tagger()
    x = torch.randn(2, 5, 3)
    before, names = model(x), list(model.state_dict())
    found = table(cw.convert(model))
    assert type(model.first) is cw.nn.LSTM
    assert type(model.blocks[0]) is cw.nn.GRU
    assert type(model.blocks[1][0]) is cw.nn.RNN
    reason = f"a compiled kernel, {best_level().name}"
    assert found == {
        "first": ("c", reason),
        "blocks.0": ("c", reason),
        "blocks.1.0": ("c", reason),
    }
    bound = TOLERANCES["c", "float32"].bound
    assert error(model(x), before) <= bound
    assert list(model.state_dict()) == names


def test_shared_layer_stays_shared():
    """A layer with two names is one layer afterwards, and one row."""
    model: Any = Tagger()
    report = cw.convert(model)
    assert model.again is model.first
    assert "again" not in table(report)


def test_back_again_is_torchs():
    """to="torch" restores classes and numbers, and nothing of ours is left."""
    model: Any = Tagger()
    x = torch.randn(2, 5, 3)
    before, kept = model(x), {**vars(model.first)}
    cw.convert(model)
    found = table(cw.convert(model, to="torch"))
    assert found["first"] == ("torch", "torch.nn.LSTM again")
    assert type(model.first) is nn.LSTM
    assert type(model.blocks[0]) is nn.GRU
    assert type(model.blocks[1][0]) is nn.RNN
    assert vars(model.first).keys() == kept.keys()
    assert torch.equal(model(x), before)
    assert torch.equal(copy.deepcopy(model)(x), before)


def test_backend_is_for_the_converted_layers():
    """backend= reaches every layer, and the report tells."""
    model: Any = Tagger()
    report = cw.convert(model, backend="reference")
    assert {row.backend for row in report.rows} == {"reference"}
    assert model.blocks[0].backend == "reference"
    model(torch.randn(2, 5, 3)).sum().backward()


def test_parameters_are_the_very_same():
    """An optimiser made before the conversion trains the layer after it."""
    model: Any = Tagger()
    weights = list(model.parameters())
    optimiser = torch.optim.SGD(weights, lr=0.5)
    cw.convert(model)
    assert all(map(lambda a, b: a is b, model.parameters(), weights))
    before = model.first.weight_hh_l0.detach().clone()
    model(torch.randn(2, 5, 3)).sum().backward()
    optimiser.step()
    assert not torch.equal(model.first.weight_hh_l0, before)


def test_hooks_flags_and_buffers_are_kept():
    """Hooks still fire and can be removed; training and requires_grad stay."""
    model: Any = Tagger()
    calls: list[str] = []
    handle = model.first.register_forward_hook(
        lambda m, *_: calls.append(type(m).__module__)
    )
    model.first.eval()
    model.first.weight_ih_l0.requires_grad_(False)
    model.first.register_buffer("own", torch.ones(2))
    mark = model.mark
    cw.convert(model)
    model(torch.randn(2, 5, 3))
    assert calls == ["cellwright.nn.dropins"]
    handle.remove()
    model(torch.randn(2, 5, 3))
    assert len(calls) == 1
    assert not model.first.training
    assert model.blocks[0].training
    assert not model.first.weight_ih_l0.requires_grad
    assert torch.equal(model.first.own, torch.ones(2))
    assert model.mark is mark


def test_model_that_is_the_layer_itself_is_converted():
    """There is nothing around it, and it still becomes ours."""
    layer = nn.GRU(3, 4)
    (row,) = cw.convert(layer).rows
    assert type(layer) is cw.nn.GRU
    assert row.layer == "GRU"


def test_subclass_is_left_alone():
    """A subclass may compute something else; the table says so."""

    class Mine(nn.LSTM):
        pass

    model: Any = nn.Sequential(Mine(3, 4))
    backend, reason = table(cw.convert(model))["0"]
    assert type(model[0]) is Mine
    assert backend == "torch"
    assert reason.startswith("Mine is a subclass of torch.nn.LSTM")


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_step_is_left_alone(kind: Any):
    """A cell of torch.nn is one step, not a layer."""
    model: Any = nn.Sequential(kind(3, 4))
    assert "one step" in table(cw.convert(model))["0"][1]
    assert type(model[0]) is kind


def test_quantized_layer_is_left_alone():
    """A quantized layer has its own weights and kernels."""
    with warnings.catch_warnings():
        # torch announces the end of torch.ao.quantization.
        warnings.simplefilter("ignore")
        model: Any = torch.ao.quantization.quantize_dynamic(
            nn.Sequential(nn.LSTM(3, 4)), {nn.LSTM}
        )
    assert table(cw.convert(model)) == {"0": ("torch", "quantized: left alone")}


def test_converted_layer_is_told_as_such():
    """A second conversion changes nothing and says why."""
    model: Any = nn.ModuleDict({"a": nn.GRU(3, 4), "b": cw.nn.Recurrent("lstm", 3, 4)})
    cw.convert(model, backend="reference")
    found = table(cw.convert(model))
    assert found["a"] == (
        "reference",
        "already cellwright's; asked for by backend='reference'",
    )
    assert found["b"][1].startswith("already cellwright's")
    back = table(cw.convert(model, to="torch"))
    assert "torch.nn has no layer" in back["b"][1]
    assert table(cw.convert(model, to="torch"))["a"] == (
        "torch",
        "already torch.nn.GRU",
    )


def test_replaced_forward_is_left_alone():
    """A forward that someone put on the layer itself would be lost."""
    layer = nn.GRU(3, 4)
    layer.forward = layer.forward
    (row,) = cw.convert(nn.Sequential(layer)).rows
    assert row.reason == "its forward was replaced: left alone"
    assert type(layer) is nn.GRU


def test_parametrized_layer_is_left_alone_and_works():
    """Parametrizations live in the layer's class, so it stays torch's, and says so."""
    model: Any = nn.Sequential(nn.LSTM(3, 4))
    parametrizations.weight_norm(model[0], "weight_hh_l0")
    x = torch.randn(5, 2, 3)
    before = model(x)[0]
    assert table(cw.convert(model))["0"][1].startswith("parametrized: left alone")
    assert torch.equal(model(x)[0], before)


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize("change", ["weight_norm", "prune"])
def test_layers_changed_by_hooks_still_follow_them(change: str):
    """weight_norm by hooks and prune go on working after the conversion, and back."""
    layer: Any = nn.GRU(3, 4)
    if change == "prune":
        prune.random_unstructured(layer, "weight_hh_l0", amount=0.5)
        weight = "weight_hh_l0_orig"
    else:
        nn.utils.weight_norm(layer, "weight_hh_l0")
        weight = "weight_hh_l0_g"
    model: Any = nn.Sequential(layer)
    x = torch.randn(5, 2, 3)
    first = model(x)[0]
    cw.convert(model, backend="torch")
    assert torch.equal(model(x)[0], first)
    with torch.no_grad():
        getattr(layer, weight).mul_(2)
    ours = model(x)[0]
    assert not torch.equal(ours, first)
    cw.convert(model, to="torch")
    assert torch.equal(model(x)[0], ours)


def test_no_recurrent_layer_is_an_empty_table():
    """A model without recurrent layers is left as it is."""
    assert cw.convert(nn.Sequential(nn.Linear(3, 4))).rows == ()


def test_wrong_arguments_are_errors():
    """What is no module, no direction or no backend is told before anything changes."""
    model: Any = nn.Sequential(nn.GRU(3, 4))
    models: Any = [model]
    with pytest.raises(OptionError, match="got list"):
        cw.convert(models)
    with pytest.raises(OptionError, match="'keras'"):
        cw.convert(model, to="keras")  # pyright: ignore[reportArgumentType]
    with pytest.raises(BackendError, match="'cuda'"):
        cw.convert(model, backend="cuda")
    assert type(model[0]) is nn.GRU
