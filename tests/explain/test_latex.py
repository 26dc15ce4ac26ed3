"""Tests of `cellwright.explain.latex` and what it prints with."""

import re
import shutil
import subprocess
from pathlib import Path
from string import ascii_letters

import matplotlib.mathtext
import pytest

from cellwright import networks
from cellwright.cells import find, load, names
from cellwright.explain.formula_printer import PRINTED
from cellwright.explain.latex import latex
from cellwright.explain.latex_notes import NOTES
from cellwright.explain.latex_text import escape
from cellwright.explain.symbols import symbols
from cellwright.language.functions import FUNCTIONS

GOLDEN = Path(__file__).parent / "golden"


needs_latex = pytest.mark.skipif(
    not shutil.which("pdflatex"),
    reason="pdflatex is not installed; on Debian it is in texlive-latex-base",
)


def compiled(path: Path, text: str) -> str:
    """Return the log of pdflatex for a document with a text, which it has to set."""
    head = "\\documentclass{article}\\usepackage{amsmath}\\begin{document}"
    path.write_text(f"{head}\n{text}\n\\end{{document}}", encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", path.name],
        cwd=path.parent,
        capture_output=True,
        check=False,
    )
    log = path.with_suffix(".log").read_text(encoding="latin-1")
    assert done.returncode == 0, log[-2000:]
    return log


def printed(equation: str, declared: str = "") -> str:
    """Return the LaTeX of the right side of y, in a cell that has what is needed."""
    used = set(re.findall(r"\w+", equation + declared))
    known = {
        "w": "weight w [hidden_size]",
        "U": "weight U [hidden_size, hidden_size]",
        "V": "weight V [hidden_size, hidden_size]",
        "k": "constant k = 0.5",
        "n": "state n = 0",
    }
    lines = [line for name, line in known.items() if name in used]
    lines += ["n' = n + 1"] if "n" in used else []
    cell = find(
        "size input_size = hidden_size\ninput x [input_size]\nstate s [hidden_size]\n"
        + "\n".join([*lines, declared, "output y", "s' = s + x", f"y = {equation}"])
        + "\n"
    )
    row = next(
        line for line in latex(cell).splitlines() if line.startswith("y_{t} &= ")
    )
    return row.removeprefix("y_{t} &= ").removesuffix(r" \\")


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        ("s + x", "s_{t-1} + x_{t}"),
        ("s' * x", r"s_{t} \odot x_{t}"),
        ("s - (x - s)", r"s_{t-1} - (x_{t} - s_{t-1})"),
        ("(s - x) - s", r"s_{t-1} - x_{t} - s_{t-1}"),
        ("s + -x", r"s_{t-1} + (-x_{t})"),
        ("-(s + x)", r"-(s_{t-1} + x_{t})"),
        ("-s * x", r"(-s_{t-1}) \odot x_{t}"),
        ("(1 - s) * x", r"(1 - s_{t-1}) \odot x_{t}"),
        ("s * (x * s)", r"s_{t-1} \odot (x_{t} \odot s_{t-1})"),
        ("s * x * s", r"s_{t-1} \odot x_{t} \odot s_{t-1}"),
        ("2 * s", r"2 \, s_{t-1}"),
        ("s * 2", r"s_{t-1} \cdot 2"),
        ("k * s", r"k \, s_{t-1}"),
        ("n * s", r"n_{t-1} \, s_{t-1}"),
        ("sum(x) * s", r"\operatorname{sum}(x_{t}) \, s_{t-1}"),
        ("U @ s + x", r"U s_{t-1} + x_{t}"),
        ("s * (U @ x)", r"s_{t-1} \odot (U x_{t})"),
        ("U @ (s * x)", r"U (s_{t-1} \odot x_{t})"),
        ("(U * V) @ s", r"(U \odot V) s_{t-1}"),
        ("(U - V) @ s", r"(U - V) s_{t-1}"),
        ("transpose(U) @ s", r"U^{\top} s_{t-1}"),
        ("(U - transpose(V)) @ s", r"(U - V^{\top}) s_{t-1}"),
        ("transpose(U * V) @ s", r"(U \odot V)^{\top} s_{t-1}"),
        ("transpose(tanh(U)) @ s", r"(\tanh(U))^{\top} s_{t-1}"),
        ("s / x", r"\frac{s_{t-1}}{x_{t}}"),
        ("s / x * w", r"\frac{s_{t-1}}{x_{t}} \odot w"),
        ("tanh(s / x)", r"\tanh\left(\frac{s_{t-1}}{x_{t}}\right)"),
        ("s % 2", r"s_{t-1} \bmod 2"),
        ("(s % 2) * x", r"(s_{t-1} \bmod 2) \odot x_{t}"),
        ("s ** 2", r"s_{t-1}^{2}"),
        ("(s + x) ** 2", r"(s_{t-1} + x_{t})^{2}"),
        ("tanh(s) ** 2", r"(\tanh(s_{t-1}))^{2}"),
        ("(s / x) ** 2", r"\left(\frac{s_{t-1}}{x_{t}}\right)^{2}"),
        ("(s > 0) * x", r"\left[s_{t-1} > 0\right] \odot x_{t}"),
        ("s >= x", r"\left[s_{t-1} \geq x_{t}\right]"),
        (
            "where(s != 0, x, s)",
            (
                r"\begin{cases} x_{t} & \text{if } s_{t-1} \neq 0 \\ "
                r"s_{t-1} & \text{otherwise} \end{cases}"
            ),
        ),
        (
            "where(s, x, where(x < 1, 0, s))",
            (
                r"\begin{cases} x_{t} & \text{if } s_{t-1} \neq 0 \\ "
                r"0 & \text{if } x_{t} < 1 \\ s_{t-1} & \text{otherwise} \end{cases}"
            ),
        ),
        ("sigmoid(s)", r"\sigma(s_{t-1})"),
        ("relu(s)", r"\operatorname{ReLU}(s_{t-1})"),
        ("abs(s)", r"\left|s_{t-1}\right|"),
        ("floor(s)", r"\left\lfloor s_{t-1} \right\rfloor"),
        ("sqrt(s)", r"\sqrt{s_{t-1}}"),
        ("maximum(s, x)", r"\max(s_{t-1},\, x_{t})"),
        ("repeat(s, 2)", r"\operatorname{repeat}_{2}(s_{t-1})"),
        ("concat(s, x)", r"\left[s_{t-1};\, x_{t}\right]"),
        ("stop_gradient(s)", r"\operatorname{stopgrad}(s_{t-1})"),
        ("s * pi", r"s_{t-1} \, \pi"),
        ("1e-5 * s", r"10^{-5} \, s_{t-1}"),
        ("2.5e-7 + s", r"2.5 \cdot 10^{-7} + s_{t-1}"),
        ("0.5 * s", r"0.5 \, s_{t-1}"),
    ],
)
def test_expression_prints_with_parentheses_where_they_are_due(
    equation: str, expected: str
):
    """The printed formula reads as the expression does, and no other way."""
    assert printed(equation) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v1", "v_{1}"),
        ("W_i", "W_{i}"),
        ("gain_x", r"\mathrm{gain}_{x}"),
        ("tau", r"\tau"),
        ("eps", r"\epsilon"),
        ("R_in_out", r"R_{\mathrm{in},\mathrm{out}}"),
    ],
)
def test_names_become_symbols(name: str, expected: str):
    """Greek names are Greek, digits and what follows an underscore stand below."""
    assert printed(f"{name} * s", f"weight {name} [hidden_size]").startswith(
        expected + r" \odot"
    )


