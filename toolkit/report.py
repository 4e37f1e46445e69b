"""One self-contained HTML page about an evaluation, and the files that papers are made from."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.draw import draw_all, image_bytes, save_plots
from toolkit.errors import ToolkitError
from toolkit.evaluate import Evaluation, GroundTruth, Scores, write_scores
from toolkit.results import LAYOUTS, read_regions, write_atomic
from toolkit.tables import (
    LABELS,
    PER_SEQUENCE,
    Table,
    attribute_table,
    overall_table,
    ranking_lines,
    sequence_table,
    shown,
    to_csv,
    to_latex,
    to_markdown,
)
from toolkit.video import TRACKER_BGR, TRUTH_BGR, draw_region

WORST_SEQUENCES = 4
"""How many sequences are shown with a frame, those on which the best tracker is worst."""
THUMBNAIL_WIDTH = 320

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h1,h2,h3{line-height:1.2}h2{margin-top:3rem;border-bottom:1px solid #ccc}
table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .7rem;text-align:right;border-bottom:1px solid #e5e5e5}
th:first-child,td:first-child{text-align:left}
th button{font:inherit;font-weight:600;border:0;background:none;padding:0;cursor:pointer;color:inherit}
th button::after{content:" \\2195";color:#999}th[aria-sort=ascending] button::after{content:" \\2191";color:#222}
th[aria-sort=descending] button::after{content:" \\2193";color:#222}
td.best{font-weight:700}small{color:#666}.wide{overflow-x:auto}
.plots{display:flex;flex-wrap:wrap;gap:1rem}.plots img{width:min(100%,34rem);height:auto}
figure{margin:0}figcaption{color:#444;font-size:.9em}
.error{background:#fff2f0;border-left:4px solid #c33;padding:.5rem 1rem;margin:.5rem 0}
.note{background:#f4f6f8;border-left:4px solid #789;padding:.5rem 1rem}
"""
_SORT = """
document.querySelectorAll("th button").forEach(function(button){button.addEventListener("click",function(){
  const head=button.parentElement,row=head.parentElement,body=row.closest("table").tBodies[0];
  const column=[...row.children].indexOf(head),up=head.getAttribute("aria-sort")==="descending";
  [...row.children].forEach(other=>other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort",up?"ascending":"descending");
  const value=cell=>cell.dataset.value===undefined?cell.textContent:+cell.dataset.value;
  const key=tr=>value(tr.children[column]);
  [...body.rows].sort((a,b)=>{const x=key(a),y=key(b);
    const order=typeof x==="number"?(isNaN(x)?-1:isNaN(y)?1:x-y):String(x).localeCompare(String(y));
    return up?order:-order}).forEach(tr=>body.append(tr));
})});
"""


def write_report(folder: Path, evaluations: Sequence[Evaluation], results_root: Path) -> Path:
    """Write index.html, scores.json, and per benchmark the plots and the table as CSV, Markdown and LaTeX.

    Args:
        folder: where to.
        evaluations: one per benchmark.
        results_root: the folder the results were read from, for the boxes on the worst frames.

    Returns:
        The page.
    """
    for evaluation in evaluations:
        table = overall_table(evaluation)
        for suffix, text in (("csv", to_csv(table)), ("md", to_markdown(table)), ("tex", to_latex(table))):
            write_atomic(folder / f"{table.title}.{suffix}", text)
        if evaluation.scores:
            per_sequence = sequence_table(evaluation, PER_SEQUENCE[evaluation.dataset.benchmark.family])
            write_atomic(folder / f"{table.title}_sequences.csv", to_csv(per_sequence))
        save_plots(evaluation, folder)
    write_scores(folder / "scores.json", list(evaluations))
    page = folder / "index.html"
    write_atomic(page, html_page(evaluations, results_root))
    return page


def html_page(evaluations: Iterable[Evaluation], results_root: Path) -> str:
    """Return the page: no file or address outside of it is referred to."""
    sections = "\n".join(_section(evaluation, results_root) for evaluation in evaluations)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Tracking results</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>Tracking results</h1>\n{sections}\n<script>{_SORT}</script></body></html>\n"
    )


