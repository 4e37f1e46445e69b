"""The built-in benchmark: always the same, true to its attributes, and usable by every protocol's scoring."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from toolkit.benchmarks import BENCHMARKS
from toolkit.datasets import builtin, load_dataset
from toolkit.datasets.builtin.paint import BACKGROUNDS, PAINTERS, make_sprite, uniform
from toolkit.datasets.builtin.render import Stage
from toolkit.datasets.builtin.scenes import HEIGHT, WIDTH, Actor, Scene, interpolate
from toolkit.errors import DatasetError
from toolkit.evaluate import evaluate
from toolkit.metrics.eao import FRAME_TAGS
from toolkit.results import LAYOUTS, write_boxes, write_confidences, write_regions

NAMES = ("Builtin", "Builtin-VOT", "Builtin-LT")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return builtin.prepare(tmp_path_factory.mktemp("cache") / "Builtin")


@pytest.fixture
def load(rendered):
    return lambda name: load_dataset(name, rendered.parent)


def by_name(dataset):
    return {sequence.name: sequence for sequence in dataset.sequences}


class TestContent:
    def test_sequences_and_frames(self, load):
        for name in NAMES:
            dataset = load(name)
            assert (len(dataset.sequences), dataset.shortfall) == (BENCHMARKS[name].sequences, "")
            for sequence in dataset.sequences:
                assert 40 <= len(sequence) == len(sequence.ground_truth) <= 90
                assert sequence.size == (WIDTH, HEIGHT)
                assert sequence.frame(len(sequence) - 1).shape == (HEIGHT, WIDTH, 3)
        assert len(load("Builtin").sequences[0].frames) == 60

    def test_one_pass_and_supervised_share_frames_and_targets(self, load):
        boxes, polygons = by_name(load("Builtin")), by_name(load("Builtin-VOT"))
        assert list(boxes) == list(polygons)
        for name, sequence in boxes.items():
            assert sequence.frames.paths == polygons[name].frames.paths
            assert polygons[name].ground_truth.sizes.tolist() == [8] * len(sequence)
            # The box is around the outline, the rectangle too: the box lies inside what encloses the rectangle.
            outer = polygons[name].ground_truth.enclosing_xywh()
            inner = sequence.ground_truth.values[:, :4]
            assert (inner[:, :2] >= outer[:, :2] - 0.011).all()
            assert (inner[:, :2] + inner[:, 2:] <= outer[:, :2] + outer[:, 2:] + 0.021).all()

    def test_the_target_is_always_there_except_in_the_long_term_sequences(self, load):
        for sequence in load("Builtin").sequences:
            boxes = sequence.ground_truth.values[:, :4]
            assert (boxes[:, 2:] >= 4).all()
            assert (boxes[:, :2] >= 0).all()
            assert (boxes[:, :2] + boxes[:, 2:] <= (WIDTH + 0.01, HEIGHT + 0.01)).all()
        for sequence in load("Builtin-LT").sequences:
            absent = np.isnan(sequence.ground_truth.values[:, 0])
            assert 15 <= absent.sum() <= 50
            assert not absent[:10].any()
            assert not absent[-10:].any()
            assert np.count_nonzero(np.diff(absent.astype(int))) == 2  # gone once

    def test_attributes_are_what_the_ground_truth_shows(self, load):
        """Thresholds of OTB where it has them: twice the size, 20 pixels a frame, 400 pixels of area."""
        tags = {name: sequence.tags for name, sequence in by_name(load("Builtin-VOT")).items()}
        for sequence in load("Builtin").sequences:
            boxes = sequence.ground_truth.values[:, :4]
            area, centres = boxes[:, 2:].prod(axis=1), boxes[:, :2] + boxes[:, 2:] / 2
            shown = {
                "Fast Motion": np.linalg.norm(np.diff(centres, axis=0), axis=1).max() > 20,
                "Low Resolution": area.min() < 400,
                "Occlusion": tags[sequence.name]["occlusion"].any(),
                "Illumination Variation": tags[sequence.name]["illum_change"].any(),
            }
            for attribute, holds in shown.items():
                assert (attribute in sequence.attributes) == holds, (sequence.name, attribute)
        approach = by_name(load("Builtin"))["approach"].ground_truth.values[:, :4]
        assert approach[-1, 2:].prod() > 4 * approach[0, 2:].prod()
        assert set(tags["lamp"]) == set(FRAME_TAGS)

    def test_every_attribute_and_tag_occurs(self, load):
        attributes = {name for sequence in load("Builtin").sequences for name in sequence.attributes}
        assert attributes == {
            *("Background Clutters", "Deformation", "Fast Motion", "Illumination Variation", "In-Plane Rotation"),
            *("Low Resolution", "Motion Blur", "Occlusion", "Out-of-Plane Rotation", "Out-of-View", "Scale Variation"),
        }
        for tag in FRAME_TAGS:
            marked = np.concatenate([sequence.tags[tag] for sequence in load("Builtin-VOT").sequences])
            assert 0.02 < marked.mean() < 0.6, tag

    def test_the_ground_truth_is_where_the_target_is_drawn(self):
        """A lone white ball on black: the box of its bright pixels is the annotated box."""
        ball = Actor("ball", ((0, 120, 100, 0.5, 0), (9, 170, 130, 0.8, 40)), (255.0, 255.0, 255.0))
        stage = Stage(Scene("test", 10, "meadow", ball, (), shutter=0.0))
        stage._background = np.zeros_like(stage._background)
        stage._grain = np.zeros_like(stage._grain)
        for frame in range(10):
            image, truth = stage.shoot(frame)
            rows, columns = np.nonzero(image.max(axis=2) > 40)
            np.testing.assert_allclose(truth.box[:2], [columns.min(), rows.min()], atol=1.0)
            np.testing.assert_allclose(truth.box[:2] + truth.box[2:], [columns.max() + 1, rows.max() + 1], atol=1.0)
            assert truth.hidden == 0

    def test_half_covered_and_outside(self):
        ball = Actor("ball", ((0, 100, 100, 0.5, 0),))
        cover = Actor("card", ((0, 138, 100, 1.0, 0),))  # its left edge, 38 pixels from its middle, cuts the ball
        _, truth = Stage(Scene("test", 1, "meadow", ball, (), above=(cover,))).shoot(0)
        assert truth.hidden == pytest.approx(0.5, abs=0.03)
        away = Actor("ball", ((0, 400, 100, 0.5, 0),))
        _, truth = Stage(Scene("test", 1, "meadow", away, ())).shoot(0)
        assert not truth.present
        assert truth.box[2] == 0


class TestInterpolation:
    KEYS = ((0, 0.0, 5.0), (10, 8.0, 5.0), (14, 2.0, 6.0), (40, 2.0, 30.0))

    def test_goes_through_the_keys_and_stays_between_them(self):
        for frame, *values in self.KEYS:
            np.testing.assert_allclose(interpolate(self.KEYS, frame), values, atol=1e-12)
        dense = np.array([interpolate(self.KEYS, frame) for frame in np.linspace(-5, 50, 500)])
        assert dense.min(axis=0) == pytest.approx([0, 5], abs=1e-12)
        assert dense.max(axis=0) == pytest.approx([8, 30], abs=0.01)

    def test_is_smooth(self):
        frames = np.linspace(0, 40, 40001)
        values = np.array([interpolate(self.KEYS, frame)[0] for frame in frames[9900:10100]])
        assert np.abs(np.diff(values, 2)).max() < 1e-5  # no jump of the slope at a key


class TestSameEveryTime:
    def test_random_numbers_are_pinned(self):
        # PCG64 with seed 1: the upper 24 bits of its first raw outputs.
        raw = np.random.PCG64(1).random_raw(3)
        expected = [(int(number) >> 40) / 2**24 for number in raw]
        assert uniform(1, 3).tolist() == expected
        assert uniform(1, 3).tolist() == pytest.approx([0.5118216, 0.9504637, 0.1441596], abs=1e-6)

    def test_annotations_are_pinned(self, load):
        """Numbers of version 1; if they have to change, so has the version."""
        assert builtin.VERSION == 1
        pinned = {
            ("approach", 59): [155.78, 132.12, 116.44, 67.42],
            ("harbour", 36): [0.0, 71.58, 31.72, 75.23],
            ("rally", 31): [147.02, 84.01, 52.99, 34.94],
        }
        found = by_name(load("Builtin"))
        for (name, frame), box in pinned.items():
            np.testing.assert_allclose(found[name].ground_truth.values[frame, :4], box, atol=0.011)

    def test_another_process_renders_the_same_bytes(self, rendered, tmp_path, repo_root):
        code = (
            "from pathlib import Path; from toolkit.datasets import builtin; import cv2, sys; cv2.setNumThreads(1);"
            "builtin._film(Path(sys.argv[1]), builtin.ONE_PASS[6])"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=repo_root, check=True)
        made = sorted((tmp_path / "cards").iterdir())
        assert len(made) == 64
        for file in made:
            assert file.read_bytes() == (rendered / "cards" / file.name).read_bytes()

    def test_every_painter_and_background(self):
        for paint in BACKGROUNDS.values():
            image = paint(3, 200, 150)
            assert image.shape == (150, 200, 3)
            assert image.dtype == np.float32
            assert image.std() > 10  # there is something to see
        for kind in PAINTERS:
            sprite = make_sprite(kind, 1)
            assert [level.shape[0] for level in sprite.levels] == [128, 64, 32]
            assert np.ptp(sprite.outline, axis=0).min() > 30


class TestFirstUse:
    def test_rendered_once_into_the_cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PYSOT_CACHE", str(tmp_path / "cache"))
        start = time.process_time()
        dataset = load_dataset("Builtin", tmp_path / "nothing")
        assert time.process_time() - start < 20  # seconds; under 10 where nothing else runs
        assert dataset.folder == tmp_path / "cache" / "builtin-v1"
        stamp = dataset.folder.stat().st_mtime_ns
        assert load_dataset("Builtin-VOT", tmp_path / "nothing").folder == dataset.folder
        assert dataset.folder.stat().st_mtime_ns == stamp
        assert [path.name for path in (tmp_path / "cache").iterdir()] == ["builtin-v1"]

    def test_a_copy_under_the_dataset_root_wins(self, load, rendered):
        assert load("Builtin-LT").folder == rendered

    def test_where(self, tmp_path, monkeypatch):
        monkeypatch.delenv("PYSOT_CACHE", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert builtin.cache_folder() == tmp_path / "pysot" / "builtin-v1"

    def test_a_place_that_cannot_be_written(self, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("PYSOT_CACHE", str(tmp_path / "file"))
        with pytest.raises(DatasetError, match=r"cannot render the built-in benchmark there .*set PYSOT_CACHE"):
            load_dataset("Builtin", tmp_path / "nothing")

    def test_an_incomplete_copy(self, tmp_path):
        (tmp_path / "Builtin").mkdir()
        with pytest.raises(DatasetError, match=r"Builtin.json: cannot be read as JSON"):
            load_dataset("Builtin", tmp_path)

    def test_at_once_from_several_threads(self, tmp_path, monkeypatch):
        monkeypatch.setattr(builtin, "render", lambda folder: (folder / "Builtin.json").write_text("{}"))
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(builtin.prepare, [tmp_path / "here"] * 32))
        assert set(made) == {tmp_path / "here"}
        assert [path.name for path in tmp_path.iterdir()] == ["here"]


class TestScored:
    """A tracker that repeats the ground truth reaches the best there is, in each protocol's files."""

    def test_one_pass(self, load, tmp_path):
        dataset = load("Builtin")
        for sequence in dataset.sequences:
            write_boxes(tmp_path / f"Builtin/oracle/{sequence.name}.txt", sequence.ground_truth.values[:, :4])
        scores = evaluate(dataset, tmp_path).scores["oracle"]
        overall = scores.overall()
        assert overall["success_auc"] == pytest.approx(20 / 21)
        assert (overall["precision"], overall["normalized_precision"]) == (1, 1)
        assert len(scores.per_attribute("success_auc")) == 11

    def test_supervised(self, load, tmp_path):
        dataset = load("Builtin-VOT")
        layout = LAYOUTS["supervised"]
        for sequence in dataset.sequences:
            regions = [[1.0], *sequence.ground_truth.values[1:]]
            write_regions(layout.regions_path(tmp_path / "Builtin-VOT/oracle", sequence.name), regions)
        overall = evaluate(dataset, tmp_path).scores["oracle"].overall()
        assert overall["robustness"] == 0
        assert overall["accuracy"] > 0.999
        assert all(overall["eao"][tag] > 0.999 for tag in ("all", *FRAME_TAGS, "empty"))

    def test_long_term(self, load, tmp_path):
        dataset = load("Builtin-LT")
        layout = LAYOUTS["long_term"]
        for sequence in dataset.sequences:
            boxes = sequence.ground_truth.values[:, :4]
            absent = np.isnan(boxes[:, 0])
            folder = tmp_path / "Builtin-LT/oracle"
            rows = [[1.0], *np.where(absent[:, None], 0.0, boxes)[1:]]
            write_regions(layout.regions_path(folder, sequence.name), rows)
            write_confidences(layout.confidence_path(folder, sequence.name), np.where(absent, 0.0, 1.0))
        assert evaluate(dataset, tmp_path).scores["oracle"].overall()["f1"] > 0.98
