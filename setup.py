"""Packaging of pysot (trackers, training) and toolkit (evaluation)."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
EXPERIMENTS = sorted(path.name for path in (ROOT / "experiments").iterdir() if path.is_dir())

setup(
    name="pysot",
    version="0.1.0",
    description="Siamese single-object tracking: train, run and evaluate.",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    # The commands and the experiment configurations live at the top of the repository, where users
    # look for them; an installed copy carries them inside the package.
    packages=[
        *find_packages(include=["pysot", "pysot.*", "toolkit", "toolkit.*"]),
        "pysot.tools",
        "pysot.experiments",
    ],
    package_dir={"pysot.tools": "tools", "pysot.experiments": "experiments"},
    package_data={
        "pysot": ["py.typed", "zoo/weights/*.safetensors"],
        "toolkit": ["py.typed"],
        "pysot.experiments": [f"{name}/config.yaml" for name in EXPERIMENTS],
    },
    install_requires=[
        "torch>=2.4",  # before 2.6, reading a checkpoint warns of CVE-2025-32434
        "numpy>=1.24",
        "opencv-python>=4.6",
        "yacs>=0.1.8",
        "pyyaml>=6",
        "safetensors>=0.4",
        "tqdm>=4.60",
        "colorama>=0.4",
    ],
    extras_require={
        "train": ["torchvision>=0.19", "tensorboardX>=2.6", "simplejpeg>=1.7"],
        "zoo": ["gdown>=5.1"],
        "eval": ["matplotlib>=3.7"],
        "tune": ["optuna>=5", "matplotlib>=3.7"],
        "render": ["moderngl>=5.10"],
        # Triton's interpreter runs the GPU kernels' arithmetic on the CPU in the tests.
        "dev": [
            "pytest>=8",
            "pytest-xdist>=3.5",
            "matplotlib>=3.7",
            "optuna>=5",
            "ruff==0.17.6",
            "mypy==2.4.1",
            "types-PyYAML",
            "types-tqdm",
            "triton>=3.0; platform_system == 'Linux'",
        ],
    },
    entry_points={"console_scripts": ["pysot=pysot.__main__:main"]},
)
