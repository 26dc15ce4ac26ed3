"""Whatever a stranger's text holds: a clear error, nothing run, no hang."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cell_texts import HEAD, NAMES, STEP, codes_of, faults_of, no_base, text_of
from cellwright.cells import find, library
from cellwright.cells.library import CellFileError, UnknownCellError
from cellwright.language.cell import read_cell
from cellwright.language.report import CellError, Source

EXPRESSIONS = [
    "__import__('os').system('true')",
    "(lambda: x)()",
    "[v for v in x]",
    "{v: v for v in x}",
    "(v for v in x)",
    'f"{x}"',
    "(y := x)",
    "x.data",
    "x[0]",
    "x[0:1]",
    "await x",
    "(yield x)",
    "tanh(*x)",
    "tanh(**x)",
    "tanh(v=x)",
    "1e999",
    "1j",
    "0x10",
    "1_000",
    "007",
    "9" * 1500,
    "x if h else b",
    "x and h",
    "x or h",
    "not x",
    "0 < x < 1",
    "x // 2",
    "x ^ 2",
    "x & 1",
    "x << 1",
    "~x",
    "+x",
    "x == y == b",
    "x is h",
    "x in h",
    "U @ h * b",
    "a) + (b",
    "x +",
    "x, h",
    "()",
    "True",
    "None",
    "...",
    "x; y",
    "x \\",
    "tanh",
    "tanh()",
    "tanh(h)(h)",
    "h'(x)",
    "2(x)",
    "x!",
    "x = 1",
    "9**9**9**9",
    "-" * 1500 + "x",
    "(" * 90 + "-" * 90 + "x" + ")" * 90,
    "(" * 900 + "x" + ")" * 900,
    " + ".join(["h"] * 400),
    "**".join(["h"] * 400),
    "@",
    "print(1)",
    "exec(1)",
    "sum(h, 0)",
    "sum(h, -1)",
    "sum(h, hidden_size + 1)",
    "repeat(h, 0)",
    "repeat(b, 1 / 2)",
    "sum(concat(h, h), W)",
    "layer_norm(h, 1, 1)",
    "mean(input_size)",
    "split(h)",
    "concat(h)",
    "glorot",
    "glorot(2, 2)",
    "uniform(0, 1)",
    "normal",
    "inf(1)",
    "pi'",
    "hidden_size'",
    "W",
    "x'",
]


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=lambda text: text[:24])
def test_hostile_expression_is_a_fault(expression: str) -> None:
    """What is no expression of the language is told, and nothing else happens."""
    faults = faults_of(f"{HEAD}n = {STEP} + {expression}\nh' = n")
    assert faults
    assert all(fault.span.line >= 7 for fault in faults)


@pytest.mark.parametrize("expression", ["9**9**9", "0**0", "1 / 0", "log(0)", "inf"])
def test_numbers_beyond_floats_are_left_to_run_time(expression: str) -> None:
    """Rule 8: folding is in float64; 9**9**9 builds no integer."""
    assert codes_of(f"{HEAD}h' = tanh({STEP}) + {expression}") == []


TEXTS = {
    "empty": "\n",
    "blank": " \n \n",
    "comment": "# A cell\n",
    "head only": HEAD,
    "byte order": "\ufeffstate h\n\ufeff",
    "surrogate": "# \ud800\n",
    "null": "\0\n",
    "long line": "a" * 60_000 + "\n",
    "1 MB": "x" * 1_000_000 + "\n",
    "brackets": "(" * 60_000 + "\n",
    "open": "a = (\n" * 5_000,
    "quotes": "'" * 5_000 + "\n",
    "primes": "c" + "'" * 500 + " = 1\n",
    "commas": "weight " + "," * 1_900 + "\n",
    "names": "weight " + ", ".join(f"a{i}" for i in range(390)) + "\n",
    "shape": "weight W [" + ", ".join(["hidden_size"] * 100) + "]\n",
    "colons": "weight W [" + ":" * 500 + "]\n",
    "unclosed": "extends lstm\n" * 900,
    "digits": "count n = " + "9" * 1_900 + "\n",
    "size": "size n = " + "9" * 1_900 + "\n",
    "formfeed": "\f\v\x1c\n",
    "form": HEAD.replace("\n", "\f\n") + "h' = \ftanh(W)\n",
    "range": "for l in 1..\n",
    "range 2": "for l in 99999999..depth:\n    a = 1\n",
    "equals": "= = =\n==\n= 1\n' = 1\n",
    "two": "count l = 2\nfor l in 1..l:\n    l' = l\n",
    "self": "size s = s\nstate s [s] = s\ns' = s'\noutput s'\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_text_is_a_fault(name: str) -> None:
    """A text that is no cell gives faults, never another exception."""
    with pytest.raises(CellError) as caught:
        find(TEXTS[name])
    assert len(str(caught.value)) < 20_000


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe\x00", b"\x7fELF\x02\x01\x01\x00", b"x" * 1_000_000, b"\x80" * 70],
    ids=["empty", "utf-16", "binary", "1 MB", "latin"],
)
def test_hostile_file_is_a_fault(tmp_path: Path, data: bytes) -> None:
    """A file that is no text gives a fault that names the file."""
    path = tmp_path / "bad.cell"
    path.write_bytes(data)
    with pytest.raises(CellError, match=r"bad\.cell:1:\d: "):
        find(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    """A file that cannot be read is named, with the system's reason."""
    for path in (tmp_path / "none.cell", tmp_path):
        with pytest.raises(CellFileError, match="cannot be read"):
            find(path)


