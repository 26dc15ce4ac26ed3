"""The contenders of a stream's step: from NumPy, by torch.nn, and the C function."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cellwright.backends.c import toolchain
from cellwright.backends.c.levels import best_level
from cellwright.nn import LSTM
from cellwright.nn.kernel_steps import KernelSteps, kernel_steps
from cellwright.nn.stream import Stream

from .contender import Contender, multiply_adds
from .errors import AbsentError, BenchError
from .peers import DROP_INS, recurrent
from .registry import C_STEP, FORWARD, OURS, TORCH, Case, Shape

Maker = Callable[[], list[Contender]]
SOURCE = Path(__file__).parent / "repeat.c"
COMPARED = 20
"""So many steps are compared before one is timed."""
CALLS = 1000
"""Steps of one call from Python of the C function."""


def makers(case: Case, _: str, shape: Shape) -> Mapping[str, Maker]:
    """Return what makes the contenders of a stream's step.

    Args:
        case: the case; its cell is one that torch has.
        shape: of one step.
    """
    assert isinstance(case.cell, str)
    torch.manual_seed(0)
    layer, twin = (make(shape.I, shape.H).eval() for make in DROP_INS[case.cell])
    layer.load_state_dict(twin.state_dict())
    xs = torch.randn(COMPARED, shape.B, shape.I)
    cell = recurrent(case.cell, shape, device="meta")
    work = multiply_adds(cell.graph, cell._sizes[0], FORWARD, shape)

    def whole(_: int) -> Mapping[str, Tensor]:
        with torch.inference_mode():
            return {"output": twin(xs)[0].clone()}

    return {
        OURS: lambda: [_numpy(layer, xs, work, whole)],
        TORCH: lambda: [_torch(twin, layer, xs)],
        C_STEP: lambda: [_function(layer, xs, work, whole)],
    }


def _numpy(layer: Any, xs: Tensor, work: int, whole: Any) -> Contender:
    arrays = [x.numpy() for x in xs]

    def compute(_: int) -> Mapping[str, Tensor]:
        stream = Stream(layer)
        found = [torch.from_numpy(stream.step(x)) for x in arrays[:COMPARED]]
        if stream._steps is None:
            raise BenchError("the stream does not run by kernels alone")
        return {"output": torch.stack(found)}

    stream = Stream(layer)
    for x in arrays[:2]:
        stream.step(x)
    run = partial(stream.step, arrays[0])
    return Contender(OURS, run, work, compute=compute, expected=whole)


def _torch(twin: nn.RNNBase, layer: Any, xs: Tensor) -> Contender:
    x = xs[:1]
    with torch.inference_mode():
        hx = twin(x)[1]

    def run() -> None:
        nonlocal hx
        with torch.inference_mode():
            hx = twin(x, hx)[1]

    def compute(_: int) -> Mapping[str, Tensor]:
        found, state = [], None
        with torch.inference_mode():
            for step in xs.split(1):
                y, state = twin(step, state)
                found.append(y.clone())
        return {"output": torch.cat(found)}

    def expected(_: int) -> Mapping[str, Tensor]:
        with torch.inference_mode():
            return {"output": layer(xs)[0].clone()}

    return Contender(TORCH, run, compute=compute, expected=expected)


def _function(layer: Any, xs: Tensor, work: int, whole: Any) -> Contender:
    """Return the compiled step of a layer, called from C."""
    rows = xs.shape[1]
    zero = torch.zeros(1, rows, layer.hidden_size)
    states = (zero, zero) if isinstance(layer, LSTM) else (zero,)
    steps = kernel_steps(layer, states)
    if steps is None:
        raise AbsentError("the layer does not step by kernels alone")
    run = partial(_run, steps, _repeat())

    def compute(_: int) -> Mapping[str, Tensor]:
        again = kernel_steps(layer, states)
        assert again is not None
        return {"output": torch.stack([again.step(x) for x in xs])}

    return Contender(C_STEP, run, work, CALLS, compute, whole)


def _run(steps: KernelSteps, repeat: Any) -> None:
    # The memory of the step is that of `steps`, and lives as long.
    step: Any = steps._steppers[0].step
    repeat(ctypes.cast(step.func, ctypes.c_void_p), step.args[0], CALLS)


@cache
def _repeat() -> Any:
    """Build the loop in C around a step."""
    compiler = toolchain.find_compiler()
    assert compiler is not None, "there are kernels, so there is a compiler"
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "repeat.so"
        toolchain.compile(SOURCE, library, compiler, best_level())
        repeat = ctypes.CDLL(str(library)).repeat
    repeat.restype = None
    repeat.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]
    return repeat
