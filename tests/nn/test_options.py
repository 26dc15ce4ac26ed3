"""What a layer may be given, and what it says of anything else."""

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cellwright as cw
from cellwright.errors import CellwrightError
from cellwright.nn.errors import OptionError

TEXT = """input x [input_size]
{declared}
state h [hidden_size]
weight W [hidden_size, input_size]
output h'
h' = tanh(W @ x + {name} * h)
"""
ELSEWHERE = {"input_size", "hidden_size", "bias", "input"}
"""Sizes of every cell, and keywords of the language, which no name may be."""


def own(function: Any) -> list[str]:
    """Return the arguments that a layer keeps for itself."""
    found = inspect.signature(function).parameters.values()
    return [p.name for p in found if p.kind is not p.VAR_KEYWORD]


def made(text: str, **options: Any) -> Any:
    """Return a layer of a text."""
    return cw.nn.Recurrent(text, 3, 4, **options)


CONSTRUCTOR = [n for n in own(cw.nn.Recurrent.__init__) if n not in ELSEWHERE]
CALL = [n for n in own(cw.nn.Recurrent.forward) if n not in ELSEWHERE]


def test_the_arguments_are_those_of_the_layer():
    """The lists below are not empty by mistake."""
    assert {"self", "cell", "dropout", "forget_bias"} <= set(CONSTRUCTOR)
    assert {"self", "hx"} <= set(CALL)


@pytest.mark.parametrize("name", CONSTRUCTOR)
def test_a_constant_called_like_an_argument_is_refused(name: str):
    """It could never be set, so the file is told to rename it."""
    text = TEXT.format(declared=f"constant {name} = 1", name=name)
    with pytest.raises(OptionError, match=f"constant {name} can never be given.*file"):
        made(text)


@pytest.mark.parametrize("name", CONSTRUCTOR)
def test_a_size_called_like_an_argument_is_refused(name: str):
    """So is a size."""
    declared = f"size {name} = 2\nconstant q [{name}] = 1"
    text = TEXT.format(declared=declared, name="sum(q)")
    with pytest.raises(OptionError, match=f"size {name} can never be given.*file"):
        made(text)


@pytest.mark.parametrize("name", CALL)
def test_an_input_called_like_an_argument_of_a_call_is_refused(name: str):
    """It could never be given, so the file is told to rename it."""
    text = TEXT.format(declared=f"input {name}", name=name)
    with pytest.raises(OptionError, match=f"input {name} can never be given.*file"):
        made(text)


def test_all_names_are_told_at_once():
    """One error lists every name to change."""
    declared = "input hx\nconstant cell = 1\nconstant dropout = 1"
    text = TEXT.format(declared=declared, name="hx * cell * dropout")
    with pytest.raises(OptionError) as caught:
        made(text)
    assert [
        n
        for n in ("input hx", "constant cell", "constant dropout")
        if n not in str(caught.value)
    ] == []


@pytest.mark.parametrize("name", ["training", "forward", "graph", "output_size"])
def test_other_names_of_a_module_are_free(name: str):
    """A suffix keeps a cell's names apart from those of torch.nn.Module."""
    for declared in (f"constant {name} = 1", f"weight {name}"):
        layer = made(TEXT.format(declared=declared, name=name)).eval()
        assert layer(torch.zeros(2, 1, 3))[0].shape == (2, 1, 4)


def test_the_first_input_may_have_any_name():
    """It is given by its place."""
    text = "input hx [input_size]\nstate h [hidden_size]\n"
    text += "weight W [hidden_size, input_size]\noutput h'\nh' = tanh(W @ hx + h)\n"
    assert made(text)(torch.zeros(2, 1, 3))[0].shape == (2, 1, 4)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"a": torch.ones(3)}, r"a is \[hidden_size\], here \[4\].*shape \[3\]"),
    ({"a": torch.ones(1, 4)}, r"a is \[hidden_size\], here \[4\].*shape \[1, 4\]"),
    ({"slope": torch.ones(4)}, r"slope is one number; got a tensor of shape \[4\]"),
    ({"slope": [1.0, 2.0]}, r"slope is one number; got a tensor of shape \[2\]"),
    ({"slope": "a"}, "slope is a number or a tensor of real numbers; got 'a'"),
    ({"slope": None}, "slope is a number or a tensor of real numbers; got None"),
    ({"slope": 1j}, "slope is a number or a tensor of real numbers; got 1j"),
    (
        {"slope": torch.ones((), dtype=torch.cfloat)},
        r"got a tensor of torch\.complex64",
    ),
    ({"slope": torch.ones((), device="meta")}, "got a tensor without values"),
    ({"dropout": "a"}, "dropout is a share from 0 to 1; found 'a'"),
    ({"dropout": None}, "dropout is .*; found None"),
    ({"dropout": float("nan")}, "dropout is .*; found nan"),
    ({"dropout": -0.1}, r"dropout is .*; found -0\.1"),
    ({"dropout": True}, "dropout is .*; found True"),
    ({"bias": "no"}, "Recurrent: bias is True or False; found 'no'"),
    ({"bias": 1}, "Recurrent: bias is True or False; found 1"),
    ({"batch_first": 1}, "Recurrent: batch_first is True or False; found 1"),
    ({"bidirectional": 2}, "Recurrent: bidirectional is True or False; found 2"),
    (
        {"forget_bias": "x"},
        "Recurrent: forget_bias is None .*; found 'x'",
    ),
    (
        {"forget_bias": True},
        "Recurrent: forget_bias is None .*; found True",
    ),
    (
        {"num_layers": True},
        "Recurrent: num_layers is a whole number from 1 on; found True",
    ),
    ({"hidden_size": 0}, "Recurrent: hidden_size is a whole number from 1 on; found 0"),
]


