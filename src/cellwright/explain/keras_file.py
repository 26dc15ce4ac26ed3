"""A ``.keras`` file as torch modules: Keras reads it, its layers are built anew here.

Weights are laid out as in keras.layers, Keras 3: gates i, f, c, o of an LSTM and z, r,
h of a GRU side by side in the columns of kernel and recurrent_kernel. What was built
has to give what Keras gives, or it is refused.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cellwright.errors import CellwrightValueError
from cellwright.nn import Recurrent
from cellwright.tolerances import TOLERANCES, error

from .keras_words import ACTIVATIONS
from .last_step import LastStep
from .line import Line

ROWS, STEPS = 4, 7
"""Of the input with which both are compared; steps where the file says none."""


class KerasError(CellwrightValueError):
    """A file of Keras' that cannot be read, or holds what cannot be built here."""


@dataclass(frozen=True)
class Kept:
    """A network that a file held.

    Args:
        module: it.
        example: shape of one input, None where the file leaves some of it open.
    """

    module: Line
    example: tuple[int, ...] | None


def read_keras(path: Path) -> Kept:
    """Return the network of a ``.keras`` file, with its weights.

    Args:
        path: the file.

    Raises:
        KerasError: when there is no such file, Keras is not installed or runs on
            something else than torch, or the network is no chain of layers that are
            known here.
    """
    if not path.is_file():
        raise KerasError(f"{path}: there is no such file")
    keras = _keras(path)
    try:
        model = keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError) as fault:
        first = str(fault).splitlines()[0]
        raise KerasError(f"{path}: Keras reads it; found {first}") from fault
    layers = _chain(path, model)
    modules = [module for layer in layers for module in _built(path, layer)]
    module = Line(*modules).eval()
    shape = tuple(model.input_shape[1:])
    _check(path, model, module, shape)
    whole = None not in shape and not isinstance(modules[0], nn.Embedding)
    return Kept(module, shape if whole else None)


def _keras(path: Path) -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        keras = importlib.import_module("keras")
    except ModuleNotFoundError:
        raise KerasError(
            f"{path}: Keras reads its own files; found none installed\n"
            "  fix: pip install 'cellwright[keras]'"
        ) from None
    if keras.backend.backend() != "torch":
        raise KerasError(
            f"{path}: Keras has to run on torch; found {keras.backend.backend()}\n"
            "  fix: KERAS_BACKEND=torch in the environment"
        )
    return keras


