"""How fast the layers are, beside torch's and beside loops; the table of the docs.

    python studies/performance.py              measure everything, write what follows
    python studies/performance.py --write      docs/performance.md and the README's
                                               table, from studies/performance.json

All contenders of a row run in one process, one after the other in turn, and the table
has the median of their turns. Before a row is timed, our numbers are compared with the
peer's or the reference's: there is no figure on a wrong result.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import Any

import torch
from torch import Tensor, nn

import cellwright as cw
import scan_page
from performance_loops import Loop, mine_step, norm_step, peephole_step, slstm_step

HERE = Path(__file__).parent
RESULTS = HERE / "performance.json"
PAGE = HERE.parent / "docs" / "performance.md"
README = HERE.parent / "README.md"
HEADLINE = re.compile(
    r"^\| forward and backward, \d+ steps, .*\n(\|.*\n)*", re.MULTILINE
)
BOTH = "forward and backward"
STEPS = 100
BATCHES = (1, 16, 64)
WIDTHS = (64, 256)
TURNS = 15
LOAD = 0.3
"""A machine with more than this to do for each core is not measured on."""

Make = Callable[[int, int], nn.Module]
LOOPS: Mapping[str, tuple[Any, int, int]] = {
    "peephole_lstm": (peephole_step, 4, 2),
    "slstm": (slstm_step, 4, 4),
    "lstm_norm_joint": (norm_step, 4, 2),
    "mine.cell": (mine_step, 3, 2),
}
FILES: Mapping[str, Path] = {"mine.cell": HERE / "mine.cell"}
"""Cells that are in no library; the one of the README."""
OPTIONS: Mapping[str, dict[str, Any]] = {"slstm": {"heads": 1}}
TORCH: Mapping[str, Make] = {"lstm": nn.LSTM, "gru": nn.GRU, "elman": nn.RNN}
DROP_INS: Mapping[str, Make] = {
    "lstm": cw.nn.LSTM,
    "gru": cw.nn.GRU,
    "elman": cw.nn.RNN,
}


def contenders(cell: str, hidden: int) -> dict[str, Any]:
    """Return the layers of a row, by what they are called in the table."""
    if cell in TORCH:
        return {
            "torch.nn": TORCH[cell](hidden, hidden),
            "cellwright": DROP_INS[cell](hidden, hidden),
        }
    step, gates, states = LOOPS[cell]
    return {
        "PyTorch loop": Loop(step, gates, states, hidden, hidden),
        "cellwright": cell_layer(cell, hidden),
    }


def cell_layer(cell: str, hidden: int, backend: str = "auto") -> cw.nn.Recurrent:
    """Return our layer of a cell that torch has not."""
    options = OPTIONS.get(cell, {})
    file = FILES.get(cell, cell)
    return cw.nn.Recurrent(file, hidden, hidden, backend=backend, **options)


def checked(cell: str, layers: Mapping[str, Any], x: Tensor) -> None:
    """Stop unless ours equals the reference, or torch's layer with the same weights."""
    layer = layers["cellwright"]
    assert layer.backend_report().rows[0].backend == "c", layer.backend_report()
    if "torch.nn" in layers:
        layer.load_state_dict(layers["torch.nn"].state_dict())
        expected = layers["torch.nn"](x)[0]
    else:
        truth = cell_layer(cell, layer.hidden_size, backend="reference")
        truth.load_state_dict(layer.state_dict())
        expected = truth(x)[0]
    assert (layer(x)[0] - expected).abs().max() < 1e-4


def forward(layer: nn.Module, x: Tensor) -> None:
    """Run without gradients."""
    with torch.inference_mode():
        layer(x)


def both(layer: nn.Module, x: Tensor) -> None:
    """Run forward and backward, all gradients but the input's."""
    for parameter in layer.parameters():
        parameter.grad = None
    layer(x)[0].sum().backward()


