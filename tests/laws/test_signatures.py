"""Signatures of the package: at most seven positional arguments."""

import ast
from pathlib import Path

import untwine

SOURCES = sorted(Path(untwine.__file__).parent.rglob("*.py"))
MOST = 7


def positional(node):
    """How many arguments a function, or the constructor of a dataclass, takes by position."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
        return len(names[1:] if names[:1] in (["self"], ["cls"]) else names)
    decorators = {ast.unparse(d) for d in node.decorator_list}
    if not any(d.startswith("dataclass") and "kw_only=True" not in d for d in decorators):
        return 0
    fields = [statement for statement in node.body if isinstance(statement, ast.AnnAssign)]
    kinds = [ast.unparse(field.annotation) for field in fields]
    kinds = kinds[: kinds.index("KW_ONLY")] if "KW_ONLY" in kinds else kinds
    return sum("ClassVar" not in kind for kind in kinds)


def test_no_function_takes_more_than_seven_arguments_by_position():
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    long = [
        f"{path.name}:{node.lineno} takes {positional(node)}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, kinds) and positional(node) > MOST
    ]
    assert not long


def test_the_count_of_positional_arguments():
    def count(text):
        return positional(ast.parse(text).body[0])

    assert count("def f(self, a, /, b, *, c): pass") == 2
    assert count("@dataclass\nclass A:\n    a: int\n    _: KW_ONLY\n    b: int") == 1
    assert count("@dataclass(frozen=True, kw_only=True)\nclass A:\n    a: int") == 0
    assert count("class A:\n    a: int") == 0
