"""How Sphinx builds the pages: offline, warnings as errors, examples executed."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "cellwright"
author = "the cellwright authors"
copyright = "2026, the cellwright authors"
release = version = installed_version("cellwright")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "cell_figure",
    "cell_gallery",
    "command_line",
    "error_gallery",
    "function_table",
    "page_gallery",
    "public_api",
    "questions",
]
exclude_patterns = ["_build", "_ext"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_title = f"cellwright {release}"
html_copy_source = False
# The pages have no sections of their own, so the bar at the left would be empty.
html_sidebars = {"**": []}
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
}

autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Shape"]

# Examples in docstrings run with pytest; here run those that the pages add.
doctest_test_doctest_blocks = ""
doctest_global_setup = """
import torch
import cellwright as cw
torch.manual_seed(0)
"""

# Other projects' names have no page here, and nothing is fetched while building. Ours
# by their full path are types that annotations name and no room offers.
nitpick_ignore_regex = [
    (
        r"py:.*",
        r"(collections|contextlib|fractions|matplotlib|numpy|np|os|pathlib)\..*",
    ),
    (r"py:.*", r"(rich|torch|typing)\..*"),
    (r"py:.*", r"(Callable|Iterator|Mapping|Path|PathLike|Sequence|Tensor|optional)"),
    (r"py:.*", r"cellwright(\.\w+){3,}"),
]
