"""A repeated call: what tensors' forms are, where they lie, and a pass done again."""

import ctypes
import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

import cellwright as cw
from cellwright.backends.c import repeat, toolchain
from cellwright.backends.c.levels import best_level
from cellwright.backends.c.repeat import Calls, Repeats, address_of, repeats
from cellwright.backends.c.source import included
from cellwright.backends.c.toolchain import Compiler
from cellwright.checks.tolerances import TOLERANCES, error

BASE = torch.arange(24.0).view(2, 3, 4)


@pytest.fixture(name="does")
def of_this_torch() -> Repeats:
    """Return the functions."""
    found = repeats()
    if found is None:
        pytest.skip("torch before 2.10 has no table of its tensors")
    return found


def test_there_is_no_warning(compiler: Compiler, tmp_path: Path):
    """Also of what is widened or cut without a word."""
    source = tmp_path / "repeat.c"
    source.write_text(included("repeat.c", {}), encoding="utf-8")
    strict = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
    toolchain.compile(source, source.with_suffix(".so"), compiler, best_level(), strict)


OTHER_FORMS: list[Callable[[Tensor], Tensor]] = [
    lambda x: x.double(),
    lambda x: x.int(),
    lambda x: x.bfloat16(),
    lambda x: x[:1],
    lambda x: x.transpose(0, 1),
    lambda x: x.transpose(0, 1).contiguous(),
    lambda x: x.repeat(1, 1, 2)[..., ::2],
    lambda x: x.unsqueeze(0),
    lambda x: x.clone().requires_grad_(),
]


@pytest.mark.parametrize("other", OTHER_FORMS)
def test_another_form_has_another_name(
    does: Repeats, other: Callable[[Tensor], Tensor]
):
    """Dtype, shape, strides and whether a gradient is asked for; not the numbers."""
    assert does.form(BASE) == does.form(BASE + 1)
    assert does.form(BASE) != does.form(other(BASE))
    assert does.form(BASE, other(BASE)) != does.form(other(BASE), BASE)
    assert does.form() != does.form(BASE) != does.form(BASE, BASE)
    assert does.form(None, BASE) != does.form(BASE, None) != does.form(BASE)
    # No length is taken for a stride, no axis for another tensor.
    one_dtype = 2 << 8 | 32
    wide = torch.zeros(2, 1, 3).expand(2, one_dtype, 3)
    assert does.form(wide) != does.form(wide[:, 0, 0], wide[0, 0])
    assert does.form(BASE[0], BASE[0, 0]) != does.form(BASE[0, 0], BASE[0])


def negative(x: Tensor) -> Tensor:
    """Return numbers whose memory holds their negatives."""
    return torch.complex(x, x).conj().imag


class Own(Tensor):
    """A tensor of somebody's own class."""


NOT_PLAIN: list[Callable[[Tensor], Any]] = [
    negative,
    lambda x: torch.ops.aten._efficientzerotensor(x.shape),
    lambda x: x.to_sparse(),
    lambda x: x.to("meta"),
    lambda x: x.as_subclass(Own),
    lambda x: x[:0],
    lambda _: 3,
]


@pytest.mark.parametrize("other", NOT_PLAIN)
def test_what_is_not_plain_has_no_form(does: Repeats, other: Callable[[Tensor], Any]):
    """Its numbers lie in no memory, or are not what lies there."""
    assert does.form(other(BASE)) is None
    assert does.form(BASE, other(BASE)) is None
    assert does.form(BASE.clone().requires_grad_(), BASE) is not None


def test_very_many_tensors_have_no_form(does: Repeats):
    """They are looked at as ever."""
    assert does.form(*[BASE] * 30) is not None
    assert does.form(*[BASE] * 33) is None


ELSEWHERE: list[Callable[[Tensor], Any]] = [
    torch.ops.aten._neg_view,
    lambda x: x.clone(),
    lambda x: x[..., :3],
    lambda x: x.view(3, 2, 4),
    lambda x: x.as_strided((2, 3, 4), (12, 4, 0)),
    lambda x: x[1:],
    lambda x: x.view(torch.int32),
    lambda x: x.detach().requires_grad_(),
    lambda x: Parameter(x, requires_grad=False),
    lambda x: x.as_subclass(Own),
    lambda x: x.to_sparse(),
    lambda _: None,
]


@pytest.mark.parametrize("other", ELSEWHERE)
@pytest.mark.parametrize("at", [0, 1])
def test_others_do_not_lie_there(
    does: Repeats, other: Callable[[Tensor], Any], at: int
):
    """Whatever of a tensor is not what it was; another one just like it is as good."""
    own = BASE.clone()
    hold = does.hold([own, BASE])
    assert hold((own, BASE))
    assert hold((own.view_as(own), BASE.detach()))
    found = [own, BASE]
    found[at] = other(found[at])
    assert not hold(tuple(found))
    assert not hold((own,))
    assert not hold((own, BASE, BASE))
    assert not hold((BASE, own))


def test_nothing_is_kept_alive(does: Repeats):
    """No tensor of those that it was told; what makes others, until it goes."""
    tensor, maker = BASE.clone(), partial(torch.zeros, 3)
    seen = weakref.ref(tensor), weakref.ref(maker)
    hold = does.hold([tensor])
    run = does.run(Calls(1, [maker], [], [], [], [], [], [(1, None)]))
    assert torch.equal(run((tensor,))[0], torch.zeros(3))
    del tensor, maker
    gc.collect()
    assert seen[0]() is None
    assert seen[1]() is not None
    del hold, run
    gc.collect()
    assert seen[1]() is None


