"""Methods by name: what they need, what they refuse, and that light imports can list them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import geoinv
from geoinv.errors import MissingDetailsError, UsageError
from geoinv.inversion import METHODS, Refinement, default_method, method_named
from tests.tiny_models import write_tiny_weights

WOMAN = Path(__file__).parents[2] / "examples" / "woman.jpg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_weights(tmp_path_factory.mktemp("weights") / "weights")


def session_of(folder: Path) -> geoinv.Session:
    return geoinv.Session(str(folder / "mini-generator.safetensors"), device="cpu")


@pytest.mark.parametrize("name", list(METHODS))
def test_each_inverts_and_says_so(folder: Path, name: str) -> None:
    session = session_of(folder)
    refinement = Refinement(steps=2) if METHODS[name].is_optimised else None
    made = session.inverted(WOMAN, method=name, refinement=refinement)
    assert made.inversion.method == name
    assert (made.inversion.details is not None) == (name == "hybrid")
    assert bool(made.inversion.tuning) == (name == "pti")
    assert (made.run is not None) == METHODS[name].is_optimised
    assert session.head(made.inversion) is made.head  # kept: the first view does not make it again
    # and what is kept is what the inversion stands for
    again = session_of(folder).render(made.inversion)
    assert (again.color - made.views.shown.color).abs().max() < 1e-6


def test_default_without_local_branch(folder: Path, tmp_path: Path) -> None:
    import shutil

    assert default_method(session_of(folder)).name == "hybrid"
    shutil.copytree(folder, tmp_path / "without")
    (tmp_path / "without" / "mini-details.safetensors").unlink()
    session = session_of(tmp_path / "without")
    assert session.invert(WOMAN).method == "encoder"
    with pytest.raises(MissingDetailsError):
        session.invert(WOMAN, method="hybrid")


def test_refuses(folder: Path) -> None:
    with pytest.raises(UsageError, match="unknown method 'magic'") as error:
        method_named("magic")
    assert error.value.hint is not None and "hybrid, encoder, optimise, pti" in error.value.hint
    for method in (None, "encoder"):
        with pytest.raises(UsageError, match="runs in steps"):
            session_of(folder).invert(WOMAN, method=method, refinement=Refinement(steps=1))


def test_names_are_known_without_torch() -> None:
    code = "import sys; from geoinv.inversion.methods import METHODS; print(METHODS and 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
