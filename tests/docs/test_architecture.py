"""docs/architecture.md is true: imports go down its floors, and what it says of adding things is enough to add them."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

import geoinv
from geoinv.camera import Camera, CameraPose, pixel_centres
from geoinv.cli.options import Method as MethodOption
from geoinv.conventions import FACE_ORBIT, Orbit
from geoinv.errors import UsageError
from geoinv.heads import Head, ViewPair, each_view
from geoinv.heads.volume import Volume
from geoinv.inversion import METHODS, Method, mean_face
from geoinv.mesh import FORMATS, extract_head, write_mesh
from geoinv.mesh.export import MeshFormat
from geoinv.models.render_output import RenderOutput
from tests.docs.pages import ROOT, code_names, read, tables
from tests.tiny_models import write_tiny_weights

if TYPE_CHECKING:
    from geoinv.inversion.encode import Inverted
    from geoinv.inversion.methods import GivenPhoto, Models
    from geoinv.inversion.optimise.refine import OnStep, Refinement

PACKAGE = ROOT / "geoinv"
PAGE = read("docs/architecture.md")


def floors() -> dict[str, int]:
    """Floor of each room in the page's picture; 0 is the ground."""
    picture = re.search(r"```floors\n(.*?)```", PAGE, re.DOTALL)
    assert picture is not None
    lines = [line.split("|")[0].split() for line in picture[1].splitlines()]
    return {room: floor for floor, rooms in enumerate(reversed(lines)) for room in rooms}


def rooms_in_code() -> set[str]:
    """Folders and files of the package, without those that stand for the package itself."""
    names = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    return names - {"__init__", "__main__", "_version"}


def imports(path: Path) -> set[str]:
    """Rooms that a file imports when it runs; what stands under ``if TYPE_CHECKING`` is for readers alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    folder = path.parent.relative_to(ROOT).parts
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and id(node) not in for_types:
            base = [*folder[: len(folder) - node.level + 1], *(node.module.split(".") if node.module else [])]
            found |= {base[1]} if len(base) > 1 else {alias.name for alias in node.names}
    return found


def test_every_room_is_drawn() -> None:
    assert set(floors()) == rooms_in_code()


def test_imports_go_down() -> None:
    floor = floors()
    upward = []
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room in floor:
            upward += [
                f"{path.relative_to(ROOT)} imports {other}"
                for other in imports(path)
                if other != room and other in floor and floor[other] >= floor[room]
            ]
    assert not upward


def test_training_is_imported_by_commands_and_benchmarks_alone() -> None:
    importers = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py") if "training" in imports(path)}
    assert importers - {"training"} == {"bench", "cli"}


def test_families_are_known_to_models_heads_and_checkpoints_alone() -> None:
    names = [path.stem for path in (PACKAGE / "models").iterdir() if path.is_dir() and path.name[0] != "_"]
    assert "stylesdf" in names
    knowing = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*(from|import) ", line) and any(re.search(rf"\b{name}\b", line) for name in names)
    }
    assert knowing == {"models", "heads", "checkpoints"}


def test_imports_are_read() -> None:
    assert imports(PACKAGE / "ops" / "__init__.py") <= {"errors", "ops", "notices"}
    session = imports(PACKAGE / "session.py")
    assert "inversion" in session and floors()["inversion"] < floors()["session"]


class BallHead:
    """A head of a toy family: a white ball of 0.3 world units about the pivot of the cameras."""

    radius = 0.3

    @property
    def orbit(self) -> Orbit:
        return FACE_ORBIT

    @property
    def volume(self) -> Volume:
        return Volume(is_bust=False)

    @property
    def plain(self) -> BallHead:
        return self

    def view(self, camera: Camera) -> RenderOutput:
        origins, directions = camera.rays(pixel_centres(32))
        along = ((torch.tensor(FACE_ORBIT.pivot) - origins) * directions).sum(dim=-1, keepdim=True)
        closest = (origins + along * directions - torch.tensor(FACE_ORBIT.pivot)).norm(dim=-1)  # [V, N]
        alpha = (closest < self.radius).float().reshape(len(camera), 1, 32, 32)
        return RenderOutput(alpha.expand(-1, 3, -1, -1), alpha, alpha * FACE_ORBIT.radius, camera)

    def view_pair(self, camera: Camera) -> ViewPair:
        view = self.view(camera)
        return ViewPair(view, view)

    def query(self, points: Tensor) -> tuple[Tensor, Tensor]:
        inside = self.radius - (points - torch.tensor(FACE_ORBIT.pivot)).norm(dim=-1)
        return (self.volume.level + 1000.0 * inside).clamp(min=0.0), torch.ones_like(points)


class TestFamily:
    """What the page says of a generator family is enough to show and mesh one."""

    def test_page_names_all_members(self) -> None:
        table = next(rows for rows in tables(PAGE) if rows[0][0] == "member")
        members = {code_names(row[0])[0] for row in table[1:]}
        assert members == {name for name in vars(Head) if not name.startswith("_")}
        assert members == {name for name in vars(BallHead) if not name.startswith("_")} - {"radius"}

    def test_views(self) -> None:
        cameras = CameraPose.from_vector(torch.tensor([[0.0] * 6, [0.5] + [0.0] * 5])).camera(BallHead().orbit)
        views = list(each_view(BallHead(), cameras))
        assert len(views) == 2
        for view in views:  # a ball looks the same from everywhere: 0.3 / 2.7 * 4.2647 of the width, twice
            assert float(view.alpha.mean()) == pytest.approx(np.pi * (0.3 / 2.7 * 4.2647) ** 2, abs=0.02)

    def test_mesh(self) -> None:
        mesh = extract_head(BallHead(), resolution=32)
        radii = np.linalg.norm(mesh.vertices_mm / 370.0 - np.array(FACE_ORBIT.pivot), axis=1)
        assert np.abs(radii - BallHead.radius).max() < 0.01


class MeanHead:
    """A toy method: whoever is in the photo, the generator's mean head seen from the front."""

    name = "mean"
    is_optimised = False

    def prepare(self, models: Models) -> None:
        _ = models.generator

    def invert(
        self, models: Models, photo: GivenPhoto, refinement: Refinement | None = None, on_step: OnStep | None = None
    ) -> Inverted:
        made = mean_face(photo.face, models.generator, photo.provenance, pose=photo.pose)
        return replace(made, inversion=replace(made.inversion, method=self.name))