def _chain(path: Path, model: Any) -> Sequence[Any]:
    """Return the layers of a model of one input and one output.

    Where none of them puts two results together, which no layer that is known here
    does, each takes what the one before it gives.
    """
    if not model.built or not hasattr(model, "inputs"):
        raise KerasError(
            f"{path}: a network knows the shape of its input; found one that was never "
            "built\n  fix: keras.Input((20, 1)) as its first layer, and save it anew"
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise KerasError(
            f"{path}: a network is a chain of layers, from one input to one output; "
            f"found {len(model.inputs)} and {len(model.outputs)}\n"
            "  fix: write it as a torch.nn.Module, and give file.py:NAME"
        )
    return [each for each in model.layers if type(each).__name__ != "InputLayer"]


def _built(path: Path, layer: Any) -> Sequence[nn.Module]:
    name, config = type(layer).__name__, layer.get_config()
    build = BUILDERS.get(name)
    if build is None:
        raise KerasError(
            f"{path}: layer {layer.name}: is one of {', '.join(BUILDERS)}; found {name}"
        )
    for option, value in ONLY.items():
        if option in config and config[option] not in value:
            allowed = " or ".join(map(repr, value))
            raise KerasError(
                f"{path}: layer {layer.name}, {name}: {option} is {allowed}; found "
                f"{config[option]!r}"
            )
    recurrent = "return_sequences" in config
    if recurrent and config["activation"] != "tanh":
        raise KerasError(
            f"{path}: layer {layer.name}, {name}: activation is 'tanh'; found "
            f"{config['activation']!r}\n  fix: write it as a .cell file"
        )
    arrays = [torch.as_tensor(each).clone() for each in layer.get_weights()]
    return build(config, arrays)


Config = Mapping[str, Any]

ONLY: Config = {
    "recurrent_activation": ("sigmoid",),
    "go_backwards": (False,),
    "return_state": (False,),
    "activation": tuple(ACTIVATIONS),
    "mask_zero": (False,),
    "max_value": (None,),
    "negative_slope": (0, 0.0),
    "threshold": (0, 0.0),
    "data_format": ("channels_last",),
    "lora_rank": (None,),
}
"""Options that are built for these values alone."""


def _dense(config: Config, arrays: Sequence[Tensor]) -> Sequence[nn.Module]:
    kernel, *bias = arrays
    layer = nn.Linear(*kernel.shape, bias=bool(bias))
    _fill(layer, {"weight": kernel.T, **({"bias": bias[0]} if bias else {})})
    return [layer, *_bend(config)]


def _embedding(_: Config, arrays: Sequence[Tensor]) -> Sequence[nn.Module]:
    return [nn.Embedding.from_pretrained(arrays[0], freeze=False)]


def _lstm(config: Config, arrays: Sequence[Tensor]) -> Sequence[nn.Module]:
    return _gates("lstm", "ifgo", config, arrays)


def _simple(config: Config, arrays: Sequence[Tensor]) -> Sequence[nn.Module]:
    return _gates("elman", ("",), config, arrays)


def _gru(config: Config, arrays: Sequence[Tensor]) -> Sequence[nn.Module]:
    if not config["reset_after"]:
        return _gates("gru_reset_before", "zrn", config, arrays)
    # torch.nn's has Keras' two biases, and its gates in another order.
    kernel, recurrent, *bias = arrays
    units = config["units"]
    layer = nn.GRU(len(kernel), units, bias=bool(bias), batch_first=True)
    names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    parts = [kernel.T, recurrent.T, *(bias[0] if bias else ())]
    turned = []
    for part in parts:
        z, r, n = part.split(units)
        turned.append(torch.cat([r, z, n]))
    _fill(layer, dict(zip(names, turned, strict=False)))
    return [layer, *_last(config)]


def _gates(
    cell: str, gates: Sequence[str], config: Config, arrays: Sequence[Tensor]
) -> Sequence[nn.Module]:
    kernel, recurrent, *bias = arrays
    units = config["units"]
    layer = Recurrent(cell, len(kernel), units, bias=bool(bias), batch_first=True)
    found: dict[str, Tensor] = {}
    for name, array in zip("WUb", [kernel.T, recurrent.T, *bias], strict=False):
        for gate, part in zip(gates, array.split(units), strict=True):
            found[f"{name}_{gate}_l0" if gate else f"{name}_l0"] = part
    _fill(layer, found)
    return [layer, *_last(config)]


def _fill(layer: nn.Module, values: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, value in values.items():
            layer.get_parameter(name).copy_(value)


def _last(config: Config) -> list[nn.Module]:
    return [] if config["return_sequences"] else [LastStep()]


def _bend(config: Config) -> list[nn.Module]:
    made_by = ACTIVATIONS[config["activation"]]
    return [] if made_by is None else [made_by()]


BUILDERS: Mapping[str, Callable[[Config, Sequence[Tensor]], Sequence[nn.Module]]] = {
    "Dense": _dense,
    "Embedding": _embedding,
    "LSTM": _lstm,
    "GRU": _gru,
    "SimpleRNN": _simple,
    "Dropout": lambda config, _: [nn.Dropout(config["rate"])],
    "Activation": lambda config, _: _bend(config),
    "ReLU": lambda *_: [nn.ReLU()],
    "Flatten": lambda *_: [nn.Flatten()],
}


def _check(path: Path, model: Any, module: nn.Module, shape: tuple[Any, ...]) -> None:
    """Compare what was built with what Keras computes."""
    sizes = (ROWS, *(STEPS if size is None else size for size in shape))
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(sizes, generator=draws)
    tables = [m.num_embeddings for m in module.modules() if isinstance(m, nn.Embedding)]
    if tables:
        x = torch.randint(min(tables), sizes, generator=draws)
    with torch.no_grad():
        result: Any = module(x)
        found = result[0] if isinstance(result, tuple) else result
        expected = torch.as_tensor(model(x, training=False)).cpu()
    same = found.shape == expected.shape
    apart = error(found, expected) if same else float("inf")
    if apart > TOLERANCES["reference", "float32"].bound:
        raise KerasError(
            f"{path}: what is built here has to give what Keras gives; found outputs "
            f"{apart:.1e} apart\n  fix: write it as a torch.nn.Module, and give "
            "file.py:NAME"
        )
