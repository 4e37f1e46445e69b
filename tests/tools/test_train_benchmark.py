"""The benchmark of the training: its table, and that the loading keeps a GPU busy."""

from __future__ import annotations

import pytest
import torch

from benchmarks import train

TINY = ["--device", "cpu", "--batch", "2", "--steps", "2", "--workers", "0", "--videos", "2"]
NARROW = ["TRAIN.SEARCH_SIZE", "143", "TRAIN.OUTPUT_SIZE", "3"]


def table(capsys: pytest.CaptureFixture[str], *words: str) -> dict[tuple[str, str, str], list[str]]:
    """Return the columns behind configuration, batch, precision and augment, by those but the batch."""
    assert train.main(list(words)) == 0
    lines = capsys.readouterr().out.splitlines()
    header = next(number for number, line in enumerate(lines) if line.startswith("configuration"))
    assert lines[header].split()[-5:] == ["pairs/s", "ratio", "wait", "GiB", "loads"]
    rows = [line.split() for line in lines[header + 1 :]]
    return {(row[0], row[2], row[3]): row[4:] for row in rows}


def test_every_row_is_measured(capsys):
    rows = table(capsys, "--config", "siamfc_alex", *TINY, *NARROW)
    expected = [(precision, augment) for precision in ("fp32", "bf16") for augment in ("cpu", "device", "repeated")]
    assert list(rows) == [("siamfc_alex", *row) for row in expected]
    first = float(next(iter(rows.values()))[0])
    for (_, _, augment), (speed, ratio, wait, memory, loads) in rows.items():
        assert float(speed) > 0
        assert float(ratio.rstrip("x")) == pytest.approx(float(speed) / first, abs=0.1 / first + 0.011)
        assert 0 <= float(wait.rstrip("%")) <= 100
        # Without loading processes, all loading is waited for; how long depends on the machine.
        assert float(wait.rstrip("%")) < 1 if augment == "repeated" else float(wait.rstrip("%")) > 0
        assert memory == "-" or 0.1 < float(memory) < 16
        assert loads == "-" if augment == "repeated" else float(loads) > float(speed)


def test_mistakes_are_one_line(capsys):
    assert train.main([*TINY, "--config", "siamfc"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: no configuration 'siamfc'")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gpu_does_not_wait_for_the_data_of_the_deep_network(capsys, precision):
    rows = table(capsys, "--config", "siamrpn_r50", "--precision", precision, "--device", "cuda", "--steps", "100")
    repeated = float(rows["siamrpn_r50", precision, "repeated"][0])
    for augment in ("cpu", "device"):
        speed, _, wait, _, loads = rows["siamrpn_r50", precision, augment]
        assert float(wait.rstrip("%")) < 5
        assert float(loads) > float(speed)
        assert float(speed) > 0.8 * repeated
