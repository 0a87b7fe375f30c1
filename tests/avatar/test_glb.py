"""An avatar's GLB, read back by the specification, and by other programs where they are here."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial.transform import Rotation

from geoinv.avatar.animation import Animation
from geoinv.avatar.glb import avatar_glb
from geoinv.avatar.morphs import MORPH_NAMES
from geoinv.avatar.parts import PART_NAMES
from geoinv.avatar.rig import JOINT_NAMES, PARENTS
from geoinv.errors import ShapeError
from geoinv.shape import ARKIT_UNITS
from tests.avatar.gltf_reader import GltfReader
from tests.avatar.people import an_avatar

METRES = 0.37


@pytest.fixture(scope="module")
def data() -> bytes:
    return avatar_glb(an_avatar())


def a_performance() -> Animation:
    """Five frames of an opening mouth, a look aside and a head that turns."""
    expression = np.zeros((5, 52), np.float32)
    expression[:, ARKIT_UNITS.index("jawOpen")] = np.linspace(0.0, 0.6, 5)
    expression[2:, ARKIT_UNITS.index("eyeLookOutLeft")] = 0.4
    turns = Rotation.from_euler("YXZ", np.linspace([0.0, 0.0, 0.0], [0.5, -0.2, 0.1], 5)).as_matrix()
    return Animation(np.arange(5, dtype=np.float32) / 25, expression, np.asarray(turns, np.float32))


@pytest.fixture(scope="module")
def moving() -> GltfReader:
    return GltfReader(avatar_glb(an_avatar(), a_performance()))


@pytest.fixture(scope="module")
def read(data: bytes) -> GltfReader:
    return GltfReader(data)


def test_each_part_is_a_mesh_in_metres(read: GltfReader) -> None:
    assert tuple(read.meshes) == PART_NAMES
    for part in an_avatar().parts:
        np.testing.assert_allclose(read.attribute(part.name, "POSITION"), METRES * part.positions, rtol=1e-5)
        np.testing.assert_array_equal(read.triangles(part.name), part.triangles)
        normals = read.attribute(part.name, "NORMAL")
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-5)


def test_the_skin_has_every_morph_target_by_arkits_names(read: GltfReader) -> None:
    names = read.meshes["skin"]["extras"]["targetNames"]
    assert tuple(names) == MORPH_NAMES and tuple(names[:52]) == ARKIT_UNITS and len(names) == 67
    assert read.meshes["skin"]["weights"] == [0.0] * 67
    moving = {name for mesh in read.meshes for name in read.meshes[mesh]["extras"]["targetNames"]}
    for unit in ARKIT_UNITS:
        moved = [
            np.abs(read.morph(mesh, unit)).max()
            for mesh, entry in read.meshes.items()
            if unit in entry["extras"]["targetNames"]
        ]
        assert unit in moving and max(moved) > 1e-3, unit  # a millimetre at least


def test_morph_targets_are_what_the_model_does(read: GltfReader) -> None:
    avatar = an_avatar()
    number = avatar.morphs.names.index("jawOpen")
    for name in ("skin", "teeth", "tongue"):
        part = next(part for part in avatar.parts if part.name == name)
        expected = METRES * avatar.morphs.moves[number][part.rows]
        np.testing.assert_allclose(read.morph(name, "jawOpen"), expected, atol=1e-7)
        turned = read.attribute(name, "NORMAL") + read.morph(name, "jawOpen", "NORMAL")
        assert np.median(np.linalg.norm(turned, axis=1)) == pytest.approx(1.0, abs=0.01)
    assert "jawOpen" not in read.meshes["left-eye"]["extras"]["targetNames"]


def test_the_skeleton_holds_the_mesh_where_it_is(read: GltfReader) -> None:
    (skin,) = read.document["skins"]
    nodes = read.document["nodes"]
    assert tuple(nodes[joint]["name"] for joint in skin["joints"]) == JOINT_NAMES
    places = np.zeros((len(JOINT_NAMES), 3))
    for number, parent in enumerate(PARENTS):
        places[number] = nodes[skin["joints"][number]]["translation"]
        if parent is not None:
            places[number] += places[parent]
            assert skin["joints"][number] in nodes[skin["joints"][parent]]["children"]
    inverse = read.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    np.testing.assert_allclose(inverse[:, :3, 3], -places, atol=1e-6)
    for mesh in read.meshes:
        weights, joints = read.attribute(mesh, "WEIGHTS_0"), read.attribute(mesh, "JOINTS_0")
        np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-6)
        assert joints.max() < len(JOINT_NAMES) and not joints[weights == 0.0].any()
        assert read.nodes[mesh]["skin"] == 0 and "translation" not in read.nodes[mesh]


def test_materials_have_srgb_textures_from_the_upper_left(read: GltfReader) -> None:
    materials = read.document["materials"]
    assert [material["name"] for material in materials] == ["skin", "teeth", "tongue", "eyes", "eyelids"]
    assert all(material["pbrMetallicRoughness"]["metallicFactor"] == 0.0 for material in materials)
    assert not any(material.get("doubleSided") for material in materials)
    for k, name in ((1, "skin"), (2, "tongue"), (3, "eyes"), (4, "eyelids")):
        (image,) = (n for n, image in enumerate(read.document["images"]) if image["name"] == name)
        assert np.asarray(Image.open(io.BytesIO(read.image(image)))).tolist() == [[[40 * k] * 3] * 8] * 8
    part = an_avatar().skin
    np.testing.assert_allclose(read.attribute("skin", "TEXCOORD_0")[:, 1], 1.0 - part.uvs[:, 1])
    assert read.attribute("teeth", "COLOR_0").shape[1] == 4
    np.testing.assert_array_equal(read.attribute("skin", "_SEEN")[:, 0], an_avatar().seen)


def test_terms_and_model_are_in_the_file(read: GltfReader) -> None:
    assert read.document["asset"]["extras"] == {"licence": "CC0-1.0", "model": "none"}


def test_the_same_avatar_gives_the_same_bytes(data: bytes) -> None:
    assert avatar_glb(an_avatar()) == data


def test_trimesh_reads_a_life_sized_head(data: bytes) -> None:
    scene = trimesh.load(io.BytesIO(data), file_type="glb")
    assert all(0.2 < side < 0.4 for side in scene.extents)
    assert len(scene.geometry) == len(PART_NAMES)


def test_a_performance_moves_morph_targets_neck_and_head(moving: GltfReader) -> None:
    (entry,) = moving.document["animations"]
    animation = a_performance()
    nodes, samplers = moving.document["nodes"], entry["samplers"]
    outputs = {}
    for channel in entry["channels"]:
        sampler, target = samplers[channel["sampler"]], channel["target"]
        np.testing.assert_allclose(moving.array(sampler["input"])[:, 0], animation.times)
        outputs[nodes[target["node"]]["name"], target["path"]] = moving.array(sampler["output"])
    names = moving.meshes["skin"]["extras"]["targetNames"]
    weights = outputs["skin", "weights"].reshape(len(animation.times), len(names))
    np.testing.assert_array_equal(weights[:, :52], animation.expression)
    assert not weights[:, 52:].any()
    jaw = moving.meshes["teeth"]["extras"]["targetNames"].index("jawOpen")
    of_teeth = outputs["teeth", "weights"].reshape(len(animation.times), -1)
    np.testing.assert_array_equal(of_teeth[:, jaw], animation.expression[:, ARKIT_UNITS.index("jawOpen")])
    turns = [Rotation.from_quat(outputs[joint, "rotation"]) for joint in ("Neck", "Head")]
    np.testing.assert_allclose((turns[0] * turns[1]).as_matrix(), animation.head_turns, atol=1e-6)
    assert set(outputs) == {
        ("skin", "weights"),
        ("teeth", "weights"),
        ("tongue", "weights"),
        ("left-eye", "weights"),
        ("eyelids", "weights"),
    } | {(joint, "rotation") for joint in ("Neck", "Head")}


def test_an_animation_of_other_lengths_is_refused() -> None:
    animation = a_performance()
    with pytest.raises(ShapeError, match="do not fit 5 times"):
        replace(animation, expression=animation.expression[:3])


@pytest.mark.parametrize("is_moving", [False, True])
def test_gltf_validator_has_nothing_against_it(data: bytes, tmp_path: Path, is_moving: bool) -> None:
    """Where node is here, and ``npm install gltf-validator`` was done above this folder or globally."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    root = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True).stdout.strip()
    script = """
        const {createRequire} = require('module'), fs = require('fs');
        let validator;
        try { validator = require(require.resolve('gltf-validator', {paths: [process.cwd(), process.argv[2]]})); }
        catch { process.exit(42); }
        validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])))
          .then(report => console.log(JSON.stringify(report.issues)));
    """
    file = tmp_path / "avatar.glb"
    file.write_bytes(avatar_glb(an_avatar(), a_performance()) if is_moving else data)
    done = subprocess.run(["node", "-e", script, str(file), root], capture_output=True, text=True)
    if done.returncode == 42:
        pytest.skip("the npm package gltf-validator is not installed")
    issues = json.loads(done.stdout)
    assert issues["numErrors"] == issues["numWarnings"] == 0, issues["messages"]