def measured(run: Callable[[nn.Module], None], layers: Mapping[str, nn.Module]) -> Any:
    """Return the median time of each layer in milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in layers}
    repeats: dict[str, int] = {}
    for name, layer in layers.items():
        for _ in range(3):
            run(layer)
        begin = time.perf_counter()
        run(layer)
        repeats[name] = max(1, int(0.02 / (time.perf_counter() - begin)))
    for _ in range(TURNS):
        for name, layer in layers.items():
            begin = time.perf_counter()
            for _ in range(repeats[name]):
                run(layer)
            times[name].append((time.perf_counter() - begin) / repeats[name])
    return {name: 1e3 * statistics.median(each) for name, each in times.items()}


def wait_for_idle() -> None:
    """Stop when others are at work: their threads make every figure a wrong one."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    if load > LOAD:
        raise SystemExit(f"the load is {load:.2f} a core, more than {LOAD}: try later")


def rows() -> list[dict[str, Any]]:
    """Measure every row of the table."""
    found: list[dict[str, Any]] = []
    for cell in (*TORCH, *LOOPS):
        for hidden in WIDTHS:
            for batch in BATCHES:
                torch.manual_seed(0)
                layers = contenders(cell, hidden)
                x = torch.randn(STEPS, batch, hidden)
                # A few steps: in float32 a layer norm's slopes of up to 316 add up.
                checked(cell, layers, x[:5])
                row: dict[str, Any] = {"cell": cell, "B": batch, "H": hidden}
                row["forward"] = measured(partial(forward, x=x), layers)
                row[BOTH] = measured(partial(both, x=x), layers)
                found.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
    return found


def sequences() -> dict[str, float]:
    """Measure what lengths cost, beside the padded run and torch's packed path."""
    steps, batch, hidden = 400, 32, 128
    torch.manual_seed(0)
    theirs, ours = nn.LSTM(64, hidden), cw.nn.LSTM(64, hidden)
    x = torch.randn(steps, batch, 64)
    lengths = torch.randint(steps // 2, steps + 1, (batch,))
    pack = partial(nn.utils.rnn.pack_padded_sequence, enforce_sorted=False)

    def train(call: Callable[[], Tensor]) -> None:
        call().sum().backward()

    calls: dict[str, Callable[[], Tensor]] = {
        "padded": lambda: ours(x)[0],
        "lengths": lambda: ours(x, lengths=lengths)[0],
        "torch's packed path": lambda: theirs(pack(x, lengths))[0].data,
    }
    layers = {name: nn.Identity() for name in calls}
    by_layer = {id(layer): calls[name] for name, layer in layers.items()}
    return measured(lambda layer: train(by_layer[id(layer)]), layers)


BUILD = """
import time, torch, cellwright as cw
layer = cw.nn.Recurrent("peephole_lstm", 8, 8)
x = torch.randn(4, 2, 8)
begin = time.perf_counter()
layer(x)[0].sum().backward()
print(time.perf_counter() - begin)
"""


def build_times(folder: Path) -> dict[str, float]:
    """Measure the first call of a cell in a new process, without and with a cache."""
    environment = {**os.environ, "CELLWRIGHT_CACHE_DIR": str(folder)}
    command = [sys.executable, "-c", BUILD]
    found: dict[str, float] = {}
    for name in ("cold", "warm"):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        )
        found[name] = float(done.stdout)
    return found


def machine() -> dict[str, Any]:
    """Return what the figures hang on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "steps": STEPS,
        "turns": TURNS,
    }


def headline(results: Mapping[str, Any]) -> str:
    """Return the README's table: its own cell beside what else one could do."""
    what = f"forward and backward, {results['machine']['steps']} steps, ms"
    lines = [
        f"| {what} | `mine.cell` | the same as a PyTorch loop | torch.nn.LSTM |",
        "|---|---:|---:|---:|",
    ]
    times = {(r["cell"], r["B"], r["H"]): r[BOTH] for r in results["rows"]}
    for hidden in WIDTHS:
        for batch in BATCHES:
            mine, lstm = (times[c, batch, hidden] for c in ("mine.cell", "lstm"))
            lines.append(
                f"| batch of {batch}, {hidden} units | **{mine['cellwright']:.3g}** | "
                f"{mine['PyTorch loop']:.3g} | {lstm['torch.nn']:.3g} |"
            )
    return "\n".join([*lines, ""])


