"""Random cells as texts of the language: ``draw_cell(random.Random(seed))``.

Every cell is right and tame by construction: each name reaches the output, values stay
within a few units, `exp` sees only bounded, `log` and `sqrt` only positive values, and
nothing divides by less than 0.5. It says whatever the grammar can say.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

SIZES = {
    "H": "hidden_size",
    "I": "input_size",
    "M": "m",
    "P": "heads * part",
    "W": "wide",
    "G": "heads",
}
"""Lengths of vectors; the empty key is a scalar."""

SIZE_LINES = {
    "M": ["size m = {}"],
    "P": ["size heads = 2", "size part = 3"],
    "W": ["size wide = 2 * hidden_size"],
    "G": ["size heads = 2", "size part = 3"],
}
GROUPS = {"P": ("heads", "part"), "W": ("2", "hidden_size")}
"""Vectors that fall into equal groups: how many, and how long each is."""


@dataclass
class _Name:
    text: str
    shape: str
    kind: str
    used: bool = False


@dataclass
class Drawer:
    """Collects the statements of one cell while its expressions are drawn."""

    random: Random
    sizes: list[str] = field(default_factory=list)
    declarations: list[str] = field(default_factory=list)
    equations: list[str] = field(default_factory=list)
    names: list[_Name] = field(default_factory=list)
    counter: int = 0

    def chance(self, share: float) -> bool:
        """Return True in that share of draws."""
        return self.random.random() < share

    def pick(self, *items: str) -> str:
        """Return one of some texts."""
        return self.random.choice(items)

    def number(self, low: float = 0.2, high: float = 0.9) -> str:
        """Return a literal that is neither 0 nor 1, and on no round boundary."""
        return f"{self.random.uniform(low, high):.3f}1"

    def fresh(self, stem: str) -> str:
        """Return a name that nothing else has."""
        self.counter += 1
        return f"{stem}{self.counter}"

    def size(self, shape: str) -> str:
        """Return the size's text, and declare what it is made of."""
        for line in SIZE_LINES.get(shape, []):
            name = line.split(" = ")[0]
            if not any(known.startswith(name + " ") for known in self.sizes):
                self.sizes.append(line.format(self.random.randint(1, 4)))
        return SIZES[shape]

    def declare(self, kind: str, stem: str, dims: list[str], init: str = "") -> str:
        """Write a declaration and return its name."""
        name = self.fresh(stem)
        shape = f" [{', '.join(dims)}]" if dims else ""
        self.declarations.append(f"{kind} {name}{shape}{f' = {init}' if init else ''}")
        return name

    def equation(self, stem: str, shape: str, text: str) -> str:
        """Write an equation of an intermediate value and return its name."""
        name = self.fresh(stem)
        self.equations.append(f"{name} = {text}")
        self.names.append(_Name(name, shape, "value"))
        return name

    def known(self, shape: str, *kinds: str) -> list[_Name]:
        """Return what may stand in an expression: names of one shape."""
        return [
            name
            for name in self.names
            if name.shape == shape and (not kinds or name.kind in kinds)
        ]


def wrap(text: str) -> str:
    """Put an operand into parentheses unless it is a name, a number or one call."""
    bare = text.replace("'", "").replace(".", "")
    if bare.replace("_", "").isalnum():
        return text
    head, bracket, _ = text.partition("(")
    if bracket and head.replace("_", "").isalnum() and _closes_last(text):
        return text
    return f"({text})"


def _closes_last(text: str) -> bool:
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and character == ")":
            return position == len(text) - 1
    return False


# Weights and constants


def init(d: Drawer, matrix: bool) -> str:
    """Return a first value for a weight, often none."""
    if d.chance(0.6):
        return ""
    draws = ["uniform(-0.4, 0.4)", "normal(0, 0.3)", "0.3 * uniform(-1, 1) + 0.05"]
    if matrix:
        draws += ["glorot", "orthogonal", "0.5 * orthogonal"]
    return d.pick(*draws)