@pytest.mark.parametrize(("options", "says"), WRONG, ids=lambda v: str(v)[:40])
def test_an_option_that_does_not_fit_is_told(options: dict[str, Any], says: str):
    """The error names the argument, the rule and what was found."""
    arguments: dict[str, Any] = {"input_size": 3, "hidden_size": 4, **options}
    with pytest.raises(OptionError, match=says):
        cw.nn.Recurrent("izhikevich", **arguments)


@pytest.mark.parametrize("cell", [None, 3, b"lstm", ["lstm"], nn.LSTM])
def test_what_is_no_cell_is_told(cell: Any):
    """An error of ours, and a TypeError, says what a cell may be."""
    with pytest.raises(CellwrightError, match="a name of the library, the path") as got:
        cw.nn.Recurrent(cell, 3, 4)
    assert isinstance(got.value, TypeError)


def test_a_constant_of_another_layers_width_is_told_with_its_layer():
    """A constant as wide as the input differs from layer to layer."""
    text = "input x [input_size]\nstate h [hidden_size]\noutput h'\n"
    text += "constant k [input_size] = 1\nh' = h + sum(k * x)\n"
    with pytest.raises(
        OptionError, match=r"k of layer 1 is \[input_size\], here \[4\]"
    ):
        made(text, num_layers=2, k=torch.ones(3))


def test_numbers_of_any_kind_are_taken():
    """Numpy's numbers, one entry and whole numbers are numbers."""
    options: dict[str, Any] = {"dropout": np.float32(0.5), "b": [1, 2, 3, 4]}
    options |= {"a": np.float64(0.5), "slope": torch.ones(1, 1) * 2}
    layer = cw.nn.Recurrent("izhikevich", 3, 4, num_layers=2, **options)
    assert layer.dropout == 0.5
    assert layer.get_buffer("slope_l0").item() == 2
    assert layer.get_buffer("a_l1").tolist() == [0.5] * 4
    assert layer.get_buffer("b_l0").tolist() == [1, 2, 3, 4]
    assert cw.nn.Recurrent("lstm", 3, 4, forget_bias=1).forget_bias == 1.0


def test_a_given_tensor_stays_the_callers():
    """What the caller does to it afterwards does not reach the layer, nor autograd."""
    given = torch.full((4,), 0.5, dtype=torch.float64, requires_grad=True) * 1
    layer = cw.nn.Recurrent("izhikevich", 3, 4, a=given)
    given.data.fill_(7.0)
    layer.reset_parameters()
    assert layer.get_buffer("a_l0").tolist() == [0.5] * 4
    assert not layer.get_buffer("a_l0").requires_grad


@pytest.mark.parametrize("kind", ["GRU", "RNN"])
@pytest.mark.parametrize("proj_size", [0, 2])
def test_a_projection_is_an_lstms_as_in_torch(kind: str, proj_size: int):
    """torch.nn and we raise a ValueError with a text."""
    for room in (nn, cw.nn):
        with pytest.raises(ValueError, match=r"proj_size .* LSTM"):
            getattr(room, kind)(3, 4, proj_size=proj_size)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("value", ["x", True])
def test_a_dropins_forget_bias_is_a_number(kind: str, value: Any):
    """It is ours, so torch checks nothing."""
    with pytest.raises(
        OptionError, match=f"{kind}: forget_bias is .*; found {value!r}"
    ):
        getattr(cw.nn, kind)(3, 4, forget_bias=value)
