"""`LSTM`, `GRU` and `RNN`: torch.nn's layers, to be used in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

import torch
from torch import _VF, Tensor, nn

from .dropin import DropIn
from .errors import OptionError
from .initialise import Init
from .memory import Memory
from .regularise import Zoneout


class LSTM(DropIn):
    """Long short-term memory, in the place of torch.nn.LSTM.

    Args:
        input_size: number of features of the input.
        hidden_size: number of units.
        num_layers: layers on top of one another.
        bias: False leaves out both biases.
        batch_first: whether input and output are ``[B, T, ...]``; states are not
            affected.
        dropout: share of every layer's output, but the last one's, that is dropped in
            training.
        bidirectional: whether a second set of weights reads the sequence backwards.
        proj_size: features that the output is projected to; 0 for none.
        device: where the weights are.
        dtype: of the weights.
        backend: ``"auto"``, ``"c"`` (kernels), ``"reference"`` (the truth, slow) or
            ``"torch"`` (its own path).
        memory: ``"store"``, or ``"recompute"`` for less memory and more time in the
            backward pass, as for `Recurrent`; torch's own path has no such thing.
        init: first values of the cell's weights and biases, by name or pattern, as for
            `Recurrent`: ``{"U_*": "orthogonal"}``; all others are torch.nn's.
        forget_bias: first value of the forget gate's bias, the sum of both vectors.
        chrono: the longest dependency in steps, which the biases of the forget and the
            input gate are drawn for.
        zoneout: share of the units that keep their value from step to step in training,
            of every state, or of each by name: ``{"h": 0.05, "c": 0.5}``.
        variational_dropout: share of x and of h that is dropped before the products in
            training, the same at every step of a sequence.
        weight_dropout: share of the entries of the recurrent matrices that is dropped
            in training, drawn once a call.

    Shape:
        - input: ``[T, B, I]``, ``[B, T, I]`` with batch_first, ``[T, I]`` unbatched, or
          a PackedSequence.
        - hx: ``(h, c)``, each ``[L*D, B, H]``; h has ``proj_size`` features if that is
          set.
        - output: ``[T, B, D*H]`` in the layout of the input; the state as hx.

    Raises:
        OptionError: for an argument that does not fit.
        ShapeError, DtypeError: in a call with tensors that do not fit.

    Example:
        >>> import torch, cellwright as cw
        >>> layer = cw.nn.LSTM(input_size=3, hidden_size=8, forget_bias=1.0)
        >>> output, (h, c) = layer(torch.randn(20, 16, 3))
        >>> print(layer.backend_report())  # doctest: +ELLIPSIS
        layer  backend  memory  reason
        LSTM   c        store   a compiled kernel, ...
    """

    torch_class = nn.LSTM
    state_names = ("h", "c")
    torch_functions: ClassVar[Mapping[str, Callable[..., tuple[Tensor, ...]]]] = {
        "LSTM": _VF.lstm
    }

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        backend: str = "auto",
        memory: Memory = "store",
        init: Init | None = None,
        forget_bias: float | None = None,
        chrono: float | None = None,
        zoneout: Zoneout = 0.0,
        variational_dropout: float = 0.0,
        weight_dropout: float = 0.0,
    ):
        super().__init__(
            "LSTM",
            backend,
            memory,
            init,
            forget_bias,
            chrono,
            zoneout,
            variational_dropout,
            weight_dropout,
            input_size=input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            proj_size=proj_size,
            device=device,
            dtype=dtype,
        )


class GRU(DropIn):
    """Gated recurrent unit, in the place of torch.nn.GRU.

    Args:
        input_size: number of features of the input.
        hidden_size: number of units.
        num_layers: layers on top of one another.
        bias: False leaves out both biases.
        batch_first: whether input and output are ``[B, T, ...]``; the state is not
            affected.
        dropout: share of every layer's output, but the last one's, that is dropped in
            training.
        bidirectional: whether a second set of weights reads the sequence backwards.
        device: where the weights are.
        dtype: of the weights.
        backend: ``"auto"``, ``"c"`` (kernels), ``"reference"`` (the truth, slow) or
            ``"torch"`` (its own path).
        memory: ``"store"``, or ``"recompute"`` for less memory and more time in the
            backward pass, as for `Recurrent`; torch's own path has no such thing.
        init: first values of the cell's weights and biases, by name or pattern, as for
            `Recurrent`: ``{"U_*": "orthogonal"}``; all others are torch.nn's.
        forget_bias: an error, as this cell has no forget gate.
        chrono: likewise.
        proj_size: an error, as only an LSTM has a projection.
        zoneout: share of the units that keep their value from step to step in training,
            of every state, or of each by name: ``{"h": 0.05, "c": 0.5}``.
        variational_dropout: share of x and of h that is dropped before the products in
            training, the same at every step of a sequence.
        weight_dropout: share of the entries of the recurrent matrices that is dropped
            in training, drawn once a call.

    Shape:
        - input: ``[T, B, I]``, ``[B, T, I]`` with batch_first, ``[T, I]`` unbatched, or
          a PackedSequence.
        - hx: ``[L*D, B, H]``.
        - output: ``[T, B, D*H]`` in the layout of the input; the state as hx.

    Raises:
        OptionError: for an argument that does not fit.
        ShapeError, DtypeError: in a call with tensors that do not fit.

    Example:
        >>> import torch, cellwright as cw
        >>> output, h = cw.nn.GRU(input_size=3, hidden_size=8)(torch.randn(20, 16, 3))
        >>> tuple(output.shape), tuple(h.shape)
        ((20, 16, 8), (1, 16, 8))
    """

    torch_class = nn.GRU
    torch_functions: ClassVar[Mapping[str, Callable[..., tuple[Tensor, ...]]]] = {
        "GRU": _VF.gru
    }

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        backend: str = "auto",
        memory: Memory = "store",
        init: Init | None = None,
        forget_bias: float | None = None,
        chrono: float | None = None,
        proj_size: int | None = None,
        zoneout: Zoneout = 0.0,
        variational_dropout: float = 0.0,
        weight_dropout: float = 0.0,
    ):
        _refuse_projection("GRU", proj_size)
        super().__init__(
            "GRU",
            backend,
            memory,
            init,
            forget_bias,
            chrono,
            zoneout,
            variational_dropout,
            weight_dropout,
            input_size=input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            device=device,
            dtype=dtype,
        )


class RNN(DropIn):
    """Simple recurrent network, in the place of torch.nn.RNN.

    Args:
        input_size: number of features of the input.
        hidden_size: number of units.
        num_layers: layers on top of one another.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        bias: False leaves out both biases.
        batch_first: whether input and output are ``[B, T, ...]``; the state is not
            affected.
        dropout: share of every layer's output, but the last one's, that is dropped in
            training.
        bidirectional: whether a second set of weights reads the sequence backwards.
        device: where the weights are.
        dtype: of the weights.
        backend: ``"auto"``, ``"c"`` (kernels), ``"reference"`` (the truth, slow) or
            ``"torch"`` (its own path).
        memory: ``"store"``, or ``"recompute"`` for less memory and more time in the
            backward pass, as for `Recurrent`; torch's own path has no such thing.
        init: first values of the cell's weights and biases, by name or pattern, as for
            `Recurrent`: ``{"U_*": "orthogonal"}``; all others are torch.nn's.
        forget_bias: an error, as this cell has no forget gate.
        chrono: likewise.
        proj_size: an error, as only an LSTM has a projection.
        zoneout: share of the units that keep their value from step to step in training,
            of every state, or of each by name: ``{"h": 0.05, "c": 0.5}``.
        variational_dropout: share of x and of h that is dropped before the products in
            training, the same at every step of a sequence.
        weight_dropout: share of the entries of the recurrent matrices that is dropped
            in training, drawn once a call.

    Shape:
        - input: ``[T, B, I]``, ``[B, T, I]`` with batch_first, ``[T, I]`` unbatched, or
          a PackedSequence.
        - hx: ``[L*D, B, H]``.
        - output: ``[T, B, D*H]`` in the layout of the input; the state as hx.

    Raises:
        OptionError: for an argument that does not fit.
        ShapeError, DtypeError: in a call with tensors that do not fit.

    Example:
        >>> import torch, cellwright as cw
        >>> layer = cw.nn.RNN(input_size=3, hidden_size=8, nonlinearity="relu")
        >>> output, h = layer(torch.randn(20, 16, 3))
        >>> tuple(h.shape)
        (1, 16, 8)
    """

    torch_class = nn.RNN
    torch_functions: ClassVar[Mapping[str, Callable[..., tuple[Tensor, ...]]]] = {
        "RNN_TANH": _VF.rnn_tanh,
        "RNN_RELU": _VF.rnn_relu,
    }

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        backend: str = "auto",
        memory: Memory = "store",
        init: Init | None = None,
        forget_bias: float | None = None,
        chrono: float | None = None,
        proj_size: int | None = None,
        zoneout: Zoneout = 0.0,
        variational_dropout: float = 0.0,
        weight_dropout: float = 0.0,
    ):
        _refuse_projection("RNN", proj_size)
        if nonlinearity not in ("tanh", "relu"):
            raise OptionError(
                f"RNN: nonlinearity={nonlinearity!r} is none of 'tanh', 'relu'"
            )
        super().__init__(
            f"RNN_{nonlinearity.upper()}",
            backend,
            memory,
            init,
            forget_bias,
            chrono,
            zoneout,
            variational_dropout,
            weight_dropout,
            input_size=input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            device=device,
            dtype=dtype,
        )
        self.nonlinearity = nonlinearity


def _refuse_projection(layer: str, proj_size: int | None) -> None:
    # torch.nn refuses a 0 too.
    if proj_size is not None:
        raise OptionError(
            f"{layer}: proj_size is an argument of LSTM only; got proj_size={proj_size}"
        )
