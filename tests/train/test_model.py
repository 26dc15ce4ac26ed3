import pickle
from copy import deepcopy

import pytest
import torch

from cellwright.checks.tolerances import TOLERANCES, error
from cellwright.train import Forecaster, InputError


def forecaster(columns=("y",), **options):
    """Return a small forecaster with fixed weights."""
    torch.manual_seed(0)
    return Forecaster("gru", columns, 4, 3, hidden_size=5, **options)


def test_raw_values_to_raw_values():
    """Forecasts follow the series' scale: what is scaled goes in and comes out."""
    plain = forecaster()
    scaled = forecaster(mean=[1e9], std=[50.0])
    x = torch.randn(2, 4, 1, dtype=torch.float64)
    found = (scaled(x * 50 + 1e9) - 1e9) / 50
    assert error(found, plain(x)) <= TOLERANCES["reference", "float32"].bound


@pytest.mark.parametrize(("change", "expected"), [(True, 9.0), (False, 5.0)])
def test_linear_layer_that_says_nothing(change: bool, expected: float):
    """No change said is the target's last known value; no value said is its mean."""
    model = forecaster(("y", "x"), change=change, mean=[5.0, 7.0], std=[2.0, 3.0])
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.zeros_(model.head.bias)
    x = torch.tensor([[[1.0, 50.0], [9.0, 60.0]]])
    assert model(x).tolist() == [[expected] * 3]


def test_shapes_and_dtypes():
    """[B, T, I] gives [B, horizon]; unbatched, float32 and whole numbers work too."""
    model = forecaster(("y", "x"))
    assert model(torch.zeros(7, 4, 2)).shape == (7, 3)
    assert model(torch.zeros(7, 9, 2)).shape == (7, 3)
    assert model(torch.zeros(4, 2)).shape == (3,)
    assert model(torch.zeros(4, 2)).dtype == torch.float32
    assert model(torch.zeros(4, 2, dtype=torch.float64)).dtype == torch.float64
    assert model(torch.zeros(4, 2, dtype=torch.int64)).dtype == torch.float64


@pytest.mark.parametrize("shape", [(4,), (2, 4, 1), (2, 4, 3), (1, 2, 4, 2)])
def test_wrong_shape_names_the_columns(shape):
    """An input of the wrong shape is told which columns the last axis holds."""
    with pytest.raises(InputError, match="the columns y, x; found"):
        forecaster(("y", "x"))(torch.zeros(shape))


def test_copies(tmp_path):
    """A forecaster can be copied, pickled and saved; its scale is part of its state."""
    model = forecaster(mean=[2.0], std=[3.0])
    x = torch.randn(2, 4, 1)
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 - made above
    assert torch.equal(again(x), model(x))
    assert torch.equal(deepcopy(model)(x), model(x))
    assert {"mean", "std"} <= set(model.state_dict())


def test_cell_options_reach_the_layer():
    """Further arguments of the recurrent layer pass through."""
    torch.manual_seed(0)
    model = Forecaster(
        "lstm", ("y",), 4, 3, hidden_size=5, cell_options={"forget_bias": 2.0}
    )
    assert model.state_dict()["recurrent.b_f_l0"].tolist() == [2.0] * 5
