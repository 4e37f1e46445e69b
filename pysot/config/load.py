"""Read a configuration: defaults, a YAML file, KEY VALUE overrides; every fault is reported, together."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from yacs.config import CfgNode

from pysot.config.check import find_faults
from pysot.config.coerce import WrongTypeError, coerce, kind_of, parse_text, plain, show
from pysot.config.defaults import DATASET_ENTRY, KEYS, OPTIONAL, RETIRED, get_cfg
from pysot.utils import ConfigError, nearest_name

_PACKAGE = Path(__file__).resolve().parents[1]
_OPTIONAL_KINDS = {key.path: key.kinds for key in OPTIONAL}
_DEFAULTS = {key.path: key.default for key in KEYS}
_SECTIONS = dict.fromkeys(path.rpartition(".")[0] for path in _DEFAULTS if "." in path)
_KNOWN = (*_DEFAULTS, *_OPTIONAL_KINDS, *_SECTIONS)


class ConfigWarning(UserWarning):
    """A configuration says something that has no effect."""


def load_cfg(path: str | os.PathLike[str] | None = None, overrides: Sequence[Any] = ()) -> CfgNode:
    """Return the checked, frozen configuration of a YAML file or experiment.

    Unknown keys of the file are ignored with a ConfigWarning that names the nearest known key, so files
    written for PySOT load unchanged; an unknown key among the overrides is an error.

    Args:
        path: A YAML file, a folder with a config.yaml, or the name of an experiment; None for the defaults.
        overrides: KEY, VALUE, KEY, VALUE, ...: dotted keys; text values are read as Python or YAML would.

    Raises:
        ConfigError: The file cannot be read, or values have a wrong type or do not fit together; every fault.

    Example:
        >>> load_cfg(None, ["TRACK.LR", "0.3"]).TRACK.LR
        0.3
    """
    cfg = get_cfg()
    source = "configuration"
    faults: list[str] = []
    if path is not None:
        file = find_config(path)
        source = _shown(file)
        merge = _Merge(source)
        merge.section(cfg, read_yaml(file), "")
        faults += merge.faults
        for unknown in merge.unknown:
            warnings.warn(f"{source}: {unknown}", ConfigWarning, stacklevel=2)
    faults += _apply_overrides(cfg, overrides)
    faults += [f"{source}: {fault}" for fault in find_faults(cfg)]
    if faults:
        raise ConfigError("\n".join(dict.fromkeys(faults)))
    cfg.freeze()
    return cfg


def experiments_dir() -> Path:
    """Return the folder of the experiments: inside an installed package, else beside it in a checkout.

    Raises:
        ConfigError: There is none.
    """
    for folder in (_PACKAGE / "experiments", _PACKAGE.parent / "experiments"):
        if any(folder.glob("*/config.yaml")):
            return folder
    raise ConfigError(f"no experiments folder in {_PACKAGE} or beside it; give the path of a YAML file")


def experiment_names() -> list[str]:
    """Return the names of the experiments, sorted."""
    return sorted(file.parent.name for file in experiments_dir().glob("*/config.yaml"))


def find_config(path: str | os.PathLike[str]) -> Path:
    """Return the YAML file that ``path`` means: a file, a folder with a config.yaml, or an experiment's name.

    Raises:
        ConfigError: There is no such file or experiment; suggests the nearest name.
    """
    given = Path(path)
    for file in (given, given / "config.yaml"):
        if file.is_file():
            return file
    folder = given.parent if given.name == "config.yaml" else given
    names = experiment_names()
    if folder == given and given.name in names and str(given) == given.name:
        return experiments_dir() / given.name / "config.yaml"
    near = nearest_name(folder.name, names)
    hint = f" Did you mean {near!r}?" if near else ""
    raise ConfigError(f"no configuration {str(path)!r}: neither a file nor an experiment.{hint} Available: {names}")


def read_yaml(file: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file, read without building anything but plain values.

    Raises:
        ConfigError: The file cannot be read, is no YAML (with the line), or holds no mapping.
    """
    name = _shown(file)
    try:
        text = file.read_text(encoding="utf-8")
        _warn_of_repeated_keys(yaml.compose(text, Loader=yaml.SafeLoader), name, "")
        content = yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: expected UTF-8 text, byte {error.start} is not") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{name}{where}: not valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: nested too deeply to be a configuration") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{name}: expected sections such as TRACK: ..., got a {type(content).__name__}")
    return content


def _shown(file: Path) -> str:
    """Return the path as a user would write it: relative where the file is at hand."""
    for base in (Path.cwd(), _PACKAGE.parent):
        if file.resolve().is_relative_to(base):
            return file.resolve().relative_to(base).as_posix()
    return str(file)


def _warn_of_repeated_keys(node: yaml.Node | None, name: str, section: str) -> None:
    """Warn where a section names a key twice: YAML would silently keep the last."""
    if not isinstance(node, yaml.MappingNode):
        return
    first_line: dict[str, int] = {}
    for key, value in node.value:
        dotted = f"{section}{key.value}"
        line = key.start_mark.line + 1
        if dotted in first_line:
            message = f"{name}:{line}: {dotted} repeats line {first_line[dotted]}, which has no effect"
            warnings.warn(message, ConfigWarning, stacklevel=2)
        first_line[dotted] = line
        if section.count(".") < 8:  # an alias may contain itself
            _warn_of_repeated_keys(value, name, f"{dotted}.")


