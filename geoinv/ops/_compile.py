"""Native operations and the C++ compiler that builds them.

The compiler is called directly, for the sources of all operations side by side. torch's own builder would need ninja on
the path (a virtual environment that is not activated hides its own), setuptools and Python's headers besides.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ..notices import notify


class Operation(NamedTuple):
    """One extension.

    Args:
        name: Name in ``torch.ops.geoinv.<name>_*``, which the extension registers.
        sources: C++ files; the headers beside them and those that all operations share belong to it as well.
        portable: Whether the sources choose instructions at run time instead of being built for this processor.
        uses: Folders of other operations whose headers these sources include.
    """

    name: str
    sources: tuple[Path, ...]
    portable: bool = False
    uses: tuple[Path, ...] = ()

    def files(self) -> list[Path]:
        """The sources and all headers that they may include."""
        folders = {Path(__file__).parent, *(source.parent for source in self.sources), *self.uses}
        return sorted({*self.sources, *(header for folder in folders for header in folder.glob("*.h"))})


def find_compiler() -> list[str] | None:
    """The command of the C++ compiler (``CXX``, c++, g++ or clang++); None where there is none."""
    named = shlex.split(os.environ.get("CXX", ""))
    for command in [named] if named else [["c++"], ["g++"], ["clang++"]]:
        if path := shutil.which(command[0]):
            return [path, *command[1:]]
    return None


def fingerprint(compiler: list[str] | None) -> str:
    """A key of the compiler that changes when another is installed."""
    if compiler is None:
        return "none"
    program = Path(compiler[0]).resolve()
    state = program.stat()
    return hashlib.sha256(repr((compiler, str(program), state.st_mtime_ns, state.st_size)).encode()).hexdigest()[:16]


def compiler_flags(*, portable: bool = False) -> list[str]:
    """Flags of the CPU build: this machine's own instructions, contraction allowed, no other fast-math.

    ``portable`` builds choose their instructions at run time.
    """
    flags = ["-O3", "-std=c++20"]
    if not portable and platform.machine() in ("x86_64", "AMD64", "aarch64"):
        flags.append("-march=native")
    return flags


@cache
def thread_flags(compiler: tuple[str, ...]) -> list[str]:
    """Flags for compiling and linking that let kernels use torch's threads: torch's ``parallel_for`` is a template that
    without OpenMP is a plain loop, and says nothing.

    Only on Linux, where both are GNU's and usually one (elsewhere a second OpenMP in the process can abort it); empty
    where the compiler lacks it.
    """
    flag = "-fopenmp"
    if sys.platform != "linux":
        return []
    command = [*compiler, flag, "-fsyntax-only", "-x", "c++", "-"]
    probe = subprocess.run(command, input="#include <omp.h>\n", capture_output=True, text=True)
    if probe.returncode == 0:
        return [flag]
    notify("the compiler has no OpenMP: native operations use one thread")
    return []


def compile_operations(targets: Mapping[Operation, Path], compiler: list[str]) -> dict[Operation, str]:
    """Compile operations, each into its library, which is written whole or not at all.

    Args:
        targets: Library of each operation; its folder is made.
        compiler: Command from :func:`find_compiler`.

    Returns:
        The line that says what is wrong, for each operation that failed.

    Raises:
        OSError: A folder or file cannot be written.
    """
    pool = ThreadPoolExecutor(os.cpu_count())
    folders = {operation: library.parent / f"build-{os.getpid()}" for operation, library in targets.items()}
    failures: dict[Operation, str] = {}
    try:
        for folder in folders.values():
            for left in folder.parent.glob("build-*"):  # by a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            folder.mkdir(parents=True)
        objects: dict[Operation, list[Future[Path]]] = {
            operation: [
                pool.submit(_compile_source, operation, source, folders[operation], compiler)
                for source in operation.sources
            ]
            for operation in targets
        }
        for operation, library in targets.items():
            try:
                _link([each.result() for each in objects[operation]], folders[operation] / library.name, compiler)
                os.replace(folders[operation] / library.name, library)
            except subprocess.CalledProcessError as error:
                failures[operation] = telling_line(error.stderr) or f"{compiler[0]} failed"
    finally:
        pool.shutdown(cancel_futures=True)
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)
    return failures


def telling_line(output: str) -> str:
    """The line of a compiler's output that says what is wrong; its first where none does."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return next((line for line in lines if ": error" in line or "fatal" in line.lower()), lines[0] if lines else "")


def _compile_source(operation: Operation, source: Path, folder: Path, compiler: list[str]) -> Path:
    """Compile one source into an object in ``folder``."""
    import torch  # here, so that `geoinv doctor` can look for a compiler without it

    target = folder / f"{source.stem}.o"
    includes = Path(torch.__file__).parent / "include"
    flags = [*compiler_flags(portable=operation.portable), *thread_flags(tuple(compiler)), "-fPIC"]
    flags += ["-isystem", str(includes), "-isystem", str(includes / "torch/csrc/api/include")]
    flags.append(f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}")
    _run([*compiler, *flags, "-c", str(source), "-o", str(target)])
    return target


def _link(objects: list[Path], library: Path, compiler: list[str]) -> None:
    import torch

    flags = [*thread_flags(tuple(compiler)), "-shared"]
    if sys.platform == "darwin":
        flags += ["-undefined", "dynamic_lookup"]
    libraries = ["-L", str(Path(torch.__file__).parent / "lib"), "-lc10", "-ltorch_cpu", "-ltorch"]
    _run([*compiler, *flags, *(str(each) for each in objects), *libraries, "-o", str(library)])


def _run(command: list[str]) -> None:
    environment = {**os.environ, "LC_ALL": "C"}  # messages in which an error is called an error
    subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
