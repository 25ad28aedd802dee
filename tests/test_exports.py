"""The public names: the same to a type checker and to a program, and each explained."""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
from pathlib import Path

import pytest

import axiom_trio

INIT = ast.parse(Path(axiom_trio.__file__).read_text())


def static_names() -> dict[str, str]:
    """What type checkers see: the names imported under TYPE_CHECKING, and from where."""
    names = {}
    for node in INIT.body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                assert statement.module is not None
                for alias in statement.names:
                    assert alias.asname == alias.name, "`X as X` makes it public"
                    names[alias.name] = statement.module
    return names


STATIC = static_names()


def documented(name: str) -> bool:
    """Whether a class or function has a docstring, or an alias a string behind it."""
    value = getattr(axiom_trio, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        return bool(value.__doc__)
    body = ast.parse(inspect.getsource(sys.modules[STATIC[name]])).body
    for node, after in itertools.pairwise(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            return isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    return False


def test_static_and_run_time_names_agree() -> None:
    assert STATIC
    assert [*axiom_trio.__all__] == sorted(STATIC)
    assert dir(axiom_trio) == [*axiom_trio.__all__]


@pytest.mark.parametrize("name", sorted(STATIC))
def test_each_name_resolves_and_is_explained(name: str) -> None:
    value = getattr(axiom_trio, name)
    module = __import__(STATIC[name], fromlist=[name])
    assert value is getattr(module, name)
    assert documented(name)


@pytest.mark.parametrize("name", sorted(STATIC))
def test_public_methods_are_explained(name: str) -> None:
    value = getattr(axiom_trio, name)
    if not inspect.isclass(value):
        pytest.skip("no class")
    missing = []
    for attribute, member in vars(value).items():
        function = getattr(member, "__func__", member)  # of a classmethod or staticmethod
        is_method = inspect.isroutine(function) or isinstance(member, property)
        if not attribute.startswith("_") and is_method and not function.__doc__:
            missing.append(attribute)
    assert missing == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'axiom_trio' has no attribute 'nope'"):
        axiom_trio.nope  # noqa: B018 (looked up, and so missed)


def test_type_checkers_are_told_to_look() -> None:
    assert Path(axiom_trio.__file__).with_name("py.typed").is_file()
