"""The site: these pages, the changes, the results and the API reference, readable offline."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from site_figures import SETTINGS

from untwine import __version__

project = "Untwine"
author = "The Untwine developers"
copyright = author
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "site_pages",
    "site_math",
]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/results/*.md",
    "docs/**.md",
    "docs/api/*.rst",
    "docs/made/*.rst",
]
default_role = "py:obj"

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 4

autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_custom_sections = [
    ("Shape", "notes_style"),
    ("Deviations", "notes_style"),
]
napoleon_use_ivar = True
napoleon_use_rtype = False

sphinx_gallery_conf = SETTINGS

html_theme = "furo"
html_title = f"Untwine {__version__}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