def test_every_function_has_a_form():
    """Each function of the language that stands in an equation prints."""
    assert FUNCTIONS.keys() == PRINTED


def test_every_function_that_is_no_textbook_s_is_explained():
    """What prints as a word of ours has a sentence below the equations."""
    plain = ("sum", "mean", "max")
    for name in sorted(FUNCTIONS):
        if FUNCTIONS[name].kind == "draw" or name in (
            "where",
            "concat",
            "split",
            "transpose",
        ):
            continue
        least = FUNCTIONS[name].arguments
        args = ", ".join(
            "2" if a.startswith("n") else "s" for a in least if "=" not in a
        )
        row = printed(f"{name}({args})" if name not in plain else f"{name}(s) * s")
        word = re.search(r"\\operatorname\{([^}]*)\}", row)
        if word and word[1] not in plain:
            assert any(re.search(mark, row) for mark in NOTES), name


@pytest.mark.parametrize("name", ["lstm", "rhn", "slstm", "izhikevich"])
def test_whole_text_is_the_golden_one(name: str, golden):
    """The environment and its legend are those that a person has looked at."""
    golden(GOLDEN / f"{name}.tex", latex(load(name)))


@pytest.mark.parametrize("name", names())
def test_latex_is_balanced_and_its_parts_typeset(name: str):
    """Every published cell prints; braces match; what mathtext knows, it typesets."""
    text = latex(load(name))
    bare = text.replace(r"\{", "").replace(r"\}", "")
    assert bare.count("{") == bare.count("}")
    assert text.count(r"\begin{") == text.count(r"\end{")
    assert text.count(r"\left") == text.count(r"\right")

    parser = matplotlib.mathtext.MathTextParser("path")
    body = text.partition(r"\begin{align}")[2].partition(r"\end{align}")[0]
    for row in re.split(r" \\\\\n", body):
        if r"\begin{cases}" in row or r"\bmod" in row:
            continue  # amsmath has them, mathtext has not
        formula = row.partition("&&")[0].replace("&", "").replace(r"\notag", "").strip()
        parser.parse(f"${formula}$")