def matrix(d: Drawer, rows: str, columns: str) -> str:
    """Return a matrix: a weight, or an expression of weights and constants."""
    dims = [d.size(rows), d.size(columns)]
    if d.chance(0.08):
        turned = d.declare("weight", "W", dims[::-1], init(d, matrix=True))
        return f"transpose({turned})"
    weight = d.declare("weight", "W", dims, init(d, matrix=True))
    match d.random.randrange(8):
        case 0:
            mask = d.pick("i >= j", "(i + j) % 2", "1 / (1 + abs(i - j))", "i != j")
            marked = [f"i: {dims[0]}", f"j: {dims[1]}"]
            return f"({weight} * {d.declare('constant', 'K', marked, mask)})"
        case 1:
            other = d.declare("weight", "W", dims, init(d, matrix=True))
            return d.pick(
                f"({weight} - 0.5 * {other})", f"({weight} * sigmoid({other}))"
            )
        case 2:
            return f"tanh({weight})"
        case 3:
            turned = d.declare("weight", "W", dims[::-1], init(d, matrix=True))
            return d.pick(
                f"({weight} - transpose({turned}))",
                f"transpose({turned} + 0.5 * transpose({weight}))",
            )
        case _:
            return weight


def blocks(d: Drawer, to: str) -> str:
    """Return a block-diagonal weight that takes a vector P to P or to G."""
    d.size("P")
    rows = "part" if to == "P" else "1"
    return d.declare("weight", "R", ["heads", rows, "part"], init(d, matrix=True))


def parameter(d: Drawer, shape: str) -> str:
    """Return a scalar or a vector that hangs on nothing but weights and constants."""
    dims = [d.size(shape)] if shape else []
    match d.random.randrange(7):
        case 0:
            return d.declare("constant", "k", [], d.number())
        case 1 if shape:
            ramp = d.pick(f"(i + 1) / {dims[0]}", "2 ** -floor(i / 2)", "cos(pi * i)")
            return d.declare("constant", "k", [f"i: {dims[0]}"], ramp)
        case 2 if shape:
            drawn = d.pick("uniform(0.2, 0.8)", "normal(0.5, 0.1)")
            return d.declare("constant", "k", dims, drawn)
        case 3:
            first = d.declare("weight", "p", dims, d.number())
            return d.declare("weight", "p", dims, f"{first} + uniform(0, 0.1)")
        case 4:
            one, two = (d.declare("weight", "p", dims, init(d, False)) for _ in "ab")
            return f"({one} * sigmoid({two}))"
        case 5 if shape:
            return f"({matrix(d, shape, 'H')} @ {d.declare('bias', 'b', [SIZES['H']])})"
        case _:
            kind = d.pick("weight", "bias")
            return d.declare(kind, "b", dims, init(d, matrix=False))


# Expressions: each returns a text whose value stays within a few units


def leaf(d: Drawer, shape: str) -> str:
    """Return a value of that shape that exists already, or the plainest way to one."""
    known = d.known(shape)
    if known:
        name = d.random.choice(known)
        name.used = True
        return name.text
    if shape == "":
        return f"mean({leaf(d, 'H')})"
    return product(d, shape, 0)


def product(d: Drawer, shape: str, depth: int) -> str:
    """Return a matrix, or blocks, times a vector."""
    if shape in ("P", "G") and d.chance(0.5):
        return f"{blocks(d, shape)} @ {wrap(value(d, 'P', depth - 1))}"
    sources = sorted({name.shape for name in d.names if name.shape in "HIMPW"} - {""})
    source = d.pick(*sources)
    match d.random.randrange(5):
        case 0:
            gated = f"{leaf(d, source)} * sigmoid({value(d, source, depth - 1)})"
            return f"{matrix(d, shape, source)} @ ({gated})"
        case 1:
            inner = f"{matrix(d, 'M', source)} @ {leaf(d, source)}"
            return f"{matrix(d, shape, 'M')} @ ({inner})"
        case 2 if depth > 0:
            return f"{matrix(d, shape, source)} @ {wrap(value(d, source, depth - 1))}"
        case _:
            return f"{matrix(d, shape, source)} @ {leaf(d, source)}"


def condition(d: Drawer, shape: str, depth: int) -> str:
    """Return a comparison whose two sides never come close by construction."""
    clocks = d.known("", "clock")
    if clocks and d.chance(0.5):
        period = d.random.randint(2, 3)
        clock = d.random.choice(clocks)
        clock.used = True
        return f"{clock.text} % {period} {d.pick('==', '!=')} {d.random.randint(0, 1)}"
    sign = d.pick("<", "<=", ">", ">=", "!=", "==")
    return f"{wrap(value(d, shape, depth - 1))} {sign} {d.number(-0.5, 0.5)}"


