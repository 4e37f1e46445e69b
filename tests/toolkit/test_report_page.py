"""Tables, plots and the page: what they say, that they need nothing else, and that they work in a browser."""

import csv
import json
import re
import shutil
import subprocess

import cv2
import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="plots need matplotlib")

from toolkit.datasets import load_dataset
from toolkit.draw import attribute_radar, draw_all, image_bytes, save_plots, styles
from toolkit.evaluate import evaluate
from toolkit.report import html_page, write_report
from toolkit.results import write_atomic, write_boxes, write_confidences, write_regions
from toolkit.tables import overall_table, sequence_table, to_csv, to_latex, to_markdown, to_text

BOXES = np.array([[10.0 + i, 10, 20, 20] for i in range(30)])
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture
def otb(tmp_path):
    """Two sequences with images, three trackers: good, poor, and one that lacks a file."""
    entries = {}
    for name, attributes in (("Ant", ["Blur"]), ("Bee", ["Blur", "Occlusion", "Low_Light"])):
        images = [f"{name}/{number:04d}.jpg" for number in range(30)]
        entries[name] = {"img_names": images, "gt_rect": BOXES.tolist(), "attr": attributes}
        (tmp_path / "OTB100" / name).mkdir(parents=True)
        for image in images:
            cv2.imwrite(str(tmp_path / "OTB100" / image), np.full((60, 80, 3), 90, np.uint8))
    write_atomic(tmp_path / "OTB100/OTB100.json", json.dumps(entries))
    results = tmp_path / "results"
    for name in entries:
        write_boxes(results / f"OTB100/good_one/{name}.txt", BOXES)
        write_boxes(results / f"OTB100/poor<b>/{name}.txt", BOXES + np.array([8, 0, 0, 0]))
    write_boxes(results / "OTB100/lacking/Ant.txt", BOXES)
    return evaluate(load_dataset("OTB100", tmp_path), results), results


@pytest.fixture
def vot(tmp_path):
    truth = [[10, 10, 40, 10, 40, 30, 10, 30]] * 400
    entry = {"img_names": ["x.jpg"] * 400, "gt_rect": truth, "width": 100, "height": 60, "occlusion": [1] * 400}
    write_atomic(tmp_path / "VOT2018/VOT2018.json", json.dumps({"a": entry, "b": entry}))
    for name in "ab":
        write_regions(tmp_path / f"r/VOT2018/t/baseline/{name}/{name}_001.txt", [[1]] + [[10, 10, 30, 20]] * 399)
    return evaluate(load_dataset("VOT2018", tmp_path), tmp_path / "r")


def test_text_and_markdown_have_the_best_first(otb):
    table = overall_table(otb[0])
    assert [row[0] for row in table.rows] == ["good_one", "poor<b>"]
    lines = to_text(table).splitlines()
    headings = ["Tracker", "Success AUC", "Precision", "Norm. precision at 0.20", "Norm. precision AUC"]
    assert re.split(r"\s{2,}", lines[1]) == headings
    assert lines[3].split()[:3] == ["good_one", "0.952", "1.000"]
    assert len({len(line) for line in lines[1:]}) == 1
    assert "| good_one | **0.952** |" in to_markdown(table)


def test_csv_is_unrounded_and_latex_escaped(otb):
    table = overall_table(otb[0])
    rows = list(csv.DictReader(to_csv(table).splitlines()))
    assert float(rows[0]["success_auc"]) == otb[0].scores["good_one"].value("success_auc")
    assert r"good\_one & \textbf{0.952}" in to_latex(table)


def test_fewer_failures_are_better_and_missing_tags_a_dash(vot):
    table = overall_table(vot)
    assert table.best()[table.columns.index("robustness")] == 0
    assert table.best()[table.columns.index("eao/camera_motion")] is None
    assert " - " in to_text(table) + " "


def test_sequences_are_rows_and_trackers_columns(otb):
    table = sequence_table(otb[0], "precision")
    assert table.headers() == ["Sequence", "good_one", "poor<b>"]
    assert [row[0] for row in table.rows] == ["Ant", "Bee"]