def _section(evaluation: Evaluation, results_root: Path) -> str:
    benchmark = evaluation.dataset.benchmark
    parts = [f"<h2>{escape(benchmark.name)}</h2>"]
    if evaluation.dataset.shortfall:
        count = len(evaluation.dataset.sequences)
        parts.append(f'<p class="note">Only {count} of {benchmark.sequences} sequences were there to be scored.</p>')
    parts += [f'<p class="error">{escape(str(failure))}</p>' for failure in evaluation.failures.values()]
    if not evaluation.scores:
        return "\n".join(parts)
    per_sequence = PER_SEQUENCE[benchmark.family]
    parts += [_table(overall_table(evaluation)), _interval_note(evaluation)]
    parts.append('<div class="plots">')
    for name, figure in draw_all(evaluation).items():
        source = _data_url("svg+xml", image_bytes(figure, "svg"))
        parts.append(f'<img src="{source}" alt="{escape(name.replace("_", " "))} of {escape(benchmark.name)}">')
    parts.append("</div>")
    attributes = attribute_table(evaluation, benchmark.leading_metric)
    if attributes.columns:
        parts += [f"<h3>{LABELS[benchmark.leading_metric]} per attribute</h3>", _table(attributes)]
    parts.append(_worst(evaluation, per_sequence, results_root))
    parts += [f"<h3>{LABELS[per_sequence]} per sequence</h3>", _table(sequence_table(evaluation, per_sequence))]
    return "\n".join(parts)


def _table(table: Table) -> str:
    best = table.best() if table.corner == "Tracker" else [None] * len(table.columns)
    heads = "".join(f"<th><button>{escape(head)}</button></th>" for head in table.headers())
    body = []
    for number, ((name, values), cells) in enumerate(zip(table.rows, table.cells(), strict=True)):
        shown_cells = "".join(
            f'<td data-value="{value!r}"{" class=best" if top == number else ""}>{escape(cell)}</td>'
            for value, cell, top in zip(values, cells[1:], best, strict=True)
        )
        body.append(f"<tr><td>{escape(name)}</td>{shown_cells}</tr>")
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def _interval_note(evaluation: Evaluation) -> str:
    """Say how sure the order of the trackers is."""
    leading = evaluation.dataset.benchmark.leading_metric
    lines = [f"<li>{escape(line)}</li>" for line in ranking_lines(evaluation)]
    return f"<p>{LABELS[leading]}, intervals by drawing sequences with replacement:</p><ul>{''.join(lines)}</ul>"


def _worst(evaluation: Evaluation, name: str, results_root: Path) -> str:
    """Return the sequences on which the best tracker is worst, with a frame where the images are there."""
    best = evaluation.ranked()[0]
    values = best.per_sequence(name)
    order = np.argsort(np.where(np.isnan(values), np.inf, values), kind="stable")[:WORST_SEQUENCES]
    items = []
    for number in order:
        caption = f"{escape(best.sequences[number])}: {shown(name, values[number])}"
        picture = _worst_frame(evaluation, best, int(number), results_root)
        image = f'<img src="{_data_url("jpeg", picture)}" alt="worst frame of {caption}">' if picture else ""
        items.append(f"<figure>{image}<figcaption>{caption}</figcaption></figure>")
    return (
        f"<h3>Where {escape(best.tracker)} is worst</h3><p><small>{LABELS[name]}; green the ground truth, red the "
        f'tracker, on the frame with the least overlap.</small></p><div class="plots">{"".join(items)}</div>'
    )


def _worst_frame(evaluation: Evaluation, scores: Scores, number: int, results_root: Path) -> bytes | None:
    """Return the frame with the least overlap as JPEG; None without images or regions to show."""
    truth = GroundTruth(evaluation.dataset)
    sequence = truth.sequences[number]
    if len(sequence.frames.paths) < len(sequence) or not sequence.frames.paths[0].is_file():
        return None
    benchmark = evaluation.dataset.benchmark
    tracker = results_root / benchmark.name / scores.tracker
    try:
        regions = read_regions(LAYOUTS[benchmark.protocol].regions_path(tracker, sequence.name))
        index = truth.least_overlap(number, regions)
        frame = sequence.frame(index)
    except ToolkitError:
        return None
    draw_region(frame, sequence.ground_truth.corners()[index], TRUTH_BGR)
    draw_region(frame, regions.corners()[index], TRACKER_BGR)
    return _jpeg(frame)


def _jpeg(frame: NDArray[np.uint8]) -> bytes:
    scale = THUMBNAIL_WIDTH / frame.shape[1]
    small = cv2.resize(frame, (THUMBNAIL_WIDTH, round(frame.shape[0] * scale)), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def _data_url(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
