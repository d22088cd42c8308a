"""The Jinja templates in ``reports/``. HTML is escaped; LaTeX has a filter of its own; an undefined name is an error."""

from __future__ import annotations

import functools

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pedicxr_release.resources import data_folder

LATEX = {"\\": r"\textbackslash{}", "×": r"$\times$", "–": "--", "†": r"$^\dagger$", "Δ": r"$\Delta$", "≠": r"$\neq$"}
LATEX |= {character: "\\" + character for character in "&%$#_{}"} | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


@functools.cache
def environment() -> Environment:
    """The environment that all reports are rendered in."""
    made = Environment(
        loader=FileSystemLoader(data_folder("reports")),
        undefined=StrictUndefined,
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),  # noqa: S701 (all but HTML is no markup)
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["latex"] = lambda text: "".join(LATEX.get(character, character) for character in str(text))
    return made
