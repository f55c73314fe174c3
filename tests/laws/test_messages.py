"""Words of error messages: they begin with what the user wrote, not with a class inside."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import untwine

ROOT = Path(untwine.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
TREES = {path: ast.parse(path.read_text()) for path in FILES}
#: But for those that are called as what they are of is called.
CLASSES = {n.name for t in TREES.values() for n in ast.walk(t) if isinstance(n, ast.ClassDef)}
CLASSES -= {"KL", "VGG16"}

#: What the user has named: the method, in whatever way, and the class of a command line.
NAMED = {"cls.__name__", "type(method).__name__", "type(self.method).__name__"}


def words(node: ast.expr) -> str:
    """The text of a message, with placeholders in braces."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
            for part in node.values
            if isinstance(part, ast.Constant | ast.FormattedValue)
        )
    if isinstance(node, ast.BinOp):
        return words(node.left) + words(node.right)
    return ""


def messages() -> Iterator[tuple[Path, int, str]]:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            call = node.exc if isinstance(node, ast.Raise) else node
            raised = isinstance(node, ast.Raise) and isinstance(call, ast.Call)
            warned = isinstance(call, ast.Call) and ast.unparse(call.func) == "warnings.warn"
            if isinstance(call, ast.Call) and (raised or warned) and call.args:
                yield path, call.lineno, words(call.args[0])


def foreign(message: str, *, of_method: bool) -> str | None:
    """The class among the first three words that the user need not have named, if there is one.

    ``prior is a VampPrior`` says what was given for an argument, and begins with the argument.
    """
    named = NAMED | {"type(self).__name__"} if of_method else NAMED
    for word in re.findall(r"\{[^}]*\}|[\w.]+", message)[:3]:
        if word in ("is", "are", "of", "returns", "returned"):
            return None
        inner = word.strip("{}")
        inside = inner in CLASSES or (inner.endswith("__name__") and "type(" in inner)
        if inside and inner not in named:
            return inner
    return None


def test_messages_begin_with_what_the_user_wrote():
    wrong = []
    count = 0
    for path, line, message in messages():
        count += 1
        of_method = path.parent.name == "methods" or path.name == "spec.py"
        if (name := foreign(message, of_method=of_method)) is not None:
            wrong.append(f"{path.relative_to(ROOT)}:{line}: {name} in {message[:60]!r}")
    assert count > 500
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("MixtureBound needs a mixture prior", "MixtureBound"),
        ("a {type(q).__name__} is no Gaussian", "type(q).__name__"),
        ("{type(self.prior).__name__} has no components", "type(self.prior).__name__"),
        ("prior is a VampPrior, which encodes pseudo-inputs", None),
        ("{type(method).__name__} learns from pairs", None),
        ("x has 2 columns; Mixed has likelihoods for 3", None),
    ],
)
def test_which_words_are_refused(message, name):
    assert foreign(message, of_method=False) == name