def unary(d: Drawer, shape: str, depth: int) -> str:
    """Return a function of one value."""
    v = value(d, shape, depth - 1)
    name = d.pick(*_UNARY)
    return _UNARY[name].format(v=v, w=wrap(v), n=d.number(), e=d.random.choice((2, 3)))


_UNARY = {
    "tanh": "tanh({v})",
    "sigmoid": "sigmoid({v})",
    "sin": "sin({v})",
    "cos": "cos({v})",
    "relu": "relu({v})",
    "abs": "abs({v})",
    "silu": "silu({v})",
    "softplus": "softplus({v})",
    "log_sigmoid": "log_sigmoid({v})",
    "hard_sigmoid": "hard_sigmoid({v})",
    "exp": "exp(tanh({v}))",
    "exp_bounded": "exp(-softplus({v}))",
    "log": "log({n} + softplus({v}))",
    "sqrt": "sqrt(0.5 + sigmoid({v}))",
    "floor": "0.2 * floor(3 * tanh({v}) + {n})",
    "clip": "clip({v}, -{n}, 0.8)",
    "stop": "stop_gradient({v})",
    "square": "tanh({v}) ** {e}",
    "root": "(0.5 + sigmoid({v})) ** -0.5",
    "mod": "{w} % {n}",
    "minus": "-{w}",
    "scaled": "{n} * {w}",
    "less": "{w} - {n}",
    "shrunk": "{w} / hidden_size",
}


def binary(d: Drawer, shape: str, depth: int) -> str:
    """Return an operation on two values; one of them may be a scalar."""
    one = value(d, shape, depth - 1)
    if shape and d.chance(0.25):
        other = f"{parameter(d, shape)} * {wrap(leaf(d, shape))}"
    else:
        other = value(d, "" if d.chance(0.15) else shape, depth - 1)
    a, b = (one, other) if d.chance(0.5) else (other, one)
    form = d.pick(
        "{A} + {B}",
        "{A} - {B}",
        "{A} * sigmoid({b})",
        "tanh({a}) * tanh({b})",
        "{A} / (1.5 + tanh({b}))",
        "{A} % (0.5 + sigmoid({b}))",
        "maximum({a}, {b})",
        "minimum({a}, {b})",
        "surrogate({A} > {n}, tanh({b}))",
    )
    text = form.format(a=a, b=b, A=wrap(a), B=wrap(b), n=d.number())
    return text if d.chance(0.7) else f"tanh({text})"


def choice(d: Drawer, shape: str, depth: int) -> str:
    """Return a `where`, or a spike, of a comparison."""
    test = condition(d, shape if d.chance(0.8) else "", depth - 1)
    one = value(d, shape, depth - 1)
    if d.chance(0.2):
        return f"surrogate(({test}) * sigmoid({one}), tanh({one}))"
    other = value(d, shape, depth - 1)
    return f"where({test}, {one}, {d.number()} * {wrap(other)})"


def row(d: Drawer, shape: str, depth: int) -> str:
    """Return a function of whole vectors."""
    if shape == "":
        v = value(d, d.pick("H", "M", "P"), depth - 1)
        return d.pick(f"sum(tanh({v})) / 3", f"mean({v})", f"max({v})")
    if shape == "G":
        v = value(d, "P", depth - 1)
        return d.pick(f"sum(tanh({v}), heads)", f"mean({v}, heads)", f"max({v}, heads)")
    v = value(d, shape, depth - 1)
    groups = GROUPS.get(shape)
    count = f", {groups[0]}" if groups and d.chance(0.6) else ""
    name = d.pick("layer_norm", "softmax")
    return f"{name}({v}{count})"


def vector(d: Drawer, shape: str, depth: int) -> str:
    """Return a vector made of others."""
    if shape == "P":
        d.size("P")
        return f"repeat({value(d, 'G', depth - 1)}, part)"
    if shape == "W":
        d.size("W")
        one = value(d, "H", depth - 1)
        if d.chance(0.5):
            return f"repeat({one}, 2)"
        return f"concat({one}, {value(d, 'H', depth - 1)})"
    return product(d, shape, depth)


