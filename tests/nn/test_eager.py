"""What torch's compilers are told."""

import pytest
import torch
from torch import Tensor, nn

import cellwright as cw
from cellwright.compiler.choose import BackendError

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


class Model(nn.Module):
    """A model with one recurrent layer, as people script it."""

    def __init__(self, rnn: nn.Module):
        super().__init__()
        self.rnn = rnn

    def forward(self, x: Tensor):
        """Return the output alone."""
        return self.rnn(x)[0]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_script_of_a_dropin_says_what_to_do(kind: str):
    """torch.jit.script names the layer and the fix, and the fix is one."""
    model = Model(getattr(cw.nn, kind)(3, 4, backend="torch"))
    x = torch.randn(5, 2, 3)
    expected = model(x)
    with pytest.raises(BackendError, match=rf"{kind}\(input_size=3.*to='torch'"):
        torch.jit.script(model)
    assert isinstance(model.rnn, getattr(cw.nn, kind))

    cw.convert(model, to="torch")
    assert torch.equal(torch.jit.script(model)(x), expected)


def test_script_of_any_cell_says_what_to_do():
    """A Recurrent points to torch.export, which does record it."""
    model = Model(cw.nn.Recurrent("gru", 3, 4))
    with pytest.raises(BackendError, match=r"Recurrent\('gru'.*torch\.export"):
        torch.jit.script(model)

    x = torch.randn(5, 2, 3)
    assert torch.equal(torch.export.export(model, (x,)).module()(x), model(x))
