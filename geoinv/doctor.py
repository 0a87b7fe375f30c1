"""Check of this machine: what is there, what is missing, and what does not work without it.

Nothing here is imported before it is checked: a machine without OpenCV, or without torch, still gets its report.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .checkpoints.model_files import Part

State = Literal["ok", "missing", "broken"]

MIN_FREE_GIB = 2.0
_REINSTALL = "reinstall geoinv, or set GEOINV_WEIGHTS to a folder with its weights"


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Args:
        name: Name of the thing that was looked for.
        state: ``ok``, ``missing``, or ``broken``: there, but unusable.
        detail: Version, place, or the reason.
        cost: Things that do not work without it; empty where all is well.
        fix: Advice on how to mend it; empty where all is well.
        is_required: Whether `geoinv invert` needs it.
    """

    name: str
    state: State
    detail: str
    cost: str = ""
    fix: str = ""
    is_required: bool = False


def examine(model: str = "mini") -> list[Check]:
    """All checks, in the order in which a person would mend them."""
    return [check for part in _parts(model) for check in part]


def is_usable(checks: list[Check]) -> bool:
    """Whether everything that `geoinv invert` needs is there."""
    return all(check.state == "ok" for check in checks if check.is_required)


def _parts(model: str) -> Iterator[list[Check]]:
    yield [_python(), _torch(), _versions(), _device(), _memory()]
    yield [
        _package("cv2", "opencv-python-headless", "no photo can be aligned", is_required=True),
        _package("PIL", "pillow", "no photo can be read", is_required=True),
        _package("safetensors", "safetensors", "no weights can be loaded", is_required=True),
        _package("skimage.measure", "scikit-image", "export-mesh does not work"),
        _package("scipy", "scipy", "export-mesh does not work"),
        _package("trimesh", "trimesh", "export-mesh does not work"),
        _package("fast_simplification", "fast-simplification", "export-mesh --simplify does not work"),
    ]
    yield [_ffmpeg()]
    yield _weights(model)
    yield [_compiler(), *_nvcc(), _kernels()]
    yield _synth()
    yield [
        _package(
            "face_alignment",
            "geoinv[landmarks]",
            "--landmarks face-alignment does not work; the built-in detector does",
            load=False,
        ),
        _package("fastapi", "geoinv[app]", "geoinv app does not work", load=False),
        _package("lpips", "lpips", "--method optimise and pti compare faces by identity alone", load=False),
    ]


def _python() -> Check:
    version = platform.python_version()
    if (3, 10) <= sys.version_info[:2] < (3, 14):
        return Check("python", "ok", f"{version}, {platform.system()} {platform.machine()}", is_required=True)
    return Check("python", "broken", version, "untested with geoinv", "use Python 3.10 to 3.13", is_required=True)


def _torch() -> Check:
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        fix = "pip install torch (https://pytorch.org tells the right one)"
        return Check("torch", _state_of(error), _first_line(error), "nothing works", fix, is_required=True)
    return Check("torch", "ok", f"{torch.__version__}, {torch.get_num_threads()} threads", is_required=True)


def _versions() -> Check:
    """Whether every package is as new as the installed geoinv asks for."""
    try:
        needed = importlib.metadata.requires("geoinv") or []
    except importlib.metadata.PackageNotFoundError:
        return Check("versions", "ok", "not compared: geoinv runs from its folder, pip did not install it")
    old, names = [], []
    for requirement in needed:
        found = re.match(r"([\w.-]+)[^;]*?>=\s*([\d.]+)[^;]*$", requirement)  # what has a marker is optional
        if found is None:
            continue
        name, least = found.groups()
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # has a line of its own
        if _numbers(version) < _numbers(least):
            old.append(f"{name} {version}, needed {least}")
            names.append(f"'{name}>={least}'")
    if old:
        fix = f"pip install {' '.join(names)}"
        return Check("versions", "broken", "; ".join(old), "errors in the middle of the work", fix, is_required=True)
    return Check("versions", "ok", "all packages are new enough", is_required=True)


