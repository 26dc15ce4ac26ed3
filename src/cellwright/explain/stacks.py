"""A network written as a line of layers, in PyTorch's or in Keras' words.

``Embedding(50000, 5); LSTM(3, return_sequences=True)``. The text is parsed, and never
evaluated: a layer's name is looked up, its arguments are literals.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from cellwright.errors import CellwrightError, CellwrightValueError
from cellwright.language.report import did_you_mean
from cellwright.nn import Recurrent
from cellwright.nn import Stack as Stacked
from cellwright.nn.stateful import output_width

from .keras_words import KERAS, SILENT, Built, is_keras
from .line import Line


class StackError(CellwrightValueError):
    """A line of layers that cannot be built."""


@dataclass(frozen=True)
class Written:
    """One layer as it is written.

    Args:
        name: without ``nn.`` or ``layers.``.
        args: its arguments.
        kwargs: likewise.
        text: all of it.
        where: ``layer 1, Dense(6)``, for messages.
        owner: what stands before the name, ``nn`` or ``keras.layers``; often nothing.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    text: str
    where: str
    owner: str

    def fault(self, rule: str, found: str, fix: str) -> StackError:
        """Return an error that begins with the layer."""
        return StackError(f"{self.where}: {rule}; found {found}\n  fix: {fix}")


TORCH: Mapping[str, Callable[..., nn.Module]] = {
    name: getattr(nn, name)
    for name in (
        *("Linear", "LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"),
        *("Embedding", "Conv1d", "Conv2d", "Conv3d", "MaxPool1d", "MaxPool2d"),
        *("AvgPool1d", "AvgPool2d", "AdaptiveAvgPool2d", "Dropout", "Dropout1d"),
        *("Dropout2d", "BatchNorm1d", "BatchNorm2d", "LayerNorm", "GroupNorm"),
        *("Flatten", "ReLU", "Tanh", "Sigmoid", "GELU", "SiLU", "ELU", "LeakyReLU"),
        *("PReLU", "Softmax", "LogSoftmax", "Identity"),
    )
}
"""torch.nn's layers that may stand in a line."""

OURS: Mapping[str, Callable[..., nn.Module]] = {
    "Recurrent": Recurrent,
    "Stack": Stacked,
    "Stack.of_cells": Stacked.of_cells,
}
"""Cellwright's: any cell over time, and layers wired in other ways than in a line."""

WIDTHS = {
    **dict.fromkeys(("Linear",), "in_features"),
    **dict.fromkeys(
        ("LSTM", "GRU", "RNN", "Recurrent", "Stack", "Stack.of_cells"), "input_size"
    ),
    **dict.fromkeys(("LSTMCell", "GRUCell", "RNNCell"), "input_size"),
}
"""What torch.nn's layers of features call the width that they take."""


@dataclass(frozen=True)
class Stack:
    """A line of layers that was built.

    Args:
        module: the network.
        text: as it was written.
        example: the shape of one input that the words told, None if they told none.
    """

    module: Line
    text: str
    example: tuple[int, ...] | None


def read_stack(text: str, width: int | None = None) -> Stack:
    """Return the network that a line of layers says.

    Args:
        text: layers, with ``;`` between them.
        width: numbers that the first layer takes at each step, where an input is
            known; Keras' layers do not say.

    Raises:
        StackError: for what is no layer, arguments that it does not take, and sizes
            that do not go together.
    """
    modules: list[nn.Module] = []
    example: tuple[int, ...] | None = None
    for i, written in enumerate(_written(text)):
        if is_keras(written.owner, written.name, written.args, written.kwargs):
            built = _keras(written, width)
            if i == 0 and built.example is not None:
                example = built.example
        else:
            built = _torch(written, width)
        modules += built.modules
        width = built.width
    return Stack(Line(*modules), text, example)


def is_stack(text: str) -> bool:
    """Whether a text is a line of layers, and no name or path."""
    return "(" in text and not text.endswith((".cell", ".py", ".keras"))


def _written(text: str) -> list[Written]:
    found: list[Written] = []
    pieces = [piece.strip() for piece in text.split(";")]
    for i, piece in enumerate(piece for piece in pieces if piece):
        where = f"layer {i}, {piece}"
        rule = "a layer is a name with literals in brackets, LSTM(3)"
        try:
            call = ast.parse(piece, mode="eval").body
        except SyntaxError as error:
            raise StackError(f"{where}: {rule}; found {error.msg}") from None
        if not isinstance(call, ast.Call) or any(k.arg is None for k in call.keywords):
            raise StackError(f"{where}: {rule}; found something else")
        found.append(_layer(call, piece, where))
    if not found:
        raise StackError("a network is at least one layer; found none\n  fix: LSTM(3)")
    return found


