"""What an expression is drawn as: boxes for functions, circles for operations."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence

from ..symbols import PRIME
from .forms import (
    ROWS,
    Term,
    call_inside,
    factors,
    is_formula,
    names_in,
    taken,
    terms,
)
from .wiring import Kind, Part, Source, Wire
from .words import INNER, called, cases, held, raised, short, wrapped

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("sigmoid", "hard_sigmoid", "log_sigmoid"), "gate"),
    **dict.fromkeys(("exp", "softplus", "softmax"), "gate"),
    **dict.fromkeys(("tanh", "relu", "silu", "sin", "cos", "clip"), "squash"),
    **dict.fromkeys(("layer_norm", "sum", "mean", "max"), "norm"),
}
"""The colour of a function; the others are formulas."""
_WIDTH = 28
"""Characters in a line of a box."""
_WHOLE = 16
"""Characters of a function with its sum that stand in a box as they are written."""
_NAMED, _NUMBER = 9, 12
"""Characters of a weight or a number that stands in the circle of an operation."""
_MOST_IN_CHAIN = 3
"""Functions of one another in one box."""


class Boxes:
    """Collects parts and wires while expressions are read.

    Equal expressions are drawn once.
    """

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.wires: list[Wire] = []
        self.values: dict[str, Source] = {}
        self.inside: dict[str, Source] = {}
        self.in_block = False
        self.ones: set[str] = set()
        self._made: dict[tuple[str, bool], Source] = {}

    def add(self, part: Part) -> Source:
        """Add a part, and return where its value comes from."""
        self.parts.append(part)
        return Source(len(self.parts) - 1)

    def wire(
        self,
        source: Source,
        target: int,
        mark: str = "",
        mixes: bool = False,
        sometimes: bool = False,
    ) -> None:
        """Lead a value to a part."""
        self.wires.append(Wire(source, target, mark, mixes, sometimes))

    def fixed(self, tree: ast.expr) -> bool:
        """Whether an expression is of weights, constants and numbers alone."""
        return not any(n in self.values or n in self.inside for n in names_in(tree))

    def text(self, tree: ast.expr) -> str:
        """Return an expression in full, as the file has it."""
        return ast.unparse(tree).replace(PRIME, "'")

    def source(self, tree: ast.expr) -> Source:
        """Return where the value of an expression comes from."""
        if isinstance(tree, ast.Name):
            name = tree.id.replace(PRIME, "'")
            return self.inside.get(name) or self.values[name]
        key = ast.dump(tree), self.in_block
        if key not in self._made:
            self._made[key] = self._compute(tree)
        return self._made[key]

    def _compute(self, tree: ast.expr) -> Source:
        if is_formula(tree, self.fixed):
            return self._formula(tree)
        inner = call_inside(tree, self.fixed)
        if inner is not None:
            return self._box(tree, inner)
        match tree:
            case ast.Call(func=ast.Name(id="maximum" | "minimum" as name)):
                arguments = [(False, arg) for arg in tree.args]
                return self._operation(tree, called(name), arguments, "")
            case ast.Call():
                return self._linear(tree)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return self._product(tree)
            case _:
                return self._sum(tree)

    def _part(self, kind: Kind, tree: ast.expr, lines: Sequence[str]) -> Source:
        note = self.text(tree)
        return self.add(Part(kind, (), tuple(lines), note, self.in_block))

    def _take(self, target: int, found: Sequence[Term]) -> None:
        """Lead to a box whatever its sum takes."""
        for term in found:
            mark = "−" if term.negative and not term.mixes else ""
            source = self.source(term.tree)
            self.wire(source, target, mark, term.mixes, term.when is not None)

    def _take_fixed(self, target: int, tree: ast.expr, found: Sequence[Term]) -> None:
        """Lead to a box what is drawn though it is a weight: ``A`` of ``A @ h``."""
        own = {id(node) for term in found for node in ast.walk(term.tree)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and id(node) not in own:
                name = node.id.replace(PRIME, "'")
                if name in self.inside or name in self.values:
                    self.wire(self.source(node), target, mixes=True)

    def _linear(self, tree: ast.expr) -> Source:
        """Draw products and their sum: ``W x + U h + b``."""
        found = taken(tree, self.fixed)
        own = [t.tree for t in found if not isinstance(t.tree, ast.Name)]
        text = short(tree, lambda node: any(node is inner for inner in own))
        lines = wrapped(text, _WIDTH, 3) or ("linear",)
        box = self._part("linear", tree, lines)
        # The text has the signs, and each value comes once.
        mixing = {ast.dump(term.tree) for term in found if term.mixes}
        for term in found:
            mixes = ast.dump(term.tree) in mixing
            source = self.source(term.tree)
            self.wire(source, box.part, "", mixes, term.when is not None)
        self._take_fixed(box.part, tree, found)
        return box

    def _formula(self, tree: ast.expr) -> Source:
        """Draw an expression as its text, with what it cannot say as inputs."""
        found = [t for t in _leaves(tree) if not self.fixed(t)]
        hidden = [t for t in found if not isinstance(t, ast.Name)]
        text = short(tree, lambda node: any(node is inner for inner in hidden))
        spike = any(
            isinstance(node, ast.Name) and node.id == "surrogate"
            for node in ast.walk(tree)
        )
        names = dict.fromkeys(short(t) for t in found if isinstance(t, ast.Name))
        general = f"f({', '.join([*names, *[INNER] * bool(hidden)])})"
        lines = (
            cases(text)
            or wrapped(text, _WIDTH, 5)
            or wrapped(general, _WIDTH, 3)
            or ("f",)
        )
        box = self._part("spike" if spike else "formula", tree, lines)
        for leaf in found:
            self.wire(self.source(leaf), box.part)
        return box

    def _box(self, tree: ast.expr, call: ast.Call) -> Source:
        """Draw a function with the sum that it is of, and what scales its value."""
        name = _name(call)
        if name == "concat":
            box = self._part("split", tree, (called(name),))
            for arg in call.args:
                self.wire(self.source(arg), box.part)
            return box
        chain, calls = self._chain(tree, call)
        named = [_name(one) for one in calls]
        kinds: list[Kind] = [_KINDS[one] for one in named if one in _KINDS]
        kind: Kind = kinds[-1] if kinds else "formula"
        value = calls[0].args[0]
        found = taken(value, self.fixed)
        lines = wrapped(" → ".join(chain), _WIDTH, 2) or chain
        whole = short(tree)
        if any(term.mixes for term in found):
            box = self._part(kind, tree, [*lines, *_conditions(found)])
            self._take(box.part, found)
            self._take_fixed(box.part, value, found)
        elif len(chain) == 1 and _is_short(value) and len(whole) <= _WHOLE:
            box = self._part(kind, tree, [whole])
            for leaf in _leaves(value):
                if not self.fixed(leaf):
                    self.wire(self.source(leaf), box.part)
        else:
            # Weights that scale or shift a single value are in the box.
            single = len(found) == 1 and not found[0].negative
            source = self.source(found[0].tree if single else value)
            box = self._part(kind, tree, lines)
            self.wire(source, box.part)
        for arg in call.args[1:]:
            if not self.fixed(arg):
                self.wire(self.source(arg), box.part)
        return box

    def _chain(
        self, tree: ast.expr, call: ast.Call
    ) -> tuple[list[str], list[ast.Call]]:
        """Return functions that are of one another, the innermost first, as drawn."""
        chain, calls = [self._scaled(tree, call)], [call]
        while len(chain) < _MOST_IN_CHAIN:
            value = calls[0].args[0]
            below = self._below(value)
            if below is None:
                break
            chain.insert(0, self._scaled(value, below))
            calls.insert(0, below)
        return chain, calls

    def _below(self, value: ast.expr) -> ast.Call | None:
        """Return the function whose value goes straight into another one."""
        found = call_inside(value, self.fixed)
        single = found is not None and len(found.args) == 1
        return found if single and not is_formula(value, self.fixed) else None

    def _scaled(self, tree: ast.expr, call: ast.Call) -> str:
        """Return the label of a function; numbers round it are shown, weights not."""
        own = called(_name(call))
        outside = [n for n in ast.walk(tree) if isinstance(n, ast.Name)]
        inside = [n for n in ast.walk(call) if isinstance(n, ast.Name)]
        if tree is call or len(outside) > len(inside):
            return own
        text = short(tree, lambda node: node is call)
        return text.replace(f"·{INNER}", own).replace(INNER, own)

    def _operation(
        self,
        tree: ast.expr,
        label: str,
        operands: Sequence[tuple[bool, ast.expr]],
        mark: str,
    ) -> Source:
        counted = Counter(
            (marked, self.source(operand)) for marked, operand in operands
        )
        taken_once: list[tuple[bool, Source]] = []
        for (marked, source), count in counted.items():
            # Two wires from one place to another would look like one.
            again = _repeated(label, count)
            if again:
                several = self._part("operation", tree, (again,))
                self.wire(source, several.part)
                if len(counted) == 1 and not marked and len(label) == 1:
                    return several
                source = several
            taken_once.append((marked, source))
        circle = self._part("operation", tree, (label,))
        for marked, source in taken_once:
            self.wire(source, circle.part, mark if marked else "")
        return circle

    def _product(self, tree: ast.expr) -> Source:
        found = list(factors(tree))
        steps = [(below, f) for below, f in found if not self.fixed(f)]
        rest = [(below, f) for below, f in found if self.fixed(f)]
        if len(steps) == 1:
            if any(term.mixes for term in taken(tree, self.fixed)):
                return self._linear(tree)
            return self._single(tree, steps[0][1])
        rest = [(below, f) for below, f in rest if short(f) not in self.ones]
        return self._operation(tree, _with_fixed("×", "÷", rest), steps, "÷")

    def _sum(self, tree: ast.expr) -> Source:
        if any(term.mixes for term in taken(tree, self.fixed)):
            return self._linear(tree)
        found = list(terms(tree))
        steps = [(minus, t) for minus, t in found if not self.fixed(t)]
        rest = [(minus, t) for minus, t in found if self.fixed(t)]
        if len(steps) == 1:
            return self._single(tree, steps[0][1])
        return self._operation(tree, _with_fixed("+", "−", rest), steps, "−")

    def _single(self, tree: ast.expr, operand: ast.expr) -> Source:
        """Draw what numbers and weights do to one value: ``1−``, ``× eps``."""
        text = short(tree, lambda node: node is operand)
        text = _simple(text)
        if isinstance(operand, ast.Name) and len(text) > 8:
            return self._formula(tree)
        if len(text) > 12:
            text = "weights"
        return self._operation(tree, text, [(False, operand)], "")


def _simple(text: str) -> str:
    """Return an operation on one value without the sign for the value.

    Example:
        >>> _simple("eps·□"), _simple("1 − □"), _simple("□ + 1")
        ('× eps', '1−', '+ 1')
    """
    if text == f"1 − {INNER}":
        return "1−"
    if text.endswith(f"·{INNER}") and text.count(INNER) == 1:
        return f"× {text[:-2]}"
    rest = text.removeprefix(f"{INNER} ").removeprefix(INNER)
    if rest != text and INNER not in rest and rest[0] in "+−·/":
        return (
            rest.replace("·", "× ", 1).replace("/", "÷", 1) if rest[0] in "·/" else rest
        )
    return text


def _with_fixed(sign: str, inverse: str, rest: Sequence[tuple[bool, ast.expr]]) -> str:
    """Return the label of an operation that numbers and weights take part in too.

    Example:
        >>> three, w = (ast.parse(text, mode="eval").body for text in ("3", "a_scale"))
        >>> _with_fixed("+", "−", [(True, three)]), _with_fixed("×", "÷", [(False, w)])
        ('+ (−3)', '× a_scale')
    """
    if not rest:
        return sign
    named = any(isinstance(n, ast.Name) for _, tree in rest for n in ast.walk(tree))
    if len(rest) == 1:
        [(inverted, tree)] = rest
        text = held(tree, inverted and sign == "×")
        if inverted:
            text = f"({inverse}{text})" if sign == "+" else f"1/{text}"
        if len(text) <= (_NAMED if named else _NUMBER):
            return f"{sign} {text}"
    return f"{sign} {'weights' if named else 'numbers'}"


def _is_short(tree: ast.expr) -> bool:
    """Whether a sum of names can stand in the box of its function as it is."""
    found = [term for _, term in terms(tree)]
    plain = all(isinstance(t, ast.Name | ast.Constant) for t in found)
    return plain and len(found) > 1


def _repeated(label: str, count: int) -> str:
    """Return what is done to a value that stands several times: ``a * a`` is a square.

    Example:
        >>> _repeated("×", 2), _repeated("+", 3), _repeated("max", 2), _repeated("+", 1)
        ('□²', '× 3', '', '')
    """
    if count == 1 or label[0] not in "×+":
        return ""
    return f"{INNER}{raised(count)}" if label[0] == "×" else f"× {count}"


def _conditions(found: Sequence[Term]) -> list[str]:
    """Return what is said of values that are there in some micro-steps alone."""
    said = [f"{short(t.tree)} if {short(t.when)}" for t in found if t.when]
    return [line for line in dict.fromkeys(said) if len(line) <= _WIDTH]


def _name(call: ast.Call) -> str:
    assert isinstance(call.func, ast.Name)
    return call.func.id


def _leaves(tree: ast.expr) -> list[ast.expr]:
    """Return names, and what no formula says elementwise: products, sums of rows."""
    match tree:
        case ast.Name():
            return [tree]
        case ast.BinOp(op=ast.MatMult()):
            return [tree]
        case ast.Call(func=ast.Name(id=name)) if name in ROWS:
            return [tree]
        case ast.Call(args=args):
            return [leaf for arg in args for leaf in _leaves(arg)]
        case _:
            parts = ast.iter_child_nodes(tree)
            return [
                leaf
                for part in parts
                if isinstance(part, ast.expr)
                for leaf in _leaves(part)
            ]
