"""A layer's constants keep every digit through every change of its dtype."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

import cellwright as cw

TEXT = """# A plain number, a plain vector, a drawn number and a drawn vector.
input x [input_size]
state h [hidden_size]
weight W [hidden_size, input_size]
constant rate = 0.1
constant ramp [i: hidden_size] = (i + 1) / 10
constant drawn = uniform(0, 1)
constant several [hidden_size] = uniform(0, 1)
constant far = log(0)
output h'
h' = tanh(W @ x + rate * h * ramp + drawn * several + exp(far))
"""
NAMES = ("rate_l0", "ramp_l0", "drawn_l0", "several_l0", "far_l0")


def layer(dtype: torch.dtype = torch.float32, **options: Any) -> Any:
    """Return a layer with constants of every kind, drawn under one seed."""
    torch.manual_seed(4)
    return cw.nn.Recurrent(TEXT, 3, 4, dtype=dtype, **options)


def constants(made: nn.Module) -> dict[str, Tensor]:
    """Return the constants by name."""
    return dict(made.named_buffers())


def assert_constants(made: nn.Module, expected: nn.Module) -> None:
    """Fail with the names of all constants that differ from the expected ones."""
    mine, theirs = constants(made), constants(expected)
    assert mine.keys() == theirs.keys() == set(NAMES)
    assert {n: v.dtype for n, v in mine.items()} == {
        n: v.dtype for n, v in theirs.items()
    }
    assert [n for n in NAMES if not torch.equal(mine[n], theirs[n])] == []


CASTS: dict[str, Callable[[Any], Any]] = {
    "double": lambda made: made.double(),
    "to": lambda made: made.to(torch.float64),
    "to a tensor": lambda made: made.to(torch.zeros(1, dtype=torch.float64)),
    "round trip": lambda made: made.half().float().bfloat16().double(),
    "inside another": lambda made: nn.Sequential(made).double()[0],
    "deepcopy": lambda made: copy.deepcopy(made.half()).double(),
    "pickle": lambda made: pickle.loads(pickle.dumps(made.half())).double(),  # noqa: S301
    "copy of a state_dict": lambda made: (
        made.load_state_dict(made.state_dict()),
        made.double(),
    )[1],
    "meta": lambda made: made.to("meta").double().to_empty(device="cpu"),
    "to_empty": lambda made: made.to_empty(device="cpu").double(),
    "inference": lambda made: torch.inference_mode()(made.double)(),
}


@pytest.mark.parametrize("cast", CASTS)
def test_a_wider_layer_has_every_digit(cast: str):
    """However a float32 layer becomes float64, its constants are the float64 ones."""
    assert_constants(CASTS[cast](layer()), layer(torch.float64))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_narrower_layer_is_rounded_once(dtype: torch.dtype):
    """What a layer of some dtype holds does not hang on the dtypes it had before."""
    assert_constants(layer(torch.float64).to(dtype), layer(dtype))
    assert_constants(layer(torch.bfloat16).to(dtype), layer(dtype))


def test_given_constants_keep_every_digit():
    """A constant that the caller sets is no less exact than a declared one."""
    ramp = torch.tensor([float("nan"), 0.7, 0.7, 0.7], dtype=torch.float64)
    made = layer(rate=0.3, ramp=ramp).double()
    assert made.rate_l0.item() == 0.3
    assert made.ramp_l0[0].isnan()
    assert made.ramp_l0[1:].tolist() == [0.7] * 3


def test_every_layer_and_direction_keeps_its_own():
    """Constants that were drawn apart stay apart."""
    wide = layer(torch.float64, num_layers=2, bidirectional=True)
    made = layer(num_layers=2, bidirectional=True).double()
    for name, value in constants(wide).items():
        assert torch.equal(constants(made)[name], value), name


def test_a_written_buffer_is_not_overwritten():
    """A value that somebody wrote stays, in the precision in which it was written."""
    made = layer()
    made.ramp_l0[1] = 0.3
    made.rate_l0.data.fill_(0.6)
    made.drawn_l0 = torch.tensor(0.9)
    held = {name: value.clone() for name, value in constants(made).items()}
    made.half().float()
    for name, value in constants(made).items():
        assert torch.equal(value, held[name]), name
    assert made.double().rate_l0.item() == torch.tensor(0.6).item()
    assert made.ramp_l0[1].item() == torch.tensor(0.3).item()


def test_a_value_written_in_a_narrow_layer_is_not_overwritten():
    """What was written in float16 is seen, also where it is near the declared value."""
    made = layer().half()
    near = torch.nextafter(made.rate_l0, torch.ones(()).half())
    made.rate_l0.copy_(near)
    assert made.float().rate_l0.item() == near.item()


def test_another_layers_drawn_constants_are_loaded():
    """A state_dict with other values gives these, before and after a cast."""
    torch.manual_seed(5)
    other = cw.nn.Recurrent(TEXT, 3, 4)
    made = layer()
    made.load_state_dict(other.state_dict())
    for wide in (made, made.double()):
        several = other.get_buffer("several_l0")
        assert torch.equal(wide.several_l0, several.to(wide.several_l0.dtype))


def test_a_state_dict_of_less_precision_keeps_the_digits():
    """A float64 layer that loads its own float32 self has its float64 constants."""
    made = layer(torch.float64)
    made.load_state_dict(layer().state_dict())
    assert_constants(made, layer(torch.float64))


def test_a_state_dict_of_less_precision_may_be_assigned():
    """With assign=True a layer gets the very tensors of the state_dict."""
    state = layer().state_dict()
    made = layer(torch.float64)
    made.load_state_dict(state, assign=True)
    assert made.several_l0.dtype == torch.float32
    assert torch.equal(made.several_l0, state["several_l0"])


def test_meta_layer_is_filled_from_its_weights():
    """Numbers that no state_dict has are there after to_empty."""
    with torch.device("meta"):
        made = cw.nn.Recurrent(TEXT, 3, 4)
    made.to_empty(device="cpu").load_state_dict(layer().state_dict())
    assert_constants(made, layer())


def test_reset_parameters_draws_the_digits_too():
    """What is drawn anew replaces what was kept."""
    made = layer()
    torch.manual_seed(9)
    made.reset_parameters()
    wide = layer(torch.float64)
    torch.manual_seed(9)
    wide.reset_parameters()
    assert_constants(made.double(), wide)


def test_a_backward_pass_goes_on_after_an_idle_cast():
    """A cast to the dtype that a layer has does not touch what autograd holds."""
    made = layer(torch.float64)
    output, _ = made(torch.zeros(2, 1, 3, dtype=torch.float64))
    made.double()
    output.sum().backward()
    assert made.W_l0.grad is not None


def test_tensors_without_values_are_left_alone():
    """Under a mode that only traces shapes, a cast is torch's own."""
    made = layer()
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert made.double().rate_l0.dtype == torch.float64


def test_compare_agrees_after_a_cast():
    """A float32 layer of a cell with constants computes that cell."""
    assert cw.compare(cw.nn.Recurrent("izhikevich", 3, 4), "izhikevich")


def test_a_phased_lstm_is_tested_without_its_leak():
    """Trained weights go to a layer with leak=0, whose closed gates stay closed."""
    trained = cw.nn.Recurrent("phased_lstm", 3, 4, init={"r_on": 0, "tau": 10})
    tested = cw.nn.Recurrent("phased_lstm", 3, 4, leak=0.0)
    tested.load_state_dict(trained.state_dict())
    x, time = torch.ones(5, 2, 3), torch.arange(5.0).unsqueeze(1).expand(5, 2)

    assert trained(x, time=time)[0].any()
    assert not tested(x, time=time)[0].any()
