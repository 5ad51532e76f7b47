"""How Sphinx makes the site of these pages; `make docs` runs it with warnings as errors.

The source folder is the repository and not docs/, so that a link that holds where the files lie (README.md to docs/,
docs/ to CONTRIBUTING.md or examples/) holds on the site too: other pages become pages, other files are copied beside them.
Nothing on the site is fetched from elsewhere: fonts are the system's, mathematics is MathML.
"""

import re
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

import analogflow

project = "analogflow"
author = "the analogflow authors"
copyright = "the analogflow authors; GPL-3.0-or-later"
version = release = analogflow.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "ngspice_setup.md", "docs/**"]
exclude_patterns = ["build", "docs/images", "docs/style", "docs/conf.py"]
root_doc = "docs/index"
highlight_language = "text"  # an indented block of a page is a formula, not a program
default_role = "literal"  # what a docstring puts between single backticks is a name

myst_heading_anchors = 4  # links such as page.md#a-heading, as GitHub makes them

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autosummary_generate = False  # tables of what stands on the page, no pages of their own
napoleon_google_docstring = False
napoleon_use_param = False  # a field list would read "shape (size,)" as links to whatever is called size
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"analogflow {version}"
html_math_renderer = "mathml"
html_static_path = ["style"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_extra_path = ["style/index.html"]

FETCHED = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=.(https?://[^\"' >]+)")
LOGGER = logging.getLogger(__name__)


def name_folders(app: Sphinx, document: nodes.document) -> None:
    """Show a link to a folder of the repository as its name: a site has no page for a folder."""
    here = Path(app.srcdir, app.env.docname).parent
    for link in [*document.findall(addnodes.pending_xref)]:
        if Path(here, link["reftarget"]).is_dir():
            link.replace_self(nodes.literal(text=link.astext()))


def mathml(translator, node: nodes.Element, display: str) -> None:
    """Write a formula as MathML, which browsers show by themselves."""
    translator.body.append(f'<span class="math {display}">{tex2mathml(node.astext(), as_block=display == "block")}</span>')
    raise nodes.SkipNode


def refuse_network(app: Sphinx, fault: Exception | None) -> None:
    """Fail the build if a page would fetch something from elsewhere when it is looked at."""
    for page in Path(app.outdir).rglob("*.html"):
        for fetched in FETCHED.findall(page.read_text(encoding="utf-8")):
            LOGGER.warning("%s would fetch %s", page.relative_to(app.outdir), fetched)


def setup(app: Sphinx) -> None:
    """Connect what is not an option of Sphinx or of an extension."""
    app.connect("doctree-read", name_folders)
    app.connect("build-finished", refuse_network)
    app.add_html_math_renderer(
        "mathml",
        (lambda translator, node: mathml(translator, node, "inline"), None),
        (lambda translator, node: mathml(translator, node, "block"), None),
    )
