"""The site that `make docs` builds from these pages; a warning fails it."""

from importlib.metadata import version as version_of

project = "Maqam"
author = "The Maqam contributors"
version = release = version_of("maqam")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Maqam {version}"
myst_heading_anchors = 3
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
autodoc_default_options = {"members": True, "show-inheritance": True}
