"""Who may import whom: the table, held against every import statement of every file."""

from __future__ import annotations

import ast
import graphlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Rule:
    """What a package may import besides the standard library and itself.

    Attributes:
        packages: Packages of others.
        own: Packages of this project.
        in_build: Packages that its build.py alone may import as well: a configuration is read at the edge.
        for_types: Packages that may be imported for annotations alone, under TYPE_CHECKING.
    """

    packages: str = ""
    own: str = ""
    in_build: str = ""
    for_types: str = ""


_CONFIG = "pysot.config yacs"
RULES = {
    "pysot.utils": Rule("torch colorama"),
    "pysot.geometry": Rule("numpy cv2"),
    "pysot.ops": Rule("torch triton"),
    "pysot.models": Rule("torch", "pysot.ops pysot.utils", in_build=_CONFIG),
    "pysot.runtime": Rule("torch numpy", "pysot.models pysot.utils"),
    "pysot.trackers": Rule(
        "torch numpy cv2", "pysot.models pysot.runtime pysot.geometry pysot.utils", in_build=_CONFIG
    ),
    "pysot.datasets": Rule("torch numpy cv2 lmdb simplejpeg", "pysot.geometry pysot.utils", in_build=_CONFIG),
    "pysot.engine": Rule(
        "torch numpy tqdm tensorboardX matplotlib safetensors",
        "pysot.models pysot.datasets pysot.utils",
        in_build=_CONFIG,
    ),
    "pysot.config": Rule("yacs yaml", "pysot.utils"),
    "pysot.zoo": Rule("tqdm", "pysot.utils"),
    "pysot.demo": Rule("numpy cv2 tqdm", "pysot.geometry pysot.utils", for_types="pysot.trackers"),
    "pysot.api": Rule(
        "torch yacs", "pysot.config pysot.engine pysot.models pysot.runtime pysot.trackers pysot.utils pysot.zoo"
    ),
    "pysot.run_record": Rule(
        "torch numpy cv2 yacs yaml", "pysot.config pysot.runtime pysot.utils pysot.zoo pysot.__version__"
    ),
    "pysot.__main__": Rule(),
    "pysot.__init__": Rule(for_types="pysot"),
    "toolkit": Rule("numpy cv2 matplotlib tqdm colorama optuna sqlalchemy"),
}


@dataclass(frozen=True)
class Import:
    """One imported module: its dotted name, where, and whether only type checkers see it."""

    module: str
    line: int
    for_types: bool


def imports_of(source: str) -> Iterator[Import]:
    """Yield every import of a file, those inside functions too."""
    tree = ast.parse(source)
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            # `from pysot import models` imports pysot.models; for any other package the package is what counts.
            names = [f"pysot.{alias.name}" for alias in node.names] if start == "pysot" else [start]
        else:
            continue
        for name in names:
            yield Import(name, node.lineno, id(node) in hidden)