def test_every_tracker_has_a_style_of_its_own():
    assert len({tuple(style.items()) for style in styles(28)}) == 28


def test_plots_of_each_family(otb, vot, tmp_path):
    assert list(draw_all(otb[0])) == ["success", "precision", "normalized_precision", "attributes"]
    assert list(draw_all(vot)) == ["eao_ranking", "eao_curve", "accuracy_robustness", "attributes"]
    files = save_plots(vot, tmp_path / "plots")
    assert {path.suffix for path in files} == {".png", ".svg"}
    assert all(cv2.imread(str(path)) is not None for path in files if path.suffix == ".png")


def test_success_plot_says_what_the_table_says(otb):
    figure = draw_all(otb[0])["success"]
    axes = figure.axes[0]
    assert axes.get_legend_handles_labels()[1] == ["good_one [0.952]", "poor<b> [0.429]"]
    assert axes.lines[0].get_ydata().mean() == pytest.approx(otb[0].scores["good_one"].value("success_auc"))


def test_long_term_plot(tmp_path):
    truth = [[10, 10, 30, 20]] * 120
    entry = {"img_names": ["x.jpg"] * 120, "gt_rect": truth, "width": 100, "height": 60}
    write_atomic(tmp_path / "VOT2018-LT/VOT2018-LT.json", json.dumps({"a": entry}))
    folder = tmp_path / "r/VOT2018-LT/t/longterm/a"
    write_regions(folder / "a_001.txt", [[1]] + [[10, 10, 30, 20]] * 119)
    write_confidences(folder / "a_001_confidence.value", np.linspace(0, 1, 120))
    assert list(draw_all(evaluate(load_dataset("VOT2018-LT", tmp_path), tmp_path / "r"))) == ["precision_recall"]


def test_same_figure_same_bytes(otb):
    first, second = (image_bytes(attribute_radar(otb[0]), "svg") for _ in range(2))
    assert first == second


def test_page_stands_alone_and_names_what_failed(otb):
    page = html_page([otb[0]], otb[1])
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "http://" not in re.sub(r"data:[^\"]+", "", page)
    assert "poor&lt;b&gt;" in page
    assert "<b>" not in page
    assert "lacking/Bee.txt: no such file" in page
    assert "Only 2 of 100 sequences" in page
    assert page.count("data:image/jpeg") == 2  # the worst frames of both sequences


def test_worst_frame_is_the_one_with_the_least_overlap(otb, tmp_path):
    evaluation, results = otb
    boxes = BOXES.copy()
    boxes[17] += 30
    for name in ("Ant", "Bee"):
        write_boxes(results / f"OTB100/good_one/{name}.txt", boxes)
    page = html_page([evaluate(evaluation.dataset, results, ["good_one"])], results)
    assert page.count("data:image/jpeg") == 2


def test_files_of_a_report(otb, vot, tmp_path):
    page = write_report(tmp_path / "report", [otb[0], vot], otb[1])
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert page.name in names
    assert {"scores.json", "OTB100.csv", "OTB100.md", "OTB100.tex", "OTB100_sequences.csv"} <= names
    assert {"OTB100_success.png", "OTB100_success.svg", "VOT2018_eao_ranking.svg"} <= names
    assert json.loads((tmp_path / "report/scores.json").read_text())["VOT2018"]["t"]["eao"]["all"] == 1


@pytest.mark.skipif(BROWSER is None, reason="no Chromium to open the page in")
def test_page_sorts_in_a_browser(otb, tmp_path):
    click = "<script>document.querySelectorAll('table')[0].querySelectorAll('th button')[1].click()</script></body>"

    def first_tracker(clicks):
        page = html_page([otb[0]], otb[1]).replace("</body>", click * clicks + "</body>")
        (tmp_path / "page.html").write_text(page)
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
        done = subprocess.run(
            [*command, "--dump-dom", (tmp_path / "page.html").as_uri()],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return re.search(r"<tbody><tr><td>([^<]+)</td>", done.stdout)[1]

    # The first click sorts descending, the second ascending.
    assert [first_tracker(clicks) for clicks in (0, 1, 2)] == ["good_one", "good_one", "poor&lt;b&gt;"]