def test_a_file_that_is_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who forgets the ending, or a letter, is shown the file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "leaky.cell").write_text("", encoding="utf-8")
    with pytest.raises(UnknownCellError, match=r"mean the file 'leaky\.cell'\?"):
        find("leaky")
    for path in (Path("leky.cell"), Path("leaky"), tmp_path / "laeky.cell"):
        with pytest.raises(CellFileError, match=r"you mean '.*leaky\.cell'\?"):
            find(path)
    with pytest.raises(CellFileError) as caught:
        find(Path("other.cell"))
    assert "did you mean" not in str(caught.value)


def test_sizes_do_not_grow_without_bound() -> None:
    """Powers of long sums of sizes are a fault, not minutes of work."""
    sizes = [f"size a{i}" for i in range(70)]
    long = "size s = " + " + ".join(f"a{i}" for i in range(70))
    chain = [f"size c{i} = c{i - 1} * c{i - 1}" for i in range(1, 60)]
    lines = [*sizes, long, "size c0 = hidden_size", *chain]
    codes = codes_of("\n".join([*lines, HEAD + f"h' = tanh({STEP})"]))
    assert codes == ["size", "size"]


def test_division_by_derived_sums_is_a_fault() -> None:
    """A sum cannot divide, and a derived one neither, in any order of the lines."""
    lines = ["size q = hidden_size / s", "size s = hidden_size + 1"]
    codes = codes_of("\n".join([*lines, HEAD + f"h' = tanh({STEP})"]))
    assert codes == ["size"]


def test_long_chains_are_read() -> None:
    """A chain of 990 equations, written last to first, is read without recursion."""
    chain = [f"a{i} = a{i - 1} + 1" for i in range(980, 0, -1)]
    text = "\n".join([HEAD, *chain, f"a0 = tanh({STEP})", "h' = a980"])
    assert codes_of(text) == []


def test_many_names_in_one_line_are_read() -> None:
    """A split into 400 parts is worked once, not once for every name."""
    names = [f"a{i}" for i in range(300)]
    text = f"{HEAD}{', '.join(names)} = split(repeat({STEP}, 300))\nh' = {names[0]}"
    faults = faults_of(text)
    assert {fault.code for fault in faults} == {"unused"}
    assert len(faults) == 299


