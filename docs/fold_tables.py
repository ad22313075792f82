"""Long tables of the measurements wait behind their titles, so that the text can be read."""

from docutils import nodes

SHORT = 6  # rows that stay open


def fold(doctree):
    """Put long tables into ``<details>``, but the first one, which sums up the page."""
    for table in list(doctree.findall(nodes.table))[1:]:
        rows = len(next(table.findall(nodes.tbody)))
        if rows <= SHORT:
            continue
        titles = [entry.astext() for entry in next(table.findall(nodes.thead)).findall(nodes.entry)]
        summary = nodes.paragraph("", f"Table of {rows} rows: {', '.join(filter(None, titles))}")
        parent = table.parent
        at = parent.index(table)
        parent[at : at + 1] = [
            nodes.raw("", "<details class='long-table'><summary>", format="html"),
            *summary.children,
            nodes.raw("", "</summary>", format="html"),
            table,
            nodes.raw("", "</details>", format="html"),
        ]


def fold_pages(app, doctree, docname):
    """Fold the tables of the pages of measurements."""
    if docname.partition("/")[0] == "measured" and app.builder.format == "html":
        fold(doctree)


def setup(app):
    """Connect it."""
    app.connect("doctree-resolved", fold_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
