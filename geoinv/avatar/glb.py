"""An avatar as binary glTF 2.0: metres, y up, the face to +z; morph targets, skeleton, one material a part."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._version import __version__
from ..mesh.gltf import GltfBuffer, Json, linear_colours, unit_vectors
from .animation import Animation, animation_entry
from .avatar import METRES, Avatar
from .hair import Hair
from .morphs import Morphs
from .parts import SKIN, AvatarPart, FloatArray
from .pictures import picture_bytes
from .rig import JOINT_NAMES, PARENTS, Rig
from .still import HAIR

ROUGHNESS = {"skin": 0.6, "teeth": 0.3, "tongue": 0.5, "eyes": 0.15, "eyelids": 0.6, HAIR: 0.8}


def avatar_glb(avatar: Avatar, animation: Animation | None = None) -> bytes:
    """Encode an avatar; the same bytes for the same avatar.

    The mesh of the skin has all morph targets, each other part those that move it, under the same names.

    Args:
        avatar: The avatar.
        animation: What it does; nothing by default.
    """
    return _File(avatar).to_bytes(animation)


class _File:
    """One file in the making."""

    def __init__(self, avatar: Avatar) -> None:
        self.avatar = avatar
        self.buffer = GltfBuffer()
        self.meshes: list[Json] = []
        self.materials: list[Json] = []
        self.textures: list[Json] = []
        self._material_of: dict[str, int] = {}

    def to_bytes(self, animation: Animation | None) -> bytes:
        avatar = self.avatar
        for part in avatar.parts:
            self._add_part(part)
        if avatar.hair is not None:
            self._add_hair(avatar.hair)
        nodes: list[Json] = [{"name": mesh["name"], "mesh": n, "skin": 0} for n, mesh in enumerate(self.meshes)]
        first_joint = len(nodes)
        nodes += _joint_nodes(avatar.rig, first_joint)
        document: Json = {
            "asset": {"version": "2.0", "generator": f"geoinv {__version__}", "extras": dict(avatar.facts)},
            "scene": 0,
            # skinned meshes lie beside the skeleton: what is above them would not move them
            "scenes": [{"name": "avatar", "nodes": list(range(first_joint + 1)), "extras": dict(avatar.facts)}],
            "nodes": nodes,
            "meshes": self.meshes,
            "skins": [self._skin(first_joint)],
            "materials": self.materials,
        }
        if self.textures:
            document |= {"textures": self.textures, "samplers": [_SAMPLER]}
        if animation is not None:
            document["animations"] = [animation_entry(animation, self.buffer, self.meshes, first_joint)]
        return self.buffer.to_glb(document)

    def _add_part(self, part: AvatarPart) -> None:
        buffer, avatar = self.buffer, self.avatar
        attributes = {
            "POSITION": buffer.add(_metres(part.positions), "VEC3", has_bounds=True),
            "NORMAL": buffer.add(unit_vectors(part.normals), "VEC3"),
        }
        if part.colours is not None:
            attributes["COLOR_0"] = buffer.add(linear_colours(part.colours), "VEC4", is_normalized=True)
        else:
            attributes["TEXCOORD_0"] = buffer.add(_top_left(part.uvs), "VEC2")
        attributes |= self._skinning(avatar.rig.weights[part.rows])
        if part.name == SKIN and avatar.seen is not None:
            attributes["_SEEN"] = buffer.add(np.asarray(avatar.seen, "<f4"), "SCALAR")
        primitive: Json = {
            "attributes": attributes,
            "indices": buffer.add_indices(part.triangles),
            "material": self._material(part.material),
        }
        mesh: Json = {"name": part.name, "primitives": [primitive]}
        morphs = avatar.morphs.of(part)
        numbers = range(len(morphs.names)) if part.name == SKIN else morphs.which_move()
        if numbers:
            primitive["targets"] = [self._target(morphs, number) for number in numbers]
            mesh["weights"] = [0.0] * len(numbers)
            mesh["extras"] = {"targetNames": [morphs.names[number] for number in numbers]}
        self.meshes.append(mesh)

    def _add_hair(self, hair: Hair) -> None:
        attributes = {
            "POSITION": self.buffer.add(_metres(hair.positions), "VEC3", has_bounds=True),
            "NORMAL": self.buffer.add(unit_vectors(hair.normals), "VEC3"),
            "COLOR_0": self.buffer.add(linear_colours(hair.colours), "VEC4", is_normalized=True),
        }
        attributes |= self._skinning(self.avatar.rig.weights[hair.nearest])
        primitive: Json = {
            "attributes": attributes,
            "indices": self.buffer.add_indices(hair.triangles),
            "material": self._material(HAIR),
        }
        self.meshes.append({"name": HAIR, "primitives": [primitive]})

    def _target(self, morphs: Morphs, number: int) -> Json:
        return {
            "POSITION": self.buffer.add_offsets(_metres(morphs.moves[number]), has_bounds=True),
            "NORMAL": self.buffer.add_offsets(morphs.turns[number]),
        }

    def _skinning(self, weights: FloatArray) -> Json:
        """Attributes of the up to four joints that move each corner most; a weight of 0 goes with joint 0."""
        joints = np.argsort(-weights, axis=1, kind="stable")[:, :4]
        strongest = np.take_along_axis(weights, joints, axis=1)
        strongest = strongest / strongest.sum(axis=1, keepdims=True)
        joints[strongest == 0.0] = 0
        return {
            "JOINTS_0": self.buffer.add(joints.astype(np.uint8), "VEC4"),
            "WEIGHTS_0": self.buffer.add(strongest.astype("<f4"), "VEC4"),
        }

    def _skin(self, first_joint: int) -> Json:
        positions = _metres(self.avatar.rig.positions)
        inverse = np.tile(np.eye(4, dtype="<f4"), (len(positions), 1, 1))
        inverse[:, 3, :3] = -positions  # column by column, as glTF stores matrices
        joints = [first_joint + number for number in range(len(positions))]
        accessor = self.buffer.add(inverse, "MAT4", target=None)
        return {"name": "skeleton", "inverseBindMatrices": accessor, "joints": joints, "skeleton": first_joint}

    def _material(self, name: str) -> int:
        if name not in self._material_of:
            surface: Json = {"metallicFactor": 0.0, "roughnessFactor": ROUGHNESS[name]}
            if (texture := self.avatar.textures.get(name)) is not None:
                data, mime = picture_bytes(texture)
                image = self.buffer.add_image(data, mime, name)
                self.textures.append({"sampler": 0, "source": image, "name": name})
                surface["baseColorTexture"] = {"index": len(self.textures) - 1}
            self._material_of[name] = len(self.materials)
            material = {"name": name, "pbrMetallicRoughness": surface}
            self.materials.append(material | ({"doubleSided": True} if name == HAIR else {}))
        return self._material_of[name]


_LINEAR, _LINEAR_MIPMAP_LINEAR, _CLAMP = 9729, 9987, 33071
_SAMPLER: Json = {"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP_LINEAR, "wrapS": _CLAMP, "wrapT": _CLAMP}


def _joint_nodes(rig: Rig, first: int) -> list[Json]:
    nodes: list[Json] = []
    for number, (name, parent) in enumerate(zip(JOINT_NAMES, PARENTS, strict=True)):
        origin = 0.0 if parent is None else rig.positions[parent]
        node: Json = {"name": name, "translation": _metres(rig.positions[number] - origin).tolist()}
        children = [first + child for child, above in enumerate(PARENTS) if above == number]
        nodes.append(node | ({"children": children} if children else {}))
    return nodes


def _metres(places: FloatArray) -> Any:
    return np.asarray(places * np.float32(METRES), dtype="<f4")


def _top_left(uvs: FloatArray) -> FloatArray:
    """Places in a texture counted from its upper left, as glTF does."""
    return np.asarray(np.stack([uvs[:, 0], 1.0 - uvs[:, 1]], axis=1), dtype="<f4")
