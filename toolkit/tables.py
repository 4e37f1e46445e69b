"""The scores of an evaluation as a table: for the terminal, CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from toolkit.benchmarks import Family
from toolkit.evaluate import Evaluation
from toolkit.metrics.eao import FRAME_TAGS

LABELS = {
    "success_auc": "Success AUC",
    "precision": "Precision",
    "normalized_precision": "Norm. precision at 0.20",
    "normalized_precision_auc": "Norm. precision AUC",
    "mask_iou": "Mask IoU",
    "accuracy": "Accuracy",
    "robustness": "Robustness",
    "lost_number": "Lost number",
    "recall": "Recall",
    "f1": "F",
    "ao": "AO",
    "sr_50": "SR 0.50",
    "sr_75": "SR 0.75",
    "fps": "FPS",
    "eao/all": "EAO",
    **{f"eao/{tag}": f"EAO {tag.replace('_', ' ')}" for tag in (*FRAME_TAGS, "empty")},
}
"""Headings of the headline numbers."""
LOWER_IS_BETTER = frozenset({"robustness", "lost_number"})
COUNTS = frozenset({"lost_number", "fps"})
PER_SEQUENCE: dict[Family, str] = {
    "one_pass": "success_auc",
    "supervised": "accuracy",
    "unsupervised": "accuracy",
    "long_term": "f1",
    "average_overlap": "ao",
}
"""The headline number that sequences are compared by; EAO says nothing about one sequence."""


@dataclass(frozen=True)
class Table:
    """Numbers in rows and columns.

    Attributes:
        title: of the benchmark.
        columns: what the numbers are: headline numbers by their short names, attributes or trackers.
        rows: name and one value per column, NaN where there is none.
        corner: what the rows are.
    """

    title: str
    columns: list[str]
    rows: list[tuple[str, list[float]]]
    corner: str = "Tracker"

    def headers(self) -> list[str]:
        """Return the column headings, that of the names first."""
        return [self.corner, *(LABELS.get(column, column) for column in self.columns)]

    def cells(self) -> list[list[str]]:
        """Return every row as text, rounded to three decimals."""
        return [
            [name, *(shown(column, value) for column, value in zip(self.columns, values, strict=True))]
            for name, values in self.rows
        ]

    def best(self) -> list[int | None]:
        """Return per column the row with the best value, None if there is none."""
        values = np.array([row[1] for row in self.rows]).reshape(len(self.rows), len(self.columns))
        signs = np.array([-1.0 if column in LOWER_IS_BETTER else 1.0 for column in self.columns])
        found = np.where(np.isnan(values), -np.inf, values * signs)
        return [int(column.argmax()) if len(column) and column.max() > -np.inf else None for column in found.T]


def overall_table(evaluation: Evaluation) -> Table:
    """Return the headline numbers of all trackers on a benchmark, and their speed where it is known."""
    trackers = evaluation.ranked()
    columns = list(trackers[0].statistics) if trackers else []
    rows = [(s.tracker, [s.value(name) for name in columns]) for s in trackers]
    if any(s.fps is not None for s in trackers):
        columns.append("fps")
        for s, (_, values) in zip(trackers, rows, strict=True):
            values.append(np.nan if s.fps is None else s.fps)
    return Table(evaluation.dataset.benchmark.name, columns, rows)


def sequence_table(evaluation: Evaluation, name: str) -> Table:
    """Return one headline number per sequence: a row per sequence, a column per tracker."""
    trackers = evaluation.ranked()
    columns = [s.tracker for s in trackers]
    values = np.array([s.per_sequence(name) for s in trackers]).T
    sequences = trackers[0].sequences if trackers else ()
    rows = [(sequence, row.tolist()) for sequence, row in zip(sequences, values, strict=True)]
    return Table(f"{evaluation.dataset.benchmark.name}: {LABELS[name]} per sequence", columns, rows, "Sequence")


def attribute_table(evaluation: Evaluation, name: str) -> Table:
    """Return one headline number per attribute: a row per tracker, a column per attribute."""
    trackers = evaluation.ranked()
    values = [(s.tracker, s.per_attribute(name)) for s in trackers]
    columns = list(values[0][1]) if values else []
    rows = [(tracker, list(by_attribute.values())) for tracker, by_attribute in values]
    return Table(f"{evaluation.dataset.benchmark.name}: {LABELS[name]} per attribute", columns, rows)


def ranking_lines(evaluation: Evaluation) -> list[str]:
    """Say, a line per tracker, how sure its leading metric is, and how far it is behind the best."""
    leading = evaluation.dataset.benchmark.leading_metric
    trackers = evaluation.ranked()
    lines = []
    for scores in trackers:
        if np.isnan(scores.value(leading)):
            lines.append(f"{scores.tracker}: -")
            continue
        low, high = scores.interval(leading)
        line = f"{scores.tracker}: {scores.value(leading):.3f} (95 % interval {low:.3f} to {high:.3f})"
        if scores is not trackers[0]:
            behind = trackers[0].ahead_of(scores, leading)
            line += f", {behind.difference:.3f} behind {trackers[0].tracker} ({behind.low:.3f} to {behind.high:.3f})"
        lines.append(line)
    return lines


def shown(name: str, value: float) -> str:
    """Return a value as a table shows it."""
    if np.isnan(value):
        return "-"
    return f"{value:.1f}".removesuffix(".0") if name in COUNTS else f"{value:.3f}"


def to_text(table: Table) -> str:
    """Return the table with aligned columns, for a terminal.

    Example:
        >>> print(to_text(Table("OTB100", ["success_auc"], [("SiamRPN++", [0.6955]), ("SiamFC", [0.5868])])))
        OTB100
        Tracker    Success AUC
        ---------  -----------
        SiamRPN++        0.696
        SiamFC           0.587
    """
    lines = [table.headers(), *table.cells()]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]

    def joined(cells: list[str]) -> str:
        numbers = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        return "  ".join([cells[0].ljust(widths[0]), *numbers])

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([table.title, joined(lines[0]), rule, *map(joined, lines[1:])])


def to_csv(table: Table) -> str:
    """Return the table as CSV, unrounded, with the short names as headings."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([table.corner.lower(), *table.columns])
    writer.writerows(
        [name, *("" if np.isnan(value) else repr(value) for value in values)] for name, values in table.rows
    )
    return buffer.getvalue()


def to_markdown(table: Table) -> str:
    """Return the table as Markdown, the best of each column in bold."""
    lines = ["| " + " | ".join(table.headers()) + " |", "|---" * (len(table.columns) + 1) + "|"]
    lines += ["| " + " | ".join(cells) + " |" for cells in _emphasized(table, "**{}**".format, lambda text: text)]
    return "\n".join(lines) + "\n"


def to_latex(table: Table) -> str:
    """Return the table as a LaTeX tabular, the best of each column in bold."""
    lines = [rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}", r"\hline"]
    lines += [" & ".join(map(_escape_latex, table.headers())) + r" \\", r"\hline"]
    lines += [" & ".join(cells) + r" \\" for cells in _emphasized(table, r"\textbf{{{}}}".format, _escape_latex)]
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


def _emphasized(table: Table, bold: Callable[[str], str], escape: Callable[[str], str]) -> list[list[str]]:
    best = [None, *table.best()]
    return [
        [bold(escape(cell)) if best[column] == row else escape(cell) for column, cell in enumerate(cells)]
        for row, cells in enumerate(table.cells())
    ]


def _escape_latex(text: str) -> str:
    for character in "\\&%$#_{}":
        text = text.replace(character, rf"\{character}" if character != "\\" else r"\textbackslash ")
    return text
