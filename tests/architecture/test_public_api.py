"""What the package offers is listed, is there, and is documented."""

import ast
import importlib
import inspect

import pytest
import torch
from torch import nn

import cellwright
from cellwright.explain.opened import Explained
from public_names import public_names, rooms

OFFERED = [(room, name) for room, names in rooms().items() for name in names]


@pytest.mark.parametrize(
    "room", ["cellwright", "cellwright.cells", "cellwright.nn", "cellwright.train"]
)
def test_rooms_for_users_offer_names(room: str):
    """A room that users import from says in its `__init__.py` what it offers."""
    assert public_names(importlib.import_module(room)) != []


def test_front_door_says_the_same_to_type_checkers():
    """What is imported at its first use is what a type checker reads."""
    tree = ast.parse(inspect.getsource(cellwright))
    read = next(node for node in tree.body if isinstance(node, ast.If))
    homes = {
        alias.name: (statement.module or alias.name)
        for statement in read.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }

    # A room that can be called is a function to them.
    assert homes.pop("explain") == "explain.opened"
    assert homes == {n: h for n, h in cellwright._HOMES.items() if n != "explain"}


def test_the_room_explain_is_its_function():
    """Whatever was imported of it before."""
    room = importlib.import_module("cellwright.explain")
    found = cellwright.explain(nn.RNN(2, 3), torch.zeros(4, 1, 2))

    assert cellwright.explain is room
    assert isinstance(found, Explained)


@pytest.mark.parametrize("room", rooms())
def test_names_are_offered_once(room: str):
    """No public name stands twice in a room."""
    names = rooms()[room]

    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(("room", "name"), OFFERED)
def test_public_name_is_documented(room: str, name: str):
    """Each public name exists, and each class or function has its own docstring."""
    value = getattr(importlib.import_module(room), name)

    if inspect.ismodule(value) or inspect.isclass(value) or inspect.isroutine(value):
        # vars() for classes: a docstring inherited from torch documents another class.
        own = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__
        assert (own or "").strip(), f"{room}.{name} has no docstring"


@pytest.mark.parametrize(("room", "name"), OFFERED)
def test_public_methods_are_documented(room: str, name: str):
    """Each public method and property that a public class defines has a docstring."""
    value = getattr(importlib.import_module(room), name)
    members = vars(value) if inspect.isclass(value) else {}

    silent = [
        f"{room}.{name}.{attribute}"
        for attribute, member in members.items()
        if not attribute.startswith("_")
        and (inspect.isroutine(member) or isinstance(member, property))
        and not (inspect.getdoc(member) or "").strip()
    ]
    assert silent == []