def _layer(call: ast.Call, text: str, where: str) -> Written:
    owner, _, name = ast.unparse(call.func).rpartition(".")
    if owner.rpartition(".")[2] == "Stack":
        owner, name = owner[: -len("Stack")].rstrip("."), f"Stack.{name}"
    try:
        args = tuple(_argument(each, where) for each in call.args)
        kwargs = {str(each.arg): _argument(each.value, where) for each in call.keywords}
    except StackError:
        raise
    except ValueError:
        raise StackError(
            f"{where}: arguments are numbers, texts and tuples of these; found a "
            "name or a computation\n  fix: write the value itself"
        ) from None
    return Written(name, args, kwargs, text, where, owner)


def _argument(node: ast.expr, where: str) -> Any:
    """Return a literal; a list of layers becomes these."""
    if isinstance(node, ast.List) and node.elts:
        calls = [each for each in node.elts if isinstance(each, ast.Call)]
        if len(calls) == len(node.elts):
            inner = (_layer(each, ast.unparse(each), where) for each in calls)
            return [_torch(each, None).modules[0] for each in inner]
    return ast.literal_eval(node)


def _torch(written: Written, width: int | None) -> Built:
    made_by = TORCH.get(written.name) or OURS.get(written.name)
    if made_by is None:
        known = {name.lower(): name for name in (*TORCH, *OURS, *KERAS)}
        near = known.get(written.name.lower()) or written.name
        fix = did_you_mean(near, known.values())
        raise written.fault(
            "a layer has a name of torch.nn's, Keras' or cellwright's",
            repr(written.name),
            fix or f"one of {', '.join(sorted(known.values()))}",
        )
    home = "cellwright.nn" if written.name in OURS else "torch.nn"
    try:
        module = made_by(*written.args, **written.kwargs)
    except CellwrightError as error:
        raise StackError(f"{written.where}: {error}") from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise written.fault(
            f"takes the arguments of {home}.{written.name}",
            str(error),
            _call_of(written.name, made_by),
        ) from error
    takes = WIDTHS.get(written.name)
    if takes is not None and width is not None and getattr(module, takes) != width:
        asked = getattr(module, takes)
        raise written.fault(
            f"takes rows of {asked} numbers",
            f"rows of {width} from what stands before it",
            f"{takes}={width}",
        )
    return Built([module], _width_behind(module, width), None)


def _call_of(name: str, made_by: Callable[..., object]) -> str:
    """Return how a layer is written, ``Dense(units, activation=None)``."""
    of = nn.RNNBase if made_by in (nn.LSTM, nn.GRU, nn.RNN) else made_by
    hidden = ("width", "_", "mode", "device", "dtype")
    shown = [
        str(each.replace(annotation=each.empty))
        for each in inspect.signature(of).parameters.values()
        if each.name not in hidden
    ]
    return f"{name}({', '.join(shown)})"


def _width_behind(module: Any, width: int | None) -> int | None:
    """Return how many numbers a row has behind a layer; None where it hangs on more."""
    if isinstance(module, nn.Linear):
        return module.out_features
    if isinstance(module, nn.Embedding):
        return module.embedding_dim
    if isinstance(module, Stacked):
        return module.output_size
    if isinstance(module, nn.RNNBase | Recurrent):
        return output_width(module)
    if isinstance(module, nn.RNNCellBase):
        return module.hidden_size
    if isinstance(module, nn.Flatten | nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return None
    return width


def _keras(written: Written, width: int | None) -> Built:
    made_by = KERAS[written.name]
    kwargs = {n: value for n, value in written.kwargs.items() if n not in SILENT}
    shape = kwargs.pop("input_shape", None) or kwargs.pop("batch_input_shape", (0,))[1:]
    says = kwargs.pop("input_dim", None) if written.name != "Embedding" else None
    said = shape[-1] if shape else says
    if said is not None and width is not None and said != width:
        raise written.fault(
            f"takes rows of {said} numbers",
            f"rows of {width} from what stands before it",
            f"leave the {said} out, or let the layer before it give {said}",
        )
    if width is None:
        width = said
    try:
        built = made_by(width, *written.args, **kwargs)
    except TypeError as error:
        raise written.fault(
            f"takes arguments of Keras' {written.name}",
            str(error).partition("() ")[2] or str(error),
            _call_of(written.name, made_by),
        ) from error
    except LookupError:
        raise written.fault(
            "hangs on the numbers that it takes",
            "nothing that says how many",
            f"input_shape=(20, 1) in {written.name}, or --input 1,20,1",
        ) from None
    example = tuple(shape) if shape else ((said,) if said is not None else None)
    return Built(built.modules, built.width, example)