def _numbers(version: str) -> tuple[int, ...]:
    """``2.13.0+cpu`` as (2, 13, 0), for comparisons."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def _device() -> Check:
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError):
        return Check("device", "missing", "no torch", "nothing works", "install torch")
    if torch.cuda.is_available():
        return Check("device", "ok", f"cuda: {torch.cuda.get_device_name(0)}")
    return Check("device", "ok", f"cpu, {os.cpu_count()} cores (no CUDA GPU that torch can use)")


def _memory() -> Check:
    free = _free_gib()
    if free is None:
        return Check("memory", "ok", "unknown on this system")
    if free >= MIN_FREE_GIB:
        return Check("memory", "ok", f"{free:.1f} GiB free")
    cost = "inverting and meshing may be ended by the system"
    return Check("memory", "missing", f"{free:.1f} GiB free", cost, f"free {MIN_FREE_GIB:.0f} GiB")


def _free_gib() -> float | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / 2**20
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (AttributeError, OSError, ValueError):
        return None


def _package(module: str, pip_name: str, cost: str, *, is_required: bool = False, load: bool = True) -> Check:
    """A package that must import; ``load=False`` only looks whether it is there, for those that are slow."""
    fix = f"pip install '{pip_name}'"
    top = module.split(".")[0]
    name = top.replace("_", "-") if "[" in pip_name else pip_name
    if importlib.util.find_spec(top) is None:
        return Check(name, "missing", "not installed", cost, fix, is_required)
    if not load:
        return Check(name, "ok", "installed", is_required=is_required)
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as error:
        if "libGL" in str(error):
            fix = "pip uninstall opencv-python, then pip install --force-reinstall opencv-python-headless"
        return Check(name, "broken", _first_line(error), cost, fix, is_required)
    version = getattr(sys.modules[top], "__version__", "installed")
    return Check(name, "ok", str(version), is_required=is_required)


def _ffmpeg() -> Check:
    try:
        imageio_ffmpeg = importlib.import_module("imageio_ffmpeg")
        path = imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError, OSError) as error:
        cost = "no .mp4: turntables are .gif, --turntable mp4 and render --video do not work"
        return Check("ffmpeg", _state_of(error), _first_line(error), cost, "pip install imageio-ffmpeg")
    return Check("ffmpeg", "ok", Path(path).name)


@dataclass(frozen=True)
class _Weights:
    """A file of weights to look for; ``part`` is its part of the model, ``sha256`` None where it is not known."""

    name: str
    path: Path
    cost: str
    fix: str
    is_required: bool
    sha256: str | None = None
    part: Part | None = None


def _weights(model: str) -> list[Check]:
    """Every file that ships, by ``index.toml``, and the model's own where it is another."""
    try:
        from .checkpoints.index import load_index
        from .checkpoints.registry import files_elsewhere
        from .checkpoints.store import model_file, weights_dir
        from .errors import GeoinvError
    except (ImportError, OSError) as error:
        return [Check("weights", "broken", _first_line(error), "nothing works", "mend the above first", True)]
    try:
        index = weights_dir() / "index.toml"
    except GeoinvError as error:
        return [Check("weights", "missing", error.message, "nothing works", error.hint or _REINSTALL, True)]
    cost = "files that ship are not looked for, damage is not found, and nothing can be fetched"
    checks = []
    try:
        shipped = [entry for entry in load_index().values() if entry.is_shipped]
        if not shipped:
            checks.append(Check("weights index", "missing", str(index), cost, _REINSTALL))
    except GeoinvError as error:
        shipped = []
        checks.append(Check("weights index", "broken", error.message, cost, _REINSTALL))
    files: dict[Path, _Weights] = {}
    found: dict[str, Path] = {}
    try:
        if model_file(model, "generator").is_file():
            found = dict(files_elsewhere(model).items())
    except GeoinvError as error:
        if not checks:  # else the index is damaged, which is said already
            misled = "an encoder that is registered for the model is not found"
            checks.append(Check("registered weights", "broken", error.message, misled, error.hint or ""))
    for part, (cost, fix, is_required) in _PARTS.items():
        path = found.get(part, model_file(model, part))
        files[path] = _Weights(path.stem, path, cost, fix, is_required, part=part)
    is_other = all(entry.path not in files for entry in shipped)
    for entry in shipped:
        if is_other and any(entry.file.endswith(f"-{part}.safetensors") for part in _PARTS):
            continue  # of the model that ships, while another one is asked about
        cost = f"needed for {entry.needed_for}" if entry.needed_for else "the index does not say what it is needed for"
        part_or_none = files[entry.path].part if entry.path in files else None
        files[entry.path] = _Weights(
            entry.name, entry.path, cost, _REINSTALL, entry.required, entry.sha256, part_or_none
        )
    return checks + [_look_at(file, model) for file in files.values()]


_PARTS: dict[Part, tuple[str, str, bool]] = {
    "generator": ("nothing works", "`geoinv weights fetch` or `geoinv weights convert` brings one", True),
    "encoder": (
        "invert works by --method optimise and pti alone, from the mean head",
        "for a generator of synthetic heads, make one: geoinv train encoder",
        False,
    ),
    "details": (
        "heads lack the photo's details: invert falls back to --method encoder",
        "for a generator with an encoder, make them: geoinv train local",
        False,
    ),
    "directions": ("edit does not work", "make them: geoinv train directions", False),
}
"""Cost and fix of what a model that does not ship lacks, and whether `geoinv invert` needs it."""


