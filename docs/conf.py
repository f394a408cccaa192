"""Sphinx configuration: ``make docs``.  Every page also reads as plain Markdown."""

from importlib.metadata import version as installed_version

project = "opencmr"
author = "The opencmr developers"
release = installed_version("opencmr")
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
html_theme = "alabaster"
exclude_patterns = ["**/*.py"]
numpydoc_show_class_members = False
# Links that leave docs/ (to the licence, the source) are right in the repository's own view.
suppress_warnings = ["myst.xref_missing"]