def literal(d: Drawer, shape: str, depth: int) -> str:
    """Return a value with a 0 or a 1 that simplification takes away."""
    v = wrap(value(d, shape, depth - 1))
    forms = [f"{v} + 0", f"1 * {v}", f"{v} / 1", f"{v} ** 1", f"{v} - 0", f"0 + {v}"]
    forms += [f"-(-{v})", f"where(0, 0.5, {v})"]
    # What is taken away must reach the output elsewhere, as states and inputs do.
    gone = [n.text for s in {"", shape} for n in d.known(s, "state", "input")]
    if gone:
        forms += [f"{v} + 0 * {d.pick(*sorted(gone))}", f"where(1, {v}, {gone[0]})"]
    return d.pick(*forms)


def value(d: Drawer, shape: str, depth: int) -> str:
    """Return an expression of that shape, about ``depth`` operations deep."""
    if depth <= 0:
        return leaf(d, shape)
    rules: list[tuple[float, Callable[[Drawer, str, int], str]]] = [
        (4, unary),
        (4, binary),
        (2, choice),
        (2, row),
        (0.5, literal),
    ]
    if shape:
        rules += [(4, product), (1.5, vector)]
    else:
        rules += [(1, lambda d, shape, depth: parameter(d, shape))]
    weights = [weight for weight, _ in rules]
    return d.random.choices([rule for _, rule in rules], weights)[0](d, shape, depth)


# Statements


def inputs(d: Drawer) -> None:
    """Declare x, and sometimes a second input."""
    if d.chance(0.08):
        d.sizes.append(f"size input_size = {d.pick('hidden_size', '2 * hidden_size')}")
    d.declarations.append("input x [input_size]")
    d.names.append(_Name("x", "I", "input"))
    if d.chance(0.25):
        shape = d.pick("", "M")
        dims = f" [{d.size(shape)}]" if shape else ""
        d.declarations.append(f"input time{dims}")
        d.names.append(_Name("time", shape, "input"))


def first_value(d: Drawer, shape: str, others: list[_Name]) -> str:
    """Return the first value of a state, often none."""
    same = [other.text for other in others if other.shape in ("", shape)]
    if same and d.chance(0.15):
        return f" = 0.5 * {d.pick(*same)}"
    match d.random.randrange(8):
        case 0:
            return f" = {d.number()}"
        case 1:
            return f" = tanh({parameter(d, shape)})"
        case 2:
            return " = 1 / (1 + hidden_size)"
        case _:
            return ""


def states(d: Drawer) -> list[_Name]:
    """Declare one to four states, vectors and scalars."""
    found: list[_Name] = []
    for text in ["h", "c", "u", "v"][: d.random.choice((1, 1, 2, 2, 3, 4))]:
        shape = "H" if d.chance(0.6) else d.pick("", "M", "P", "W")
        dims = f" [{d.size(shape)}]" if shape else ""
        d.declarations.append(f"state {text}{dims}{first_value(d, shape, found)}")
        found.append(_Name(text, shape, "state"))
    d.names += found
    return found


def clock(d: Drawer) -> None:
    """Declare a step counter."""
    d.declarations.append("state t = 0")
    d.equations.append("t' = t + 1")
    d.names.append(_Name("t", "", "clock"))


def stabiliser(d: Drawer) -> None:
    """Declare a running maximum that begins at -inf, as exponential gates have it."""
    shape = d.pick("H", "M", "")
    dims = f" [{d.size(shape)}]" if shape else ""
    d.declarations.append(f"state top{dims} = -inf")
    a = d.equation("a", shape, value(d, shape, 2))
    kept = f"log_sigmoid({value(d, shape, 1)}) + top"
    d.equations.append(f"top' = maximum({kept}, {a})")
    d.equation("i", shape, f"exp({a} - top')")


def parts(d: Drawer) -> None:
    """Write a split, into equal parts or into parts of given sizes."""
    if d.chance(0.5):
        whole = value(d, "W", 2)
        names, shapes, sizes = [d.fresh("q") for _ in "ab"], ["H", "H"], ""
    else:
        a, b = value(d, "M", 1), value(d, "H", 1)
        whole, sizes = f"concat({a}, {b})", f", {d.size('M')}, hidden_size"
        names, shapes = [d.fresh("q") for _ in "ab"], ["M", "H"]
    d.equations.append(f"{', '.join(names)} = split({whole}{sizes})")
    d.names += [_Name(n, s, "value") for n, s in zip(names, shapes, strict=True)]