def paragraphs(*texts: str) -> list[str]:
    """Return the lines of paragraphs, an empty one behind each."""
    filled = [fill(" ".join(text.split()), 88) for text in texts]
    return [line for text in filled for line in (*text.splitlines(), "")]


def page(results: Mapping[str, Any]) -> str:
    """Return the table as a page."""
    m = results["machine"]
    lines = ["# Performance", ""]
    lines += paragraphs(
        f"""A first table, as measured, also where we lose. Times are medians in
        milliseconds for {m["steps"]} steps, float32, as many inputs as units, on
        {m["cores"]} cores ({m["processor"]}, {m["threads"]} threads, torch
        {m["torch"]}). All contenders of a row ran in turn in one process. The ratio
        is the peer's time over ours: above 1 we are faster.""",
        """`python studies/performance.py` measures it anew; the settings stand in that
        file, the raw numbers in `studies/performance.json`.""",
        """The peer of lstm, gru and elman is torch.nn's layer. The others have none in
        torch: theirs is a loop of torch operations as one writes it by hand
        (`studies/performance_loops.py`), not the reference backend. `mine.cell` is
        the cell of the README.""",
    )
    for what in ("forward", BOTH):
        lines += [f"## {what.capitalize()}", ""]
        lines += [
            "| cell | B | H | peer | ours | ratio |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for row in results["rows"]:
            (peer, theirs), (_, ours) = row[what].items()
            lines.append(
                f"| {row['cell']} | {row['B']} | {row['H']} | {theirs:.3g} ({peer}) | "
                f"{ours:.3g} | {theirs / ours:.2f} |"
            )
        lines.append("")
    s, b = results["sequences"], results["build"]
    padded, ours, packed = s["padded"], s["lengths"], s[PACKED]
    lines += ["## Sequences of different lengths", ""]
    lines += paragraphs(
        f"""LSTM, forward and backward, B=32, T=400, I=64, H=128, lengths from 200 to
        400: {padded:.3g} ms for the padded batch, {ours:.3g} ms with `lengths=`
        ({ours / padded:.2f} times), {packed:.3g} ms on torch's packed path
        ({packed / ours:.1f} times ours)."""
    )
    lines += ["## On a busy machine", ""]
    lines += paragraphs(
        """Kernels share out their work among torch's own OpenMP threads. Where other
        processes want the same cores, a thread that waits for another one spins, and
        two threads may take far longer than one. Beside this project's own tests on
        both cores, an LSTM of 64 units took 44 to 48 ms for 100 steps at B=16, forward
        and backward; 2.2 to 2.8 ms with `OMP_WAIT_POLICY=passive` in the environment,
        and 2.1 to 2.5 ms after `torch.set_num_threads(1)` (medians of 60, three times;
        torch.nn's LSTM: 1.9 to 7.2, 5.3 to 5.9 and 1.4). A single long sequence is
        concerned too: of 256 units it took 16 ms with two threads and 1.8 with one
        (torch.nn: 820 with two). On a machine that you share, set one of them."""
    )
    lines += scan_page.section(scan_page.results())
    lines += ["## The first call", ""]
    lines += paragraphs(
        f"""A cell that this machine has not seen is compiled when it is first called:
        {b["cold"]:.2f} s for peephole_lstm, forward and backward, then never again;
        from the cache the first call of a process takes {b["warm"]:.2f} s."""
    )
    return "\n".join(lines)


PACKED = "torch's packed path"


def main() -> None:
    """Measure, or only write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    if not parser.parse_args().write:
        wait_for_idle()
        with tempfile.TemporaryDirectory() as folder:
            results = {
                "machine": machine(),
                "build": build_times(Path(folder)),
                "sequences": sequences(),
                "rows": rows(),
            }
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(page(results), encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    changed, count = HEADLINE.subn(lambda _: headline(results), readme)
    assert count == 1, f"{README} has {count} tables of speeds; one is written"
    README.write_text(changed, encoding="utf-8")


if __name__ == "__main__":
    main()