def _look_at(file: _Weights, model: str) -> Check:
    """Whether a file is there, undamaged, and made for the generator and encoder that are here."""
    from .errors import GeoinvError
    from .folders import sha256_of

    def bad(state: State, detail: str) -> Check:
        return Check(file.name, state, detail, file.cost, file.fix, file.is_required)

    if not file.path.is_file():
        return bad("missing", str(file.path))
    try:
        digest = sha256_of(file.path)
        misfit, note = _belonging(file, model)
    except (OSError, GeoinvError) as error:
        return bad("broken", f"{file.path}: {_first_line(error)}")
    if file.sha256 is not None and digest != file.sha256:
        return bad("broken", f"{file.path} is not what shipped (sha256 {digest[:12]}, not {file.sha256[:12]})")
    if misfit:
        return bad("broken", misfit)
    verified = f"sha256 {digest[:12]}{'' if file.sha256 is None else ', verified'}{note}"
    detail = f"{file.path.name}, {file.path.stat().st_size / 2**20:.1f} MiB, {verified}"
    return Check(file.name, "ok", detail, is_required=file.is_required)


def _belonging(file: _Weights, model: str) -> tuple[str | None, str]:
    """Why a part does not belong to the model's generator and encoder, if so; and a note."""
    if file.part in (None, "generator"):
        return None, ""
    from .checkpoints.model_files import trained_for_others
    from .checkpoints.model_format import read_header
    from .checkpoints.registry import encoder_file

    header = read_header(file.path)
    made_for = header if file.part == "directions" else header.get("extra", {})
    is_silent = file.part == "details" and "encoder_sha256" not in made_for
    note = "; it does not say which encoder it was trained for" if is_silent else ""
    return trained_for_others(model, file.path, made_for, encoder=encoder_file(model)), note


def _compiler() -> Check:
    from .ops._compile import find_compiler

    command = find_compiler()
    if command is None:
        cost = "native kernels are not built; the slower torch reference runs"
        named = os.environ.get("CXX", "c++")
        return Check("C++ compiler", "missing", f"no {named}", cost, "Debian and Ubuntu: apt-get install g++")
    return Check("C++ compiler", "ok", _first_output([*command, "--version"]) or command[0])


def _nvcc() -> list[Check]:
    """The CUDA compiler, where there is a GPU that torch can use."""
    try:
        from .ops._cuda import find_nvcc

        has_gpu = bool(importlib.import_module("torch").cuda.is_available())
    except (ImportError, OSError):
        return []
    if not has_gpu:
        return []
    path = find_nvcc()
    if path is None:
        cost = "kernels run as plain torch on the GPU (slower, same results)"
        return [Check("CUDA compiler", "missing", "no nvcc", cost, "install NVIDIA's CUDA toolkit, or set CUDA_HOME")]
    return [Check("CUDA compiler", "ok", path)]


def _kernels() -> Check:
    """Which backend is in use, and why."""
    cost = "the slower torch reference runs, with the same results"
    try:
        from .errors import GeoinvError
        from .ops._build import backend_choice, native_states
    except (ImportError, OSError) as error:
        return Check("kernels", "broken", _first_line(error), cost, "mend the above first")
    try:
        choice = backend_choice()
    except GeoinvError as error:
        return Check("kernels", "broken", error.message, "nothing works", error.hint or "")
    if choice == "reference":
        return Check("kernels", "ok", "reference, because GEOINV_BACKEND says so")
    states = native_states()
    for state in states:
        if state.failure is not None:
            detail = f"{state.name} cannot be built: {state.failure.message}"
            return Check("kernels", "broken", detail, cost, state.failure.hint or "")
    built = sum(state.is_built for state in states)
    if built == len(states):
        return Check("kernels", "ok", f"native, all {built} compiled for this processor")
    return Check("kernels", "ok", f"native, {built} of {len(states)} compiled, the rest at first use")


def _synth() -> list[Check]:
    cost = "no synthetic heads: synth and train all do not work, other stages of train lack new data"
    return [
        _package("moderngl", "geoinv[synth]", cost),
        Check(
            "MakeHuman base mesh",
            *_try(lambda: str(importlib.import_module("geoinv.synth.assets").find_base_data()), cost),
        ),
        Check(
            "MakeHuman assets", *_try(lambda: str(importlib.import_module("geoinv.synth.assets").find_assets()), cost)
        ),
    ]


def _try(find: Callable[[], str], cost: str) -> tuple[State, str, str, str]:
    """State, detail, cost and fix of something that geoinv itself knows how to look for."""
    from .errors import GeoinvError

    try:
        return "ok", find(), "", ""
    except GeoinvError as error:
        return "missing", error.message, cost, error.hint or ""
    except (ImportError, OSError) as error:
        return "broken", _first_line(error), cost, "mend the above first"


def _state_of(error: Exception) -> State:
    return "missing" if isinstance(error, ModuleNotFoundError) else "broken"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _first_output(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout.strip().splitlines() or [""])[0] or None
