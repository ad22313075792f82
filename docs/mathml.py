"""Formulas as MathML, which browsers draw themselves: MathJax would come from the network."""

from xml.etree import ElementTree

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
ElementTree.register_namespace("", NAMESPACE)


def to_mathml(tex, block=False):
    """Return a formula of LaTeX as a ``<math>`` element."""
    root = ElementTree.fromstring(tex2mathml(tex, as_block=block))
    for element in root.iter(f"{{{NAMESPACE}}}munderover"):
        base, index, over = element
        if over.get("stretchy") == "false":  # an accent: docutils puts the index of L̄_P below it
            element.tag = f"{{{NAMESPACE}}}msub"
            mover = ElementTree.Element(f"{{{NAMESPACE}}}mover", accent="true")
            mover.extend([base, over])
            element[:] = [mover, index]
    return ElementTree.tostring(root, encoding="unicode")


def visit_inline(writer, node):
    """Write a formula in a line."""
    writer.body.append(to_mathml(node.astext()))
    raise nodes.SkipNode


def visit_block(writer, node):
    """Write a formula of its own, which scrolls where the screen is narrow."""
    writer.body.append(f'<div class="formula" tabindex="0">{to_mathml(node.astext(), True)}</div>')
    raise nodes.SkipNode


def setup(app):
    """Offer the renderer to Sphinx."""
    app.add_html_math_renderer(
        "mathml", inline_renderers=(visit_inline, None), block_renderers=(visit_block, None)
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
