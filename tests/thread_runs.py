"""A layer's bits, in whatever process or thread they are computed."""

import ctypes
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import torch
from torch import Tensor
from torch.utils.data import Dataset

import cellwright as cw

CELLS = ("lstm", "gru", "elman", "lstm_norm_joint")
SHAPES = (
    (60, 15, 20, 64),
    (130, 1, 2, 130),
    (100, 1, 70, 140),
    (12, 70, 65, 33),
    (40, 5, 64, 5),
    (1, 2, 3, 1),
)
"""T, B, I, H: in the first three, threads share every phase of a step, in the third
the packing of weights, too, tile by tile as they are read; in the fourth they share the
rows. There and in the fifth a BLAS gives other bits for another number of threads. The
last is the smallest."""
SHARED, SHORT = SHAPES[:4], SHAPES[4]


def problem(
    cell: str, shape: tuple[int, int, int, int], dtype: torch.dtype
) -> tuple[cw.nn.Recurrent, Tensor]:
    """Return a layer on kernels and what it runs on, the same every time."""
    T, B, I, H = shape  # noqa: E741  # the axes' names
    draws = torch.Generator().manual_seed(5)
    layer = cw.nn.Recurrent(cell, I, H, bidirectional=True, backend="c", dtype=dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            size = parameter.shape
            value = torch.randn(size, generator=draws, dtype=torch.float64)
            parameter.copy_(0.3 * value)
    x = torch.randn(T, B, I, generator=draws, dtype=torch.float64).to(dtype)
    return layer, x


def run(layer: cw.nn.Recurrent, x: Tensor, times: int = 1) -> list[list[Tensor]]:
    """Return results and all gradients, as often as the backward pass is run."""
    x = x.clone().requires_grad_()
    output, state = layer(x)
    results = [output, *([state] if isinstance(state, Tensor) else state)]
    loss = sum(
        (v * torch.linspace(-1, 1, v.numel()).view(v.shape)).sum() for v in results
    )
    assert isinstance(loss, Tensor)
    leaves = [x, *layer.parameters()]
    return [
        [
            *(v.detach() for v in results),
            *torch.autograd.grad(loss, leaves, retain_graph=True),
        ]
        for _ in range(times)
    ]


def digest(tensors: list[Tensor]) -> str:
    """Return a word for all bits of some tensors."""
    content = b"".join(t.contiguous().numpy().tobytes() for t in tensors)
    return hashlib.sha256(content).hexdigest()


def all_bits() -> list[str]:
    """Return the bits of every cell, shape and dtype."""
    return [
        digest(run(*problem(cell, shape, dtype))[0])
        for cell in CELLS
        for shape in SHAPES
        for dtype in (torch.float32, torch.float64)
    ]


class Bits(Dataset[list[str]]):
    """A data set whose items are bits: what a worker process computes."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> list[str]:
        return all_bits()


def in_python_threads(count: int) -> list[list[str]]:
    """Return the bits of several Python threads that run at once."""
    barrier = Barrier(count)

    def work(_: int) -> list[str]:
        barrier.wait()
        return all_bits()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def in_parallel_region(count: int) -> list[tuple[bool, list[str]]]:
    """Return the bits of all threads of an OpenMP team, and whether each knew of it."""
    process = ctypes.CDLL(None)
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    found: list[tuple[bool, list[str]]] = []

    def work(_: int) -> None:
        found.append((bool(process.omp_in_parallel()), all_bits()))

    process.GOMP_parallel(kind(work), None, ctypes.c_uint(count), ctypes.c_uint(0))
    return found


def with_threads(count: int, call: Callable[[], list[str]]) -> list[str]:
    """Call with a number of torch's threads, and set it back."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        return call()
    finally:
        torch.set_num_threads(before)
