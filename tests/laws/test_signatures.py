"""Signatures of the package: few positional arguments, and types without Any."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import untwine
import untwine.data
import untwine.methods
from untwine.data.batches import Batch
from untwine.data.sampler import Sampler
from untwine.encoding import Codes
from untwine.methods import Method, Penalty

SOURCES = sorted(Path(untwine.__file__).parent.rglob("*.py"))
MOST = 7


def family(cls):
    """A class of the package and what derives from it there."""
    members = {cls} if cls.__module__.startswith("untwine.") else set()
    return members.union(*map(family, cls.__subclasses__()))


CONTRACTS = sorted(
    set().union(*map(family, (Batch, Codes, Method, Penalty, Sampler))), key=lambda c: c.__name__
)


def functions(cls):
    """The functions that a class defines for others, by name; those of properties, too."""
    for name, value in vars(cls).items():
        if name.startswith("_") and name not in ("__init__", "__call__"):
            continue
        if isinstance(value, property):
            value = value.fget
        value = inspect.unwrap(getattr(value, "__func__", value))
        if inspect.isfunction(value) and value.__module__.startswith("untwine."):
            yield name, value


@pytest.mark.parametrize("cls", CONTRACTS, ids=lambda cls: cls.__name__)
def test_signatures_of_methods_batches_codes_samplers_and_penalties_have_no_any(cls):
    untyped = [
        f"{cls.__name__}.{name}: {argument} is {annotation}"
        for name, function in functions(cls)
        for argument, annotation in inspect.get_annotations(function).items()
        if re.search(r"\bAny\b", str(annotation))
    ]
    fields = inspect.get_annotations(cls).items()
    untyped += [f"{cls.__name__}.{n}: {a}" for n, a in fields if re.search(r"\bAny\b", str(a))]
    assert not untyped


def test_moves_take_a_batch():
    for cls in CONTRACTS:
        if issubclass(cls, Method) and "moves" in vars(cls):
            assert inspect.get_annotations(cls.moves)["batch"] == "Batch"


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


FOREIGN = {  # of arrays, tables and tensors of other packages, of Python's objects and of systems
    *("detach", "columns", "iloc", "toarray", "tocsr", "to_numpy", "indptr", "dtype", "name"),
    *("numpy_dtype", "mod", "obsm", "covariance_matrix", "batch_size", "anchor", "filename"),
    *("__name__", "__qualname__", "__func__", "__doc__", "__fspath__", "__len__", "__globals__"),
    *("__abstractmethods__", "_is_protocol", "sched_getaffinity", "EDQUOT", "precision"),
    *("O_NONBLOCK", "O_BINARY", "O_CLOEXEC"),
    *("__getitem__", "targets", "target_transform", "classes"),  # datasets of torchvision
}
ATTRIBUTES = {  # which data, not what can be done: settings of heads, parts of data sets
    *("takes_covariates", "reference", "whole", "data", "files", "size", "supervision"),
}


def test_what_an_object_can_do_is_a_type():
    """No method is probed by its name: what an object can do is asked by isinstance."""
    probes = [
        f"{path.name}:{node.lineno} asks for {node.args[1].value}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("hasattr", "getattr")
        and isinstance(node.args[1], ast.Constant)
        and node.args[1].value not in FOREIGN | ATTRIBUTES
    ]
    assert not probes