def belongs_to(module: str, packages: str) -> bool:
    """Whether a module is one of the packages or inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages.split())


def home_of(file: Path) -> str:
    """The row of the table a file falls under."""
    top, *rest = file.relative_to(ROOT).with_suffix("").parts
    return top if top == "toolkit" else f"{top}.{rest[0]}"


def violations(home: str, is_build: bool, source: str) -> list[str]:
    """The imports that the table does not allow, as `line: module`."""
    rule = RULES[home]
    allowed = f"{home} {rule.packages} {rule.own} {rule.in_build if is_build else ''}"
    return [
        f"{found.line}: {found.module}"
        for found in imports_of(source)
        if found.module.partition(".")[0] not in sys.stdlib_module_names
        and not belongs_to(found.module, allowed + (f" {rule.for_types}" if found.for_types else ""))
    ]


PACKAGE_FILES = sorted(file for package in ("pysot", "toolkit") for file in (ROOT / package).rglob("*.py"))


def test_every_package_has_a_row():
    assert {home_of(file) for file in PACKAGE_FILES} == set(RULES)


def test_the_table_has_no_circle():
    graph = {home: rule.own.split() for home, rule in RULES.items()}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert order.index("pysot.utils") < order.index("pysot.models") < order.index("pysot.trackers")


@pytest.mark.parametrize("home", RULES)
def test_files_import_what_the_table_allows(home):
    found = [
        f"{file.relative_to(ROOT)}:{violation}"
        for file in PACKAGE_FILES
        if home_of(file) == home
        for violation in violations(home, file.name == "build.py", file.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("home", "source", "expected"),
    [
        ("pysot.geometry", "import torch", ["1: torch"]),
        ("pysot.geometry", "import os.path\nimport numpy.linalg as la, cv2", []),
        ("pysot.geometry", "def f():\n    from torch import nn", ["2: torch"]),
        ("pysot.models", "from pysot import trackers, ops", ["1: pysot.trackers"]),
        ("pysot.models", "from pysot import build_model", ["1: pysot.build_model"]),
        ("pysot.models", "import pysot", ["1: pysot"]),
        ("pysot.models", "from pysot.modelsother import x", ["1: pysot.modelsother"]),
        ("pysot.models", "from ..utils import x", ["1: ..utils"]),
        ("pysot.models", "from yacs.config import CfgNode", ["1: yacs.config"]),
        ("pysot.demo", "from pysot.trackers import Tracker", ["1: pysot.trackers"]),
        ("pysot.demo", "if TYPE_CHECKING:\n    from pysot.trackers import Tracker", []),
        ("pysot.demo", "if typing.TYPE_CHECKING:\n    import torch", ["2: torch"]),
        ("toolkit", "try:\n    import pysot.utils\nexcept ImportError:\n    pass", ["2: pysot.utils"]),
    ],
)
def test_the_rules_find_what_they_forbid(home, source, expected):
    assert violations(home, False, source) == expected


def test_only_build_files_read_configurations():
    source = "from yacs.config import CfgNode\nfrom pysot.config import load_cfg"
    for home in ("pysot.models", "pysot.trackers", "pysot.datasets", "pysot.engine"):
        assert violations(home, True, source) == []
        assert len(violations(home, False, source)) == 2


def test_nothing_imports_a_tool_or_a_test():
    # Tools stand alone; what two of them need belongs into a package.
    for folder in ("pysot", "toolkit", "tools", "benchmarks"):
        for file in (ROOT / folder).rglob("*.py"):
            for found in imports_of(file.read_text(encoding="utf-8")):
                assert not belongs_to(found.module, "tools tests benchmarks"), f"{file}:{found.line}"


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter with neither display nor GPU."""
    variables = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    variables |= {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-c", code],
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("module", ["pysot", "toolkit"])
def test_importing_the_package_imports_nothing_heavy(module):
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    heavy = {"torch", "torchvision", "cv2", "numpy", "yacs", "yaml", "matplotlib", "triton"}
    assert not heavy & set(done.stdout.split())


@pytest.mark.parametrize("module", ["pysot.geometry", "pysot.config", "pysot.zoo", "pysot.demo"])
def test_parts_without_networks_do_not_import_torch(module):
    done = run_python(f"import sys, {module}; sys.exit('torch' in sys.modules)")
    assert done.returncode == 0, done.stderr


# Packages that a tracker does not need are made unimportable, wherever in the program the import stands.
_BLOCK = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} is blocked")

sys.meta_path.insert(0, Block())
"""
_TRACK = """
import numpy as np
import pysot

cfg = pysot.load_cfg(
    "siamrpn_alex_dwxcorr", ["BACKBONE.KWARGS.width_mult", 0.1, "RPN.KWARGS.in_channels", 25]
)
tracker = pysot.build_tracker(cfg, pysot.build_model(cfg))
frame = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
tracker.init(frame, (60, 40, 30, 20))
print(tracker.track(frame).bbox.shape)
"""


def test_tracking_needs_no_torchvision_no_display_and_no_gpu():
    blocked = ("torchvision", "triton", "matplotlib", "tensorboard", "tensorboardX", "colorama", "tqdm")
    done = run_python(_BLOCK.format(blocked=blocked) + _TRACK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(4,)"


def test_the_block_blocks():
    present = "yaml"
    assert importlib.util.find_spec(present)
    done = run_python(_BLOCK.format(blocked=(present,)) + _TRACK)
    assert f"{present} is blocked" in done.stderr


def test_every_public_name_can_be_had():
    code = "import pysot; print(all(getattr(pysot, name) is not None for name in pysot.__all__)); pysot.nothing"
    done = run_python(code)
    assert done.stdout.strip() == "True"
    assert "AttributeError: module 'pysot' has no attribute 'nothing'" in done.stderr