class TestMethod:
    """What the page says of an inversion method is enough to add one."""

    def test_page_names_all_members(self) -> None:
        section = re.search(r"### An inversion method\n(.*?)\n### ", PAGE, re.DOTALL)
        assert section is not None
        listed = re.search(r"members of `Method` \((.*?)\)", section[1])
        assert listed is not None
        assert set(code_names(listed[1])) == {name for name in vars(Method) if not name.startswith("_")}

    def test_a_registered_method_inverts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GEOINV_WEIGHTS", str(write_tiny_weights(tmp_path / "weights")))
        monkeypatch.setitem(cast(dict[str, Method], METHODS), "mean", MeanHead())
        session = geoinv.load()
        inversion = session.invert(ROOT / "examples/woman.jpg", method="mean")
        assert inversion.method == "mean"
        mean = session.generator.w_avg.expand_as(inversion.w_plus[0])
        assert torch.equal(inversion.w_plus[0], mean)
        again = geoinv.Inversion.load(inversion.save(tmp_path / "mean.geoinv"))
        assert again.method == "mean"
        assert session.render(again, yaw_deg=[-30, 30]).color.shape == (2, 3, 32, 32)

    def test_the_command_line_lists_the_table(self) -> None:
        assert [method.value for method in MethodOption] == list(METHODS)


def _xyz(mesh: trimesh.Trimesh) -> bytes:
    """A toy format: a line of coordinates for each vertex."""
    return "\n".join(" ".join(f"{value:.3f}" for value in vertex) for vertex in mesh.vertices).encode()


class TestExportFormat:
    """What the page says of an export format is enough to add one."""

    def test_a_registered_format_is_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        box = trimesh.creation.box(extents=(2.0, 4.0, 6.0))
        with pytest.raises(UsageError, match="cannot write"):
            write_mesh(tmp_path / "box.xyz", box)
        monkeypatch.setitem(FORMATS, ".xyz", MeshFormat(_xyz))
        write_mesh(tmp_path / "box.xyz", box)
        lines = (tmp_path / "box.xyz").read_text(encoding="utf-8").splitlines()
        assert len(lines) == 8 and "1.000 2.000 3.000" in lines
        with pytest.raises(UsageError) as error:
            write_mesh(tmp_path / "box.abc", box)
        assert error.value.hint is not None and ".xyz" in error.value.hint