@needs_latex
def test_latex_sets_every_cell_on_the_line(tmp_path: Path):
    """LaTeX compiles all cells, and no equation leaves the page or its number."""
    files = Path(networks.__file__).parent.glob("*.cell")
    cells = [*map(load, names()), *map(find, files), find(ALIKE)]
    texts = [latex(cell) for cell in cells]
    log = compiled(tmp_path / "cells.tex", "\n".join(texts))

    assert re.findall(r"^Overfull .* detected at .*$", log, re.MULTILINE) == []


SIGNS = (
    "αβγδεζηθικλμνξοπρστυφχψω ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ ςϕϑϵ άέήίόύώϊϋ Ά < > ≤≥≠≈≡∼∝≪≫«»"
    "×·⋅÷±∓−∗∘⊙⊗⊕√ →←↔⇒⇐⇔↦↑↓ ∈∉∀∃∅∪∩⊂⊆∑∏∫∂∇∞ ′°‖⟨⟩⌊⌋⌈⌉⊤⊥ℓ ℝ µ x²³ x₀₁²₊ ᵀⁿ ⁻¹"
    " Müller Škoda Łódź Ærø ß Āĥűŭ Nguyễn Ṣāliḥ ǧ – — … “a” ‘b’ e\u0301 $²$ 5%²"
)
"""What people write in comments; each of it stops pdflatex, or is printed by it."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("α ≥ 0", r"$\alpha$ $\geq$ 0"),
        ("x² × √2", r"x${}^{2}$ $\times$ $\surd$2"),
        ("→λο", r"$\rightarrow \lambda o$"),
        ("$α", r"\$$\alpha$"),
        ("a₁₂", "a${}_{12}$"),
        ("Müller, ễ", r"Müller, \~{\^{e}}"),
        ("李", "李"),
    ],
)
def test_comments_are_text_of_latex(text: str, expected: str):
    """Greek letters and signs are formulas, accents commands, the rest stays."""
    assert escape(text) == expected


@needs_latex
def test_latex_sets_what_people_write_in_comments(tmp_path: Path):
    """All signs compile, as text of its own and beside an equation."""
    cell = find(
        f"# {SIGNS}\nsize input_size = hidden_size\ninput x [input_size]\n"
        f"weight w [hidden_size] # {SIGNS}\nstate h [hidden_size]\noutput h'\n"
        f"h' = w * h + x # {SIGNS}\n"
    )
    compiled(tmp_path / "cell.tex", latex(cell))


@pytest.mark.parametrize("name", names())
def test_no_description_names_what_is_gone(name: str):
    """A variant has the descriptions of its base, and not all of its parameters."""
    cell = load(name)
    bases = [load(source.name) for source in cell.chain]
    once = {n for base in bases for row in base.declarations for n in row.names}
    here = {n for row in (*cell.declarations, *cell.equations) for n in row.names}
    for row in (*cell.declarations, *cell.equations):
        words = set(re.findall(r"\w+", row.description))
        assert not words & once - here, row


def test_h_is_the_number_of_units():
    """It is not the size of what is fed back, where that is projected."""
    for name in ("lstm", "lstm_proj", "jordan"):
        assert "$H$ is the number of units." in latex(load(name))


@pytest.mark.parametrize("name", names())
def test_no_two_names_share_a_symbol(name: str):
    """I is the current where a cell has one, and then not the size of the input."""
    cell = load(name)
    known = symbols(cell)
    found = {n for e in cell.equations for n in e.names}
    found |= {n for d in cell.declarations for n in d.names} | {"hidden_size"}
    shown = {n: known.symbol(n, in_block=False) for n in found}

    assert len(set(shown.values())) == len(shown), shown


ALIKE = """
constant eps = 0.01
constant epsilon = 0.02
constant h_0 = 0.5
size in_size = 3
input x [input_size]
state h, q [hidden_size]
weight W1, W_1 [hidden_size, input_size]
weight W_t [hidden_size, hidden_size]
weight h_t, sigma, I, N_in [hidden_size]
weight V [in_size]
bias e, v, a, b [hidden_size]
output h'
q_ = W1 @ x + eps * (W_1 @ x) * h_0
h' = sigmoid(q_ + q + W_t @ h + epsilon * h_t + sigma * exp(e)) + clip(I, -1, 1) * N_in
q' = q_ + v * a + b + sum(V)
"""
"""A cell whose names LaTeX would print as one, as a time, or as a function."""


def test_names_that_look_alike_stand_upright():
    """Each symbol is one quantity; who comes later is called as the file does."""
    known = symbols(find(ALIKE))
    shown = {name: sign.at() for name, sign in known.signs.items()}
    text = latex(find(ALIKE))

    assert len(set(shown.values())) == len(shown), shown
    assert {shown["q_"], shown["W_1"]} == {r"\mathrm{q\_}", r"\mathrm{W\_1}"}
    assert {shown["epsilon"], shown["sigma"]} == {
        r"\mathrm{epsilon}",
        r"\mathrm{sigma}",
    }
    assert {shown["W_t"], shown["h_t"]} == {r"W_{\mathrm{t}}", r"h_{\mathrm{t}}"}
    assert shown["in_size"] == r"\mathrm{in\_size}"
    assert r"$\mathrm{h\_0} = 0.5$" in text
    assert r"q_{t} &= \mathrm{q\_}_{t} + v \odot a + b" in text
    assert r"$\sigma(z) = 1 / (1 + \exp(-z))$" in text
    assert r"$\operatorname{clip}(z, y, w) = \min(\max(z, y), w)$" in text
    assert r"\sigma \odot" in latex(find(ALIKE.replace("sigmoid", "tanh")))
    assert r"$\sigma(" not in latex(find(ALIKE.replace("sigmoid", "tanh")))


def test_a_subscript_t_is_the_time_alone():
    """The weights of a gate t are the same at all times."""
    text = latex(load("rhn"))

    assert r"W_{\mathrm{t}} x_{t} + R_{\mathrm{t}}^{(l)}" in text
    assert re.search(r"[WRb]_\{t\}", text) is None


def test_letters_of_notes_are_nothing_else():
    """Where all letters are names, a note has a primed one, which no name is."""
    letters = [*set(ascii_letters) - {"x", "h"}]
    text = latex(
        find(
            "input x [input_size]\nstate h [hidden_size]\noutput h'\n"
            f"weight {', '.join(letters)} [hidden_size]\n"
            "weight W_x [hidden_size, input_size]\n"
            f"h' = relu({' + '.join(letters)} + W_x @ x + h)\n"
        )
    )
    assert r"$\operatorname{ReLU}(v') = \max(v', 0)$" in text
    assert r"\operatorname{surrogate}(y, p)" in latex(load("izhikevich"))


def test_indices_are_symbols_and_count_from_0():
    """A running index of several words prints as other names do."""
    text = latex(
        find(
            "count depth = 2\n"
            "constant r_m [unit_no: hidden_size, b_c_d: input_size] = unit_no / b_c_d\n"
            "input x [input_size]\nstate h [hidden_size]\noutput h'\ns = h + r_m @ x\n"
            "for step in 1..depth:\n"
            "    weight R [hidden_size, hidden_size]\n    s' = tanh(R @ s) * step\n"
            "h' = s'\n"
        )
    )
    number = r"\mathrm{unit}_{\mathrm{no}}"
    assert rf"{{r_{{m}}}}_{{{number},b_{{c,d}}}} = \frac{{{number}}}" in text
    assert rf"the indices ${number}$, $b_{{c,d}}$ count from 0;" in text
    assert r"\text{for } \mathrm{step} = 1, \dots" in text
    assert r"s_{t}^{(\mathrm{step})} &= \tanh(R^{(\mathrm{step})}" in text
    assert r"s_{t}^{(\mathrm{step}-1)}) \, \mathrm{step}" in text
    assert "the indices $i$, $j$ count from 0;" in latex(load("clockwork"))
    assert "count from 0" not in latex(load("lstm"))


def test_a_constant_that_a_variant_sets_is_a_constant_still():
    """It has no time and no row, unless it hangs on the step now."""
    text = latex(load("sru_first"))
    hanging = (
        "extends sru\nweight W_a [hidden_size, input_size]\nalpha = tanh(W_a @ x)\n"
    )

    assert r"x_{t} \, \alpha &&" in text
    assert r"$\alpha = 1$ (the highway is not scaled);" in text
    assert r"\alpha_{t}" not in text
    assert r"\alpha_{t} &= \tanh(W_{a} x_{t})" in latex(find(hanging))


def test_what_a_zero_takes_away_is_not_printed():
    """A peephole of 0 has no row, no term and no size; a gate of 1 has its row."""
    text = latex(load("odyssey_np"))

    assert r"f_{t} &= \sigma(W_{f} x_{t} + U_{f} h_{t-1} + b_{f})" in text
    assert "p_" not in text
    assert r"f_{t} &= 1 && " in latex(load("odyssey_nfg"))


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        ("s - k * x", "s_{t-1}"),
        ("k - s", "-s_{t-1}"),
        ("k / s + s", "s_{t-1}"),
        ("k @ s + s", "s_{t-1}"),
        ("s + tanh(k * s)", r"s_{t-1} + \tanh(0)"),
        ("s * (k > x)", r"s_{t-1} \odot \left[0 > x_{t}\right]"),
        ("s - -k", "s_{t-1}"),
    ],
)
def test_zeros_fold_as_the_language_folds_them(equation: str, expected: str):
    """A name that is 0 leaves what the graph is left with."""
    if "@" in equation:
        equation = equation.replace("k @", "(k * U) @")
    assert printed(equation.replace("k", "zero"), "zero = 0") == expected


def test_a_zero_that_a_block_begins_with_is_not_put_in_the_place_of_what_it_carries():
    """The 0 is the first value only: inside the block the name is what came before."""
    text = latex(
        find(
            "count depth = 3\nsize input_size = hidden_size\ninput x [input_size]\n"
            "state h [hidden_size]\noutput h'\ns = 0\ny = h\nfor l in 1..depth:\n"
            "    s' = 0.5 * s + 1\n    y' = y * s' + x\nh' = y'\n"
        )
    )

    assert "s^{(0)} &= 0" in text.replace("s_{t}^", "s^")
    assert "+ 1" in text
    assert "^{(l-1)} + 1" in text


def test_long_formulas_and_long_descriptions_share_the_line():
    """A formula breaks outside of brackets, and its number stands at its last row."""
    text = latex(load("lstm_norm_joint"))

    assert "&\\quad {} + \\mathrm{gain}_{h} \\odot" in text
    first = next(line for line in text.splitlines() if "W x_{t}" in line)
    assert first.endswith("\\notag \\\\")
    assert "\\parbox[t]" in latex(load("lstm"))


def test_what_is_fixed_has_no_time():
    """A matrix that is made of weights is the same at every step."""
    text = latex(
        find(
            "input x [input_size]\nstate h [hidden_size]\noutput h'\n"
            "weight W [hidden_size, input_size]\nA = 2 * W\nh' = tanh(A @ x) + h\n"
        )
    )

    assert r"A &= 2 \, W" in text
    assert r"h_{t} &= \tanh(A x_{t}) + h_{t-1}" in text


def test_descriptions_are_escaped():
    """A description is text to LaTeX, whatever it says."""
    assert escape(r"50% of W_i & {a}^2 \ #1 $ ~ <b>") == (
        r"50\% of W\_i \& \{a\}\textasciicircum{}2 \textbackslash{} "
        r"\#1 \$ \textasciitilde{} $<$b$>$"
    )


def test_state_carried_by_the_block_enters_and_leaves_it():
    """A state that the micro-steps themselves carry is its value before and after."""
    text = latex(
        find(
            "count depth = 2\ninput x [input_size]\nstate h [hidden_size]\n"
            "weight W [hidden_size, input_size]\noutput y\n"
            "for l in 1..depth:\n    h' = tanh(h + W @ x)\ny = h' * h\n"
        )
    )

    assert "h_{t}^{(0)} &= h_{t-1}" in text
    assert r"h_{t}^{(l)} &= \tanh(h_{t}^{(l-1)} + W x_{t})" in text
    assert r"h_{t} &= h_{t}^{(\mathrm{depth})}" in text
    assert r"y_{t} &= h_{t} \odot h_{t-1}" in text


def test_library_needs_amsmath_only():
    """No command of another package is used."""
    text = "".join(latex(load(name)) for name in names())

    assert r"\mathbb" not in text
    assert r"\bm{" not in text


def test_a_first_value_that_is_learned_is_not_said_to_be_itself():
    """A parameter h_0 looks like the first state, whose value it is."""
    cell = find(
        "input x [input_size]\nstate h [hidden_size] = h_0\nweight h_0 [hidden_size]\n"
        "weight W [hidden_size, input_size]\noutput h'\nh' = tanh(W @ x) + h\n"
    )

    assert "with first value $h_{0}$" in latex(cell)
    assert "$h_{0} = h_{0}$" not in latex(cell)
