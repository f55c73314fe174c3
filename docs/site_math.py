"""Mathematics as MathML, which browsers draw by themselves: nothing is fetched, no script runs."""

import re

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

SPELLED = (  # what docutils' translator does not know
    (re.compile(r"\\(?:big|Big|bigg|Bigg)[lr]?(?![a-z])"), ""),
    (re.compile(r"\\(?:text|display)style(?![a-z])"), ""),
    (re.compile(r"\\dots(?![a-z])"), r"\\ldots"),
)


def mathml(tex, block):
    """An equation as MathML; one that cannot be translated stops the build."""
    for pattern, replacement in SPELLED:
        tex = pattern.sub(replacement, tex)
    return str(tex2mathml(tex, as_block=block))


def visit_math(self, node):
    self.body.append(mathml(node.astext(), block=False))
    raise nodes.SkipNode


def visit_math_block(self, node):
    for equation in re.split(r"\n\s*\n", node.astext().strip()):
        self.body.append(f'<div class="equation">{mathml(equation, block=True)}</div>')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