class _Merge:
    """Merge one source into a tree and collect what is wrong with it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.faults: list[str] = []
        self.unknown: list[str] = []

    def section(self, node: CfgNode, values: Mapping[Any, Any], prefix: str) -> None:
        """Merge ``values`` into ``node``, the section that ``prefix`` (empty or ending in a dot) names."""
        for name, value in values.items():
            path = f"{prefix}{name}"
            if not _is_known(node, str(name), prefix, value):
                self.unknown.append(f"unknown key {path} ignored; {_nearest(path)}")
            else:
                self.value(node, str(name), value, path)

    def value(self, node: CfgNode, name: str, value: Any, path: str) -> None:
        """Set one known key of ``node``."""
        if path.startswith("DATASET.") and name not in node:
            node[name] = CfgNode(DATASET_ENTRY)
        current = node.get(name)
        try:
            if isinstance(current, CfgNode):
                self._subsection(current, value, path)
            elif path in _OPTIONAL_KINDS:
                node[name] = _coerce_to_any(value, _OPTIONAL_KINDS[path])
            elif path in _DEFAULTS or not node.is_new_allowed():
                node[name] = coerce(value, kind_of(_DEFAULTS.get(path, current)))
            else:
                node[name] = plain(value)
        except WrongTypeError as error:
            self.faults.append(f"{self.source}: {path}: {error}")
        except RecursionError:
            self.faults.append(f"{self.source}: {path}: nested too deeply to be a configuration")

    def _subsection(self, node: CfgNode, value: Any, path: str) -> None:
        if value is None:  # a heading with nothing under it
            return
        if not isinstance(value, Mapping):
            keys = ", ".join(node) or "its arguments"
            raise WrongTypeError(f"expected a section with {keys}, got {show(value)}")
        self.section(node, value, f"{path}.")


def _apply_overrides(cfg: CfgNode, overrides: Sequence[Any]) -> Iterator[str]:
    """Set each KEY VALUE pair and yield the faults."""
    if len(overrides) % 2:
        words = " ".join(map(str, overrides))
        yield f"overrides: expected pairs KEY VALUE, got {len(overrides)} words: {words}"
        return
    for key, value in zip(overrides[::2], overrides[1::2], strict=True):
        path = str(key)
        prefix, _, name = path.rpartition(".")
        node = _find_section(cfg, prefix)
        read = parse_text(value) if isinstance(value, str) else value
        if node is None or not _is_known(node, name, f"{prefix}." if prefix else "", read):
            yield f"override {path}: unknown key; {_nearest(path)}"
            continue
        if isinstance(node.get(name), str) and isinstance(value, str):
            read = _as_typed(value)
        merge = _Merge("override")
        merge.value(node, name, read, path)
        yield from (*merge.faults, *(f"override: {unknown}" for unknown in merge.unknown))


def _as_typed(word: str) -> str:
    """Return the text a word of the command line stands for: without quotes around it, empty for None."""
    if word[:1] in ("'", '"') and isinstance(parse_text(word), str):
        return str(parse_text(word))
    return "" if word == "None" else word


def _find_section(cfg: CfgNode, prefix: str) -> CfgNode | None:
    node: Any = cfg
    for part in prefix.split(".") if prefix else ():
        node = node.get(part)
        if not isinstance(node, CfgNode):
            return None
    return node


def _is_known(node: CfgNode, name: str, prefix: str, value: Any) -> bool:
    """Return whether ``node`` takes the key: DATASET takes new data sets (sections), KWARGS take anything."""
    if name in node or not node.is_new_allowed():
        return name in node
    return isinstance(value, Mapping) if prefix == "DATASET." else True


def _coerce_to_any(value: Any, kinds: Sequence[str]) -> Any:
    """Return ``value`` as the first of ``kinds`` that takes it."""
    for kind in kinds[:-1]:
        try:
            return coerce(value, kind)
        except WrongTypeError:
            continue
    return coerce(value, kinds[-1])


def _nearest(path: str) -> str:
    """Say which known key is nearest: what replaced it, else the same name elsewhere, else a similar one."""
    section, _, name = path.rpartition(".")
    found = RETIRED.get(path)
    elsewhere = [known for known in _KNOWN if _leaf(known) == name]
    within = [known for known in _KNOWN if known.startswith(f"{section}.")]
    for candidates in (elsewhere, within, _KNOWN):
        near = nearest_name(name, (_leaf(known) for known in candidates))
        if found is None and near:
            same = [known for known in candidates if _leaf(known) == near]
            found = nearest_name(path, same) or same[0]
    found = found or nearest_name(path, _KNOWN)
    return f"the nearest known key is {found}" if found else "no known key resembles it"


def _leaf(path: str) -> str:
    return path.rpartition(".")[2]
