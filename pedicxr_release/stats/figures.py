"""Figures 3 and 4 of the paper, and what else a reader of the dataset's description wants to see.

The same input gives the same bytes: no dates, no random ids. Colours are from the Okabe–Ito palette, which colour-blind
readers can tell apart; bars carry their numbers, so that the figures also read in black and white.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pedicxr_release.age import age_in_years
from pedicxr_release.stats.table3 import images_by_label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pedicxr_release.evidence import Evidence
    from pedicxr_release.stats.table3 import Table3

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#555555"
MARKERS = ("o", "^", "s", "D")
FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "png": {"metadata": {"Software": None}, "dpi": 150},
    "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "pedicxr-release",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}


class FigureImage(NamedTuple):
    """A drawn figure: its title and its bytes."""

    title: str
    svg: bytes


def draw_figures(
    evidence: Evidence, table: Table3, folder: Path | None = None, formats: Sequence[str] = tuple(FORMATS)
) -> list[FigureImage]:
    """Draw every figure as SVG, and into a folder in every format that is asked for.

    Parameters
    ----------
    evidence, table
        What is drawn; Figures 3 and 4 are of the profile's figure split.
    folder
        Where the files go; made if need be.
    formats
        Of the files: some of `FORMATS`, with SVG among them.

    Raises
    ------
    OSError
        When the folder cannot be written to.
    """
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    images = []
    with mpl.rc_context(STYLE):
        for name, draw in FIGURES.items():
            figure = draw(evidence, table)
            drawn = {suffix: _save(figure, suffix) for suffix in (formats if folder else ("svg",))}
            images.append(FigureImage(figure.axes[0].get_title(loc="left"), drawn["svg"]))
            for suffix, content in drawn.items():
                if folder:
                    (folder / f"{name}.{suffix}").write_bytes(content)
    return images


def _save(figure: Figure, suffix: str) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format=suffix, **FORMATS[suffix])
    return stream.getvalue()


def _bars(counts: dict[str, int], total: int, title: str, color: str, left_out: str) -> Figure:
    """Draw horizontal bars, the most frequent on top, each with its count and share."""
    ordered = sorted(counts.items(), key=lambda item: (item[1], item[0]))
    figure = Figure(figsize=(7.2, 1.1 + 0.27 * max(1, len(ordered))), layout="constrained")
    axes = figure.subplots()
    if not ordered:
        axes.set_axis_off()
    bars = axes.barh([name for name, _ in ordered], [count for _, count in ordered], color=color, height=0.72)
    labels = [f"{count:,} ({100 * count / total:.2f}%)" if total else "" for _, count in ordered]
    axes.bar_label(bars, labels, padding=3, fontsize=8)
    axes.set_xlabel("number of images")
    axes.set_title(title, loc="left", fontweight="bold")
    axes.margins(x=0.2, y=0.01)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(axis="y", length=0)
    axes.annotate(
        left_out, (1, 0), (0, 4), "axes fraction", "offset points", ha="right", va="bottom", fontsize=7.5, color=GREY
    )
    return figure


def _label_bars(kind: str, title: str, color: str) -> Callable[[Evidence, Table3], Figure]:
    def draw(evidence: Evidence, table: Table3) -> Figure:
        split, rare = evidence.profile.release.figure_split, evidence.profile.release.figures.rare_below
        skipped = evidence.profile.labels.no_finding
        rows = [row for row in table.labels if row.kind == kind and row.name != skipped]
        counts = {row.name: row.cells[split].count for row in rows}
        shown = {name: count for name, count in counts.items() if count >= rare}
        left_out = f"{len(counts) - len(shown)} labels with fewer than {rare} images are left out"
        return _bars(shown, table.collection[split].scans, f"{title}, split {split}", color, left_out)

    return draw


def _age_histogram(evidence: Evidence, _table: Table3) -> Figure:
    splits = list(evidence.profile.release.splits)
    figure = Figure(figsize=(7.2, 2.2 * len(splits)), layout="constrained")
    panels = figure.subplots(len(splits), 1, sharex=True, squeeze=False)[:, 0]
    limit = evidence.profile.release.age.limit_years
    for axes, split, color in zip(panels, splits, (BLUE, ORANGE, GREY) * len(splits), strict=False):
        ages = [age_in_years(r.age) for r in evidence.records if r.split == split and r.age]
        axes.hist(ages, bins=np.arange(0, limit + 1).tolist(), color=color, edgecolor="white", linewidth=0.6)
        axes.set_title(f"Age, split {split} ({len(ages):,} images carry it)", loc="left", fontweight="bold", pad=14)
        axes.set_ylabel("images")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        if ages:
            middle = float(np.median(ages))
            axes.axvline(middle, color="black", linestyle="--", linewidth=1)
            axes.annotate(f"median {middle:.2f}", (middle, 1), (4, 1), ("data", "axes fraction"), "offset points", fontsize=8)
            axes.margins(y=0.1)
    panels[-1].set_xlabel("age in years")
    return figure


def _size_scatter(evidence: Evidence, _table: Table3) -> Figure:
    figure = Figure(figsize=(5.6, 5.6), layout="constrained")
    axes = figure.subplots()
    colors = (BLUE, ORANGE, GREY)
    for index, split in enumerate(evidence.profile.release.splits):
        sizes = [(r.columns, r.rows) for r in evidence.records if r.split == split and r.columns and r.rows]
        if sizes:
            columns, rows = zip(*sizes, strict=True)
            marker, color = MARKERS[index % len(MARKERS)], colors[index % len(colors)]
            axes.scatter(
                columns, rows, s=9, alpha=0.45, marker=marker, color=color, linewidths=0, label=split, rasterized=True
            )
    axes.set_xlabel("columns (pixels)")
    axes.set_ylabel("rows (pixels)")
    axes.set_title("Image size", loc="left", fontweight="bold")
    axes.set_aspect("equal", adjustable="datalim")
    if axes.has_data():
        axes.legend(frameon=False, markerscale=2)
    return figure


def _co_occurrence(evidence: Evidence, table: Table3) -> Figure:
    """How often two labels are on one image, for the labels that are not rare; the diagonal is the label itself."""
    release = evidence.profile.release
    images = images_by_label(release.figure_split, evidence)
    rows = [row for row in table.labels if row.name != evidence.profile.labels.no_finding]
    names = [row.name for row in rows if row.cells[release.figure_split].count >= release.figures.rare_below]
    counts = np.array([[len(images.get(a, set()) & images.get(b, set())) for b in names] for a in names], dtype=float)
    side = max(4.5, 2.6 + 0.26 * len(names))
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    if not names:
        axes.set_axis_off()
    else:
        own = np.maximum(np.diag(counts), 1)
        share = 100 * counts / own[:, None]
        axes.imshow(share, cmap="cividis", vmin=0, vmax=100)
        for i, j in np.ndindex(*counts.shape):
            if counts[i, j]:
                color = "black" if share[i, j] > 55 else "white"
                axes.text(j, i, f"{counts[i, j]:.0f}", ha="center", va="center", fontsize=5.5, color=color)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.tick_params(length=0)
    axes.set_title(f"Images with both labels, split {release.figure_split}", loc="left", fontweight="bold")
    axes.set_xlabel("shade: share of the row's label", fontsize=8)
    return figure


FIGURES: dict[str, Callable[[Evidence, Table3], Figure]] = {
    "figure-3-abnormal-findings": _label_bars("local", "Abnormal findings", BLUE),
    "figure-4-pathologies": _label_bars("global", "Pathologies", ORANGE),
    "age": _age_histogram,
    "image-size": _size_scatter,
    "co-occurrence": _co_occurrence,
}
"""Every figure by the name of its files."""
