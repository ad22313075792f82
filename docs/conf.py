"""Sphinx's settings. ``make docs`` builds the pages; nothing is downloaded while it does."""

import os
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

# The examples run in this process: one thread each, as in the tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

# Examples show what everybody sees: without data that some machines have.
os.environ["ROBFAIR_DATA"] = str(HERE / "_build" / "none")

from api_pages import write_api_pages, write_help  # noqa: E402

import robfair  # noqa: E402

write_api_pages(HERE / "api")
write_help(HERE / "api" / "robfair-audit.txt")

project = "robfair"
author = "The robfair developers"
copyright = "The robfair developers, BSD-3-Clause"
version = release = robfair.__version__

extensions = [
    "fold_tables",
    "mathml",
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
times = "sg_execution_times.rst"  # sphinx-gallery writes one per folder
exclude_patterns = ["_build", "reproduction/*", times, f"examples/{times}"]
nitpicky = True
# Other projects' names stay plain text: their inventories would have to be downloaded.
nitpick_ignore_regex = [
    (r"py:.*", rf"{package}\..*")
    for package in ("fairlearn", "joblib", "numpy", "pandas", "sklearn", "skops", "skorch", "torch")
]

toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # numpydoc's Parameters say more
autosummary_generate = False  # api_pages writes them
numpydoc_show_class_members = False  # api_pages names the members that are robfair's own
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

plot_formats = [("svg", 100)]
plot_html_show_formats = False
plot_html_show_source_link = False
plot_rcparams = {"svg.fonttype": "none"}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "examples",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "example_order.SimpleFirst",
    "abort_on_example_error": True,
    "backreferences_dir": "api/examples",
    "doc_module": ("robfair",),
    "reference_url": {"robfair": None},
    "download_all_examples": False,
    "min_reported_time": 1000,
    "remove_config_comments": True,
    "show_signature": False,
}
# A warning in an example is a mistake of ours, as in the tests.
warnings.filterwarnings("error", category=UserWarning, module=r"robfair\..*")

html_math_renderer = "mathml"

default_role = "literal"  # `name` in a docstring is code, as in scikit-learn

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["robfair.css"]
html_title = f"robfair {release}"
html_show_sourcelink = False
html_copy_source = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
}
# Pages that stand alone have nothing to show on the left.
alone = (
    "index",
    "reproduction",
    "benchmarks",
    "measured",
    "measured/*",
    "running-benchmarks",
    "first-hour",
    "changelog",
    "contributing",
)
html_sidebars = {page: [] for page in alone}


def link_to_pages(app, docname, source):
    """Let links to files outside of docs/ lead to the pages that include them."""
    source[0] = source[0].replace("](../benchmarks/README.md)", "](running-benchmarks.md)")


def setup(app):
    """Connect it."""
    app.connect("source-read", link_to_pages)