def micro_steps(d: Drawer) -> None:
    """Write a for block with weights of its own and a value carried through it."""
    shape = d.pick("H", "M")
    size = d.size(shape)
    d.sizes.append(f"count depth = {d.random.randint(2, 3)}")
    carried = d.fresh("s")
    first = d.pick("0", "1") if d.chance(0.2) else "1"
    d.equations.append(f"{carried} = tanh({value(d, shape, 1)})")
    x = f"{matrix(d, shape, 'I')} @ x"
    n = d.fresh("n")
    once = f"where(l == {first}, {x}, 0)"
    d.equations.append(
        f"for l in {first}..depth:\n"
        f"    weight R_b [{size}, {size}]{d.pick('', ' = 0.5 * orthogonal')}\n"
        f"    bias r_b [{size}]\n"
        f"    {n} = tanh({once} + R_b @ {carried} + r_b / (l + 1))\n"
        f"    {carried}' = {carried} + {d.number()} * ({n} - {carried})"
    )
    d.names.append(_Name(f"{carried}'", shape, "value"))


def update(d: Drawer, state: _Name) -> None:
    """Write the equation of a state: a squashed value, or a gated mixture with it."""
    new = value(d, state.shape, 3)
    match d.random.randrange(4):
        case 0:
            text = f"tanh({wrap(new)} + stop_gradient({state.text}))"
        case 1:
            gate = f"sigmoid({value(d, state.shape, 2)})"
            text = f"{state.text} + {gate} * (tanh({new}) - {state.text})"
        case 2:
            text = f"{d.number()} * {state.text} + 0.1 * tanh({new})"
        case _:
            finish(d, state, f"tanh({new})")
            return
    state.used = True
    finish(d, state, text)


def finish(d: Drawer, state: _Name, text: str) -> None:
    """Write a state's equation; its next value can be used from here on."""
    d.equations.append(f"{state.text}' = {text}")
    d.names.append(_Name(f"{state.text}'", state.shape, "next"))


def gathered(d: Drawer, shape: str, left: list[_Name]) -> str:
    """Return a sum in which everything that nothing used yet takes part."""
    terms = [value(d, shape, 2)]
    for name in left:
        if name.shape in ("", shape):
            terms.append(f"{d.number()} * {name.text}")
        elif shape == "" or d.chance(0.3):
            terms.append(f"mean({name.text})")
        else:
            terms.append(f"{matrix(d, shape, name.shape)} @ {name.text}")
    return " + ".join(wrap(term) for term in terms)


def draw_cell(random: Random) -> str:
    """Return the text of a random cell.

    Args:
        random: the only source of chance; its seed gives the same text again.
    """
    d = Drawer(random)
    inputs(d)
    found = states(d)
    # A product needs a vector that every cell has.
    for share, statement in (
        (0.2, clock),
        (0.12, stabiliser),
        (0.25, parts),
        (0.2, micro_steps),
    ):
        if d.chance(share):
            statement(d)
    for _ in range(random.randint(0, 3)):
        shape = d.pick("H", "H", "M", "", "P", "W")
        d.equation("a", shape, value(d, shape, random.randint(1, 3)))
    main = random.choice(found)
    for state in found:
        if state is not main:
            update(d, state)
    loose = [name for name in d.names if name.kind in ("value", "clock", "state")]
    loose = [name for name in loose if not name.used]
    carried = [name for name in d.names if name.kind in ("next", "input")]
    sum_of_all = gathered(d, main.shape, [*carried, *loose])
    if d.chance(0.6):
        finish(d, main, f"tanh({sum_of_all})")
        output = f"{main.text}'"
    else:
        update(d, main)
        output = d.equation("y", main.shape, f"tanh({sum_of_all} + {main.text}')")
    notes = ("", "", "", '  # it\'s "said", 50 % ü: [x] -> %3')
    d.equations = [text + random.choice(notes) for text in d.equations]
    random.shuffle(d.equations)
    body = "\n".join([*d.declarations, f"output {output}", *d.equations])
    words = {"input_size", *re.findall(r"\w+", body)}
    # A size whose user fell away would be one that nothing uses.
    sizes = [line for line in d.sizes if line.split()[1] in words]
    return "\n".join(["# A random cell.", *sizes, body]) + "\n"