def test_nothing_is_run() -> None:
    """Reading a hostile text compiles to no code, runs, imports and opens nothing."""
    script = """
        import sys
        from cellwright.language.cell import read_cell
        from cellwright.language.report import CellError, Source
        text = open(sys.argv[1]).read()
        good = sys.argv[2]
        events = []

        def read(text):
            try:
                read_cell(Source("a", text, "a"), lambda name, user: None)
            except CellError:
                return False
            return True

        read(good)  # what Python itself loads on the way is loaded now
        read(text)

        def hook(event, args):
            # ast.parse is compile() to a tree: its source is not None, its flags are
            # not in the event, so the code objects are watched where they are run.
            if event != "compile":
                events.append((event, args))

        sys.addaudithook(hook)
        first = read(good + "# other")
        second = read(text + "# other")
        seen = list(events)
        print(first, second, seen)
    """
    bad = HEAD + "h' = __import__('os').system('true')\nn = exec(open(x))\n"
    folder = Path(__file__).parent
    hostile = folder / "faults" / "unknown-function-import.cell"
    assert "__import__" in hostile.read_text()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(script),
            str(hostile),
            text_of("lstm"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True False []\n"
    assert codes_of(bad)


def read_quietly(text: str) -> None:
    """Read a text as a cell; a CellError is as good as a cell."""

    def resolve(name: str, _: Source) -> Source | None:
        if name in NAMES:
            return Source(name, text_of(name), name)
        return None

    try:
        cell = read_cell(Source("fuzz", text, "fuzz"), resolve)
    except CellError as error:
        for fault in error.faults:
            assert str(fault)
        return
    flat = read_cell(Source("fuzz", cell.flat_text, "flat"), no_base)
    assert flat.graph == cell.graph
    with contextlib.suppress(CellError):  # without its biases it may hang on nothing
        cell.specialise(bias=False)


MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["delete", "insert", "swap", "drop line", "swap lines", "copy"]
        ),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.sampled_from([*"'()[]=,:.+-*/@%<>#01x \n\té", "**", " @ ", "h'", "split("]),
    ),
    min_size=1,
    max_size=4,
)


def mutated(text: str, change: tuple[str, int, int, str]) -> str:
    """Return the text with one change."""
    kind, one, other, piece = change
    if not text:
        return piece
    i, j = one % len(text), other % len(text)
    lines = text.split("\n")
    k, m = one % len(lines), other % len(lines)
    match kind:
        case "delete":
            return text[:i] + text[i + 1 :]
        case "insert":
            return text[:i] + piece + text[i:]
        case "swap":
            i, j = min(i, j), max(i, j)
            return text[:i] + text[j] + text[i + 1 : j] + text[i] + text[j + 1 :]
        case "drop line":
            return "\n".join([*lines[:k], *lines[k + 1 :]])
        case "swap lines":
            lines[k], lines[m] = lines[m], lines[k]
            return "\n".join(lines)
        case _:
            return "\n".join([*lines[:k], lines[m], *lines[k:]])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(NAMES), MUTATIONS)
def test_mutated_cells_read_or_are_at_fault(
    name: str, changes: list[tuple[str, int, int, str]]
) -> None:
    """A cell with characters and lines changed is a cell, and flattens, or at fault."""
    text = text_of(name)
    for change in changes:
        text = mutated(text, change)
    read_quietly(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_random_texts_are_at_fault(text: str) -> None:
    """Any text at all gives a cell or faults."""
    read_quietly(text)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=300))
def test_random_files_are_at_fault(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """Any bytes at all give a cell or faults."""
    path = tmp_path_factory.mktemp("cell") / "a.cell"
    path.write_bytes(data)
    with pytest.raises(CellError):
        find(path)


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_line_ends_of_other_systems(ending: str) -> None:
    """Line ends, a byte order mark and no final line end make no difference."""
    text = library.load("lstm").text
    changed = "\ufeff" + text.rstrip("\n").replace("\n", ending)
    cell = read_cell(Source("lstm", changed, "lstm"), no_base)
    assert cell.graph == library.load("lstm").graph
