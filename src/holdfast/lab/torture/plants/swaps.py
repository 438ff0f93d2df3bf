"""How a bug is put into running code, and taken out again.

swapped    an attribute of a class or module is another one
everywhere the same for a function that several modules of ours took over by its name
without    a function loses the statements that name a rule: exactly that row of its table, and nothing else
reworded   some words of a function's source are others
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FunctionType, ModuleType

OURS = "holdfast."


@contextmanager
def swapped(owner: Any, name: str, other: object) -> Iterator[None]:
    """Let `owner.name` be `other` meanwhile."""
    was = owner.__dict__[name]
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, was)


@contextmanager
def everywhere(function: Callable[..., object], other: Callable[..., object]) -> Iterator[None]:
    """Let every module of ours that has the function under any name have `other` meanwhile."""
    places = [
        (module, name)
        for path, module in sorted(sys.modules.items())
        if path.startswith(OURS)
        for name, value in sorted(vars(module).items())
        if value is function
    ]
    for module, name in places:
        setattr(module, name, other)
    try:
        yield
    finally:
        for module, name in places:
            setattr(module, name, function)


@contextmanager
def without(function: Any, *marks: str) -> Iterator[None]:
    """Take the statements out that name one of the marks (`Reason.X`, `"rule"`, an assigned `name`).

    Raises LookupError if a mark is not there: the function was changed, and the plant with it.
    """
    was = function.__code__
    function.__code__ = _code_without(function, marks)
    try:
        yield
    finally:
        function.__code__ = was


@contextmanager
def reworded(function: Any, was: str, now: str) -> Iterator[None]:
    """Let some words of a function's source be others meanwhile; its decorators stay.

    Raises LookupError if they do not stand there exactly once: the function was changed, and the plant with it.
    """
    source, code = textwrap.dedent(inspect.getsource(function)), function.__code__
    if source.count(was) != 1:
        raise LookupError(f"{function.__qualname__} has {was!r} {source.count(was)} times, not once")
    tree = ast.parse(source.replace(was, now))
    function.__code__ = _compiled(function, tree)
    try:
        yield
    finally:
        function.__code__ = code


def _code_without(function: FunctionType, marks: tuple[str, ...]) -> CodeType:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    missing = set(marks)

    def keeps(statement: ast.stmt) -> bool:
        named = _named_by(statement) & set(marks)
        missing.difference_update(named)
        return not named

    body = _definition(function, tree)
    body.body = [statement for statement in body.body if keeps(statement)]
    if missing:
        raise LookupError(f"{function.__qualname__} has no {', '.join(sorted(missing))}")
    return _compiled(function, tree)


def _definition(function: FunctionType, tree: ast.Module) -> ast.FunctionDef | ast.AsyncFunctionDef:
    body = tree.body[0]
    if not isinstance(body, ast.FunctionDef | ast.AsyncFunctionDef):
        raise TypeError(f"{function.__qualname__} is no function")
    return body


def _compiled(function: FunctionType, tree: ast.Module) -> CodeType:
    module: ModuleType = sys.modules[function.__module__]
    _definition(function, tree).decorator_list = []
    names: dict[str, Any] = {}
    exec(compile(tree, module.__file__ or "", "exec"), dict(vars(module)), names)  # noqa: S102 - our own source, less a row
    code: CodeType = names[function.__name__].__code__
    return code


def _named_by(statement: ast.stmt) -> set[str]:
    """What a statement returns or assigns, by the words that marks use."""
    found: set[str] = set()
    if isinstance(statement, ast.Assign):
        found.update(target.id for target in statement.targets if isinstance(target, ast.Name))
    for node in ast.walk(statement):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Call):
            found.update(ast.unparse(argument) for argument in node.value.args)
    return found