def moves(offset: int = 0) -> Calls:
    """Return a pass of a and b that copies a + b to c, adds b to it, and views it."""
    where = address_of(repeat.move())
    return Calls(
        given=2,
        makers=[partial(torch.empty, 4)],
        functions=[(where, 1), (where, 4)],
        # One that nobody reads, and two blocks.
        slots=[99, 0, 0, 8, 0, 0, 8 - offset],
        pointers=[(1, 2, 0), (4, 2, 8), (2, 3, 0), (5, 3, 8 + offset)],
        ahead=[(0, 1)],
        behind=[(2, 1)],
        parts=[(2, None), (-1, None), (4, None), (2, ((2, 1), (2, 2), 1))],
    )


def test_a_pass_is_done_again(does: Repeats):
    """With what it is given now, in memory of its own, as often as one likes."""
    run = does.run(moves())
    results: list[tuple[Tensor, ...]] = []
    for shift in (0.0, 5.0):
        a, b = torch.arange(4.0) + shift, torch.full((4,), 10.0)
        c, nothing, more, view = run((a, b))
        assert nothing is None
        assert torch.equal(c, a + b)
        assert torch.equal(more, c + b)
        assert torch.equal(view, c.view(2, 2)[:, 1:])
        assert view.data_ptr() == c.data_ptr() + 4
        results.append((c, more))
    assert not torch.equal(results[0][0], results[1][0])


def test_slots_are_as_they_were_at_every_run(does: Repeats):
    """An address that was written into one goes no further than its run."""
    run = does.run(moves(offset=4))
    for _ in range(2):
        a, b = torch.arange(4.0), torch.zeros(4)
        c, *_ = run((a, b))
        assert torch.equal(c[:3], torch.tensor([0.0, 1.0, 3.0]))


def test_another_number_of_tensors_is_no_run(does: Repeats):
    """It would read what is not there."""
    run = does.run(moves())
    for wrong in ((), (BASE,), (BASE, BASE, BASE)):
        with pytest.raises(TypeError):
            run(wrong)


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
def without_memory(_: int) -> int:
    """Be a kernel that finds no memory."""
    return 1


def refuses() -> Tensor:
    """Be a maker that does not."""
    raise RuntimeError("no tensor today")


def test_what_fails_is_raised(does: Repeats):
    """And what was made by then goes."""
    made: list[weakref.ref[Tensor]] = []

    def maker() -> Tensor:
        tensor = torch.zeros(3)
        made.append(weakref.ref(tensor))
        return tensor

    function, view = (address_of(without_memory), 0), ((2, 9), (9, 1), 0)
    no_memory = Calls(0, [maker], [function], [1], [], [], [], [(0, None)])
    no_tensor = Calls(0, [maker, refuses], [], [], [], [], [], [])
    no_sum = Calls(1, [maker], [], [], [], [(0, 1)], [], [])
    no_later_sum = Calls(1, [maker], [], [], [], [], [(0, 1)], [])
    no_view = Calls(0, [maker], [], [], [], [], [], [(0, None), (0, view)])
    no_address = Calls(1, [], [], [0], [(0, 0, 0)], [], [], [])
    for calls, given, kind, words in (
        (no_memory, (), MemoryError, "a kernel found no memory to work in"),
        (no_tensor, (), RuntimeError, "no tensor today"),
        (no_sum, (torch.zeros(2),), RuntimeError, "must match"),
        (no_later_sum, (torch.zeros(2),), RuntimeError, "must match"),
        (no_view, (), RuntimeError, "out of bounds"),
        (no_address, (BASE.to_sparse(),), RuntimeError, "data pointer"),
    ):
        run = does.run(calls)
        with pytest.raises(kind, match=words):
            run(given)
    assert len(made) == 5
    assert all(tensor() is None for tensor in made)


TABLE = repeat.TABLE


def capsule(edition: int, name: bytes = TABLE) -> object:
    """Return a table of an edition of DLPack, in which nothing stands."""
    kept.append((ctypes.c_int64 * 8)(edition))
    new = ctypes.PYFUNCTYPE(
        ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p
    )(("PyCapsule_New", ctypes.pythonapi))
    return new(ctypes.addressof(kept[-1]), name, None)


kept: list[Any] = []


def train_without_a_table() -> None:
    """Train layers with other tables than torch's, which are refused, then with it."""
    of_torch = Tensor.__dlpack_c_exchange_api__
    tables = None, 5, capsule(1, b"another"), capsule(2), capsule(1), of_torch
    for given in tables:
        Tensor.__dlpack_c_exchange_api__ = given
        repeats.cache_clear()
        layer, x = cw.nn.Recurrent("gru", 3, 4), torch.randn(5, 2, 3)
        reference = cw.nn.Recurrent("gru", 3, 4, backend="reference")
        reference.load_state_dict(layer.state_dict())
        for _ in range(5):
            slopes = [
                torch.autograd.grad(each(x)[0].square().sum(), [*each.parameters()])
                for each in (layer, reference)
            ]
            bound = TOLERANCES["c", "float32"].bound
            assert max(map(error, *slopes)) <= bound
        assert (repeats() is not None) == (given is of_torch)


@pytest.mark.usefixtures("does")
def test_without_a_table_layers_are_as_right():
    """Torch before 2.10 has none; of another edition nobody knows what stands in it.

    In a process of its own: nothing is opened there yet.
    """
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import test_repeat as own; own.train_without_a_table()",
        ],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
