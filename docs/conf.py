"""How the site is built: pages in Markdown, the reference from docstrings, nothing from the network."""

import re

import dsketch

project = "dsketch"
author = "The dsketch developers"
project_copyright = author
version = release = dsketch.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3  # pages link to each other's headings, as on a code host

html_theme = "furo"
html_title = f"dsketch {release}"
html_copy_source = False

autodoc_typehints = "none"  # docstrings say types, with shapes and units
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
numpydoc_show_class_members = False  # what a class has is said by its own words and by :members:
add_module_names = False

# Docstrings write |x| for sizes, coef_ for attributes, and begin references with initials, "A. Name"; reStructuredText would take
# these for names of replacements, for targets, and for the first line of a list.
_MARK = re.compile(r"(?<!\\)(\||(?<=\w)_(?=[\s,.;)]|$)|(?<=^)[A-Z]\. )")
_LITERAL = re.compile(r"(``.*?``|`[^`]*`)")
_CODE = (">>>", "...", "..")

# A site has no files of the repository beside it: pages name those that they link to.
_OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+(?:benchmarks|deploy|dsketch|tests)/[^)]*\)")


def escape_marks(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Let marks stand for themselves in text; code and directives stay as they are."""
    del app, what, name, obj, options
    for number, line in enumerate(lines):
        if not line.lstrip().startswith(_CODE):
            pieces = _LITERAL.split(line)
            pieces[::2] = [_MARK.sub(r"\\\1", text) for text in pieces[::2]]
            lines[number] = "".join(pieces)


def name_files_outside(app: object, page: str, source: list[str]) -> None:
    """Show a link that leads out of docs/ as the name of the file."""
    del app, page
    source[0] = _OUTSIDE.sub(r"`\1`", source[0])


def setup(app: object) -> None:
    """Hand the rules to Sphinx."""
    app.connect("autodoc-process-docstring", escape_marks, priority=600)  # type: ignore[attr-defined]
    app.connect("source-read", name_files_outside)  # type: ignore[attr-defined]
