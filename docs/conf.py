"""The guides as a site: `sphinx-build -W -n docs SOMEWHERE`, with the extra `docs`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sphinx import addnodes

import axiom_trio

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

project = "axiom_trio"
author = "the axiom_trio authors"
project_copyright = author
version = release = axiom_trio.__version__
html_theme = "furo"
html_title = f"{project} {version}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib_trio"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
add_module_names = False
default_role = "py:obj"
python_display_short_literal_types = True
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": True}
napoleon_numpy_docstring = False

# There's no inventory of others to ask while building: their names are shown, not linked.
nitpick_ignore_regex = [
    ("py:.*", r"(trio|collections|re|os|typing|types|hypothesis|st)\..*"),
    ("py:class", r"(Mapping|Sequence|Iterable|Iterator|Callable|Awaitable|AsyncIterator|AsyncGenerator|Any)"),
    ("py:class", r"(ShowRows|attrs\.Attribute|Final|Self|(axiom_trio\.testing\.sinks\.)?E)"),
]
_HOMES = ("axiom_trio", "axiom_trio.abc", "axiom_trio.testing", "axiom_trio.testing.strategies")
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_TICKS = re.compile(r"(?<![`:])`([^`]+)`(?!`)")


_COMMON = {
    "bytes": "Bytes of output.",
    "child": "The id of the child.",
    "cursor": "The number of the event in its run, or journal; each has one more than the one before.",
    "failed": "How many of them without success.",
    "from_cursor": "The first event missed.",
    "id": "It identifies it.",
    "interventions": "Interventions, detected ones included.",
    "kind": "What it is.",
    "lines": "Lines of output.",
    "metadata": "As the caller gave it.",
    "name": "For display.",
    "origin": "Who it was.",
    "pid": "The process id.",
    "reason": "Why.",
    "state": "What became of it.",
    "text": "What it says.",
    "time": "When, in seconds since the epoch.",
    "to_cursor": "The first event after them.",
    "events": "How many.",
}
"""What need not be said with each event, in one sentence."""


def _mark_up(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Docstrings have single backticks: what may be a name links to it, all else is literal."""
    if what == "attribute" and not any(lines):
        lines[:] = [_COMMON.get(name.rpartition(".")[2], "")]
    if what == "class" and "made by `" in (value.__doc__ or "") and "Args:" in lines:
        del lines[lines.index("Args:") :]  # nobody else gives them
    text = _TICKS.sub(lambda m: f":py:obj:{m[0]}" if _NAME.fullmatch(m[1]) else f"`{m[0]}`", "\n".join(lines))
    lines[:] = text.split("\n")


def _exact(app: Sphinx, doctree: nodes.document) -> None:
    """No guessing: `bytes` is the builtin, not one of the fields of that name."""
    for node in doctree.findall(addnodes.pending_xref):
        node.attributes.pop("refspecific", None)


def _link(app: Sphinx, env: Any, node: Any, content: nodes.TextElement) -> nodes.Node | None:
    """Find what is named by its home, or not in full, under its public name."""
    words = node["reftarget"].split(".")
    objects = env.domains["py"].objects
    is_text = node["reftype"] == "obj"
    homes = (f"{node.get('py:module')}.{node.get('py:class')}", *_HOMES) if is_text else _HOMES
    names = [f"{home}.{'.'.join(words[at:])}" for home in homes for at in range(len(words))]
    if words[-1][0].isupper():
        names += [name for name in objects if name.endswith(f".{words[-1]}")]
    for name in names:
        if name in objects:
            return env.domains["py"].resolve_xref(
                env, node["refdoc"], app.builder, node["reftype"], name, node, content
            )
    return content if is_text else None  # a parameter, say


def _hide_made_by(
    app: Sphinx, what: str, name: str, value: Any, options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """How to make what users never make themselves is of no interest."""
    return ("", "") if what == "class" and "made by `" in (value.__doc__ or "") else None


def _skip(app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """What an executor or sink has to have is explained with the class that asks for it."""
    text = getattr(value, "__doc__", None) or ""
    return True if text.startswith(("See `Executor.", "See `Sink.")) else None


_kept: dict[str, list[str]] = {}


def _keep(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Before napoleon: an attribute's docstring is text; it would take all before a colon for its type."""
    if what in ("attribute", "property", "data") and "Raises:" not in lines:
        _kept[name] = [*lines]


def _restore(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """After napoleon."""
    if (kept := _kept.pop(name, None)) is not None:
        lines[:] = kept


def _link_readme(app: Sphinx, name: str, text: list[str]) -> None:
    """The README is the front page here."""
    text[0] = re.sub(r"\]\(\.\./README\.md(?=[)#])", "](index.md", text[0])


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _mark_up, priority=300)
    app.connect("autodoc-process-docstring", _keep, priority=400)
    app.connect("autodoc-process-docstring", _restore, priority=600)
    app.connect("autodoc-process-signature", _hide_made_by)
    app.connect("autodoc-skip-member", _skip)
    app.connect("doctree-read", _exact)
    app.connect("missing-reference", _link)
    app.connect("source-read", _link_readme)
