"""What the build writes beside the pages: the API reference, and lists of pages below an index."""

import importlib
import inspect
from pathlib import Path

from sphinx.util import inspect as documented
from sphinx.util.nodes import make_refnode

from untwine.spec import Recorded

ROOMS = {
    "untwine": "The public nouns",
    "untwine.data": "Data sets, samplers, batches",
    "untwine.nets": "Architectures",
    "untwine.distributions": "Likelihoods, posteriors, priors",
    "untwine.functional": "Equations",
    "untwine.methods": "Methods and penalties",
    "untwine.encoding": "Codes of a data set",
    "untwine.metrics": "Metrics",
    "untwine.evaluation": "Many metrics at once",
    "untwine.training": "Training and runs",
    "untwine.diagnostics": "Diagnostics",
    "untwine.plots": "Figures",
    "untwine.study": "Studies",
    "untwine.use": "A trained method at work",
    "untwine.report": "Pages of runs",
    "untwine.explore": "The explorer",
    "untwine.testing": "Laws for methods and metrics of others",
}
KINDS = (("Classes", inspect.isclass, "autoclass"), ("Functions", callable, "autofunction"))
INHERITED = {"untwine.training.Run"}  # whose methods are defined in several modules
NESTED = {  # pages whose own pages stand below them in the site's list
    "docs/data": "data/*",
    "docs/methods/index": "*",
    "docs/metrics/index": "*",
    "docs/diagnostics/index": "*",
    "docs/studies/index": "*",
    "docs/tutorials/index": "*",
    "docs/results": "../benchmarks/results/*",
}
START = '<!doctype html><meta http-equiv="refresh" content="0; url=docs/index.html">\n'


def heading(text, mark):
    return f"{text}\n{mark * len(text)}\n"


def public(module, name):
    """Whether a room has an object of its own beside those of ``__all__``, such as a protocol."""
    value = getattr(module, name)
    own = getattr(value, "__module__", None) or ""
    return not name.startswith("_") and callable(value) and own.startswith(f"{module.__name__}.")


def page(room, title):
    """The reference of a room: its classes, then its functions, in the order of the alphabet."""
    module = importlib.import_module(room)
    parts = [heading(f"{room}: {title.lower()}", "="), f".. automodule:: {room}\n   :no-members:\n"]
    if room == "untwine":  # each of them is described in its room
        return "\n".join([*parts, *(f"- `untwine.{name}`" for name in sorted(module.__all__)), ""])
    names = sorted({*module.__all__, *(n for n in vars(module) if public(module, n))})
    names = [name for name in names if not inspect.ismodule(getattr(module, name))]
    seen = set()
    for kind, belongs, directive in KINDS:
        members = [n for n in names if n not in seen and belongs(getattr(module, n))]
        seen.update(members)
        if members:
            parts.append(heading(kind, "-"))
            for name in members:
                also = "   :inherited-members:\n" if f"{room}.{name}" in INHERITED else ""
                parts.append(f".. {directive}:: {room}.{name}\n{also}")
    return "\n".join(parts)


def write(app):
    """The reference, in ``docs/api``; pages that have not changed are left alone."""
    folder = Path(app.srcdir) / "docs/api"
    folder.mkdir(exist_ok=True)
    pages = {room.replace(".", "_"): page(room, title) for room, title in ROOMS.items()}
    entries = "".join(f"   {room} <{room.replace('.', '_')}>\n" for room in ROOMS)
    pages["index"] = heading("Reference", "=") + f"\n.. toctree::\n   :maxdepth: 1\n\n{entries}"
    for name, content in pages.items():
        file = folder / f"{name}.rst"
        if not file.exists() or file.read_text() != content:
            file.write_text(content)


def nest(app, name, source):
    """Puts the list of its pages below an index: on GitHub, the index's own links do that."""
    if name in NESTED:
        source[0] += "\n".join(
            ["", "```{toctree}", ":hidden:", ":glob:", "", NESTED[name], "```\n"]
        )


def signature(app, what, name, obj, options, text, returned):
    """What a constructor takes: autodoc would show ``__new__``, which notes arguments of any kind.

    Protocols have no constructor. Those of other classes, functions and methods stay as they are.
    """
    if what != "class":
        return None
    if getattr(obj, "_is_protocol", False):
        return "", None
    if not issubclass(obj, Recorded):
        return None
    init = obj.__init__
    if not (inspect.isfunction(init) and init.__module__.startswith("untwine.")):
        return "()", None
    takes = documented.signature(init, bound_method=True)
    return documented.stringify_signature(
        takes, show_return_annotation=False, unqualified_typehints=True
    ), None


def documented_name(objects, target):
    """The place in the reference of a name as docstrings and signatures have it; none if unclear.

    Docstrings say ``nets.MLP``, ``Run.measure`` or ``untwine.fit``; signatures name the module in
    which a class is defined, below the room that shows it.
    """
    parts = target.removeprefix("untwine.").split(".")
    for k in range(len(parts)):
        name = ".".join(["untwine", *parts[:1], *parts[1 + k :]])
        if len(parts) > 1 and name in objects:
            return name
    ends = [name for name in objects if name.endswith(f".{'.'.join(parts)}")]
    depth = min((name.count(".") for name in ends), default=0)
    highest = [name for name in ends if name.count(".") == depth]
    return highest[0] if len(highest) == 1 else None


def resolve(app, env, node, content):
    """Links names that Sphinx looks for on one page alone."""
    if node.get("refdomain") != "py":
        return None
    objects = env.domains.python_domain.objects
    name = documented_name(objects, node["reftarget"])
    if name is None:
        return None
    entry = objects[name]
    start = node.get("refdoc", env.docname)
    return make_refnode(app.builder, start, entry.docname, entry.node_id, content, name)


def begin(app, error):
    """The site's first address leads to its first page."""
    if error is None and app.builder.name == "html":
        (Path(app.outdir) / "index.html").write_text(START)


def setup(app):
    app.connect("builder-inited", write)
    app.connect("source-read", nest)
    app.connect("autodoc-process-signature", signature)
    app.connect("missing-reference", resolve)
    app.connect("build-finished", begin)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
