import itertools
import math
import subprocess
from ctypes import c_int
from pathlib import Path

import numpy as np
import pytest
import torch

from vector_library import (
    KERNEL_FLAGS,
    Array,
    Library,
    Target,
    build,
    compiler,
    pointer,
    targets,
)

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def random_bits(library: Library, *shape: int, seed: int = 0) -> Array:
    """Draw values of all bit patterns, NaNs with their payloads among them."""
    low, high = np.iinfo(library.integer).min, np.iinfo(library.integer).max
    rng = np.random.default_rng(seed)
    return rng.integers(low, high, shape, library.integer, endpoint=True)


def test_load_takes_n_values_from_anywhere(library: Library):
    """The first n lanes are the values' bits, the others are +0."""
    values = random_bits(library, 3 * library.lanes)
    for offset, n in itertools.product(
        range(library.lanes), range(1, library.lanes + 1)
    ):
        out = np.full(library.lanes, -1, library.integer)
        library.c.run_load(pointer(values[offset:]), pointer(out), c_int(n))
        assert (out[:n] == values[offset : offset + n]).all()
        assert (out[n:] == 0).all()


def test_store_writes_n_values_and_nothing_beside_them(library: Library):
    """What stands before and after the n values keeps its bits."""
    lanes = random_bits(library, library.lanes)
    before = random_bits(library, 3 * library.lanes, seed=1)
    for offset, n in itertools.product(
        range(library.lanes), range(1, library.lanes + 1)
    ):
        memory, expected = before.copy(), before.copy()
        expected[offset : offset + n] = lanes[:n]
        library.c.run_store(pointer(memory[offset:]), pointer(lanes), c_int(n))
        assert (memory == expected).all()


def test_choose_and_one_if_keep_every_bit(library: Library):
    """A lane is the one or the other argument's, whatever the bits mean."""
    for seed in range(100):
        a, b = random_bits(library, 2, library.lanes, seed=seed)
        mask = random_bits(library, library.lanes, seed=seed + 1000) % 2 - 1
        out, ones = np.empty_like(a), np.empty(library.lanes, library.dtype)
        library.c.run_choose(pointer(mask), pointer(a), pointer(b), pointer(out))
        library.c.run_one_if(pointer(mask), pointer(ones))
        assert (out == np.where(mask, a, b)).all()
        assert (ones == np.where(mask, 1.0, 0.0)).all()


def test_sum_lanes_adds_every_lane_once(library: Library):
    """Powers of two add up without rounding, in any order."""
    lanes = 2.0 ** np.arange(library.lanes, dtype=library.dtype)
    assert library.number("run_sum", pointer(lanes)) == 2.0**library.lanes - 1


def test_max_lanes_looks_at_n_lanes_and_keeps_nan(library: Library):
    """It is torch.amax of the first n lanes, wherever the largest or a NaN stands."""
    rng = np.random.default_rng(0)
    for n, nan in itertools.product(
        range(1, library.lanes + 1), [None, *range(library.lanes)]
    ):
        lanes = rng.standard_normal(library.lanes).astype(library.dtype) - 3
        if nan is not None:
            lanes[nan] = math.nan
        found = library.number("run_max_lanes", pointer(lanes), c_int(n))
        expected = float(torch.from_numpy(lanes)[:n].amax())
        assert found == expected or (math.isnan(found) and math.isnan(expected))


@pytest.mark.parametrize("standard", ["-std=c11", "-std=gnu11"])
def test_headers_compile_without_a_warning(tmp_path: Path, standard: str):
    """A kernel that uses none of the functions is clean too, in either C11."""
    program = tmp_path / "empty.c"
    program.write_text(
        '#include "vectors.h"\n#include "coefficients.h"\n#include "functions.h"\n',
        "utf-8",
    )
    for target in targets():
        flags = (*KERNEL_FLAGS, *target.flags, standard, "-c")
        build(str(program), tmp_path / "empty.o", flags)


@pytest.mark.parametrize("target", targets(), ids=lambda t: f"{t.dtype}-{t.level}")
def test_nothing_is_undefined_or_out_of_bounds(target: Target, tmp_path: Path):
    """Sanitizers and a page that may not be read find no fault in any function."""
    program = tmp_path / "edges"
    (tmp_path / "none.c").write_text("int main(void) { return 0; }\n", "utf-8")
    command = [*compiler(), *SANITIZERS, "none.c", "-o", "none"]
    tried = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip("this compiler comes without its sanitizers")
    build("edges.c", program, ("-O0", "-g", *SANITIZERS, *target.flags))
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
