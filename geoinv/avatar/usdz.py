"""An avatar at rest as USDZ, which phones show in a room: metres, y up, one preview surface a material."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import GeoinvError
from .avatar import METRES, Avatar
from .glb import ROUGHNESS
from .pictures import picture_bytes
from .still import HAIR, StillMesh, still_meshes


def avatar_usdz(avatar: Avatar) -> bytes:
    """Encode an avatar at rest; needs the package usd-core."""
    from pxr import Usd, UsdGeom, UsdUtils

    with tempfile.TemporaryDirectory() as folder:
        stage = Usd.Stage.CreateNew(f"{folder}/avatar.usdc")
        UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
        UsdGeom.SetStageMetersPerUnit(stage, 1.0)
        root = UsdGeom.Xform.Define(stage, "/avatar")
        stage.SetDefaultPrim(root.GetPrim())
        stage.GetRootLayer().customLayerData = {name: str(value) for name, value in avatar.facts.items()}
        materials: dict[str, Any] = {}
        for mesh in still_meshes(avatar):
            if mesh.material not in materials:
                materials[mesh.material] = _material(stage, mesh, Path(folder))
            _add_mesh(stage, mesh, materials[mesh.material])
        stage.GetRootLayer().Save()
        package = Path(folder) / "avatar.usdz"
        if not UsdUtils.CreateNewUsdzPackage(f"{folder}/avatar.usdc", str(package)):
            raise GeoinvError("usd-core could not pack the USDZ", "write a .glb instead")
        return package.read_bytes()


def _add_mesh(stage: Any, mesh: StillMesh, material: Any) -> None:
    from pxr import Sdf, UsdGeom, UsdShade, Vt

    prim = UsdGeom.Mesh.Define(stage, f"/avatar/{_identifier(mesh.name)}")
    places = np.asarray(mesh.positions * METRES, np.float32)
    prim.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(places))
    prim.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([places.min(axis=0), places.max(axis=0)])))
    prim.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(mesh.triangles), 3, np.int32)))
    prim.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(mesh.triangles.astype(np.int32).reshape(-1)))
    prim.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(np.asarray(mesh.normals, np.float32)))
    prim.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    prim.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    prim.CreateDoubleSidedAttr(mesh.name == HAIR)
    places_in_texture = UsdGeom.PrimvarsAPI(prim).CreatePrimvar(
        "st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.faceVarying
    )
    places_in_texture.Set(Vt.Vec2fArray.FromNumpy(np.asarray(mesh.uvs, np.float32)))
    places_in_texture.SetIndices(Vt.IntArray.FromNumpy(mesh.uv_triangles.astype(np.int32).reshape(-1)))
    UsdShade.MaterialBindingAPI.Apply(prim.GetPrim()).Bind(material)


def _material(stage: Any, mesh: StillMesh, folder: Path) -> Any:
    """A preview surface with the mesh's texture, whose file is written into ``folder``."""
    from pxr import Sdf, UsdShade

    data, mime = picture_bytes(mesh.texture)
    file = f"{mesh.material}.{'png' if mime.endswith('png') else 'jpg'}"
    (folder / file).write_bytes(data)
    path = f"/avatar/materials/{_identifier(mesh.material)}"
    material = UsdShade.Material.Define(stage, path)
    surface, texture, reader = (
        UsdShade.Shader.Define(stage, f"{path}/{name}") for name in ("surface", "texture", "reader")
    )
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("st")
    texture.CreateIdAttr("UsdUVTexture")
    texture.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(f"./{file}")
    texture.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token).Set("sRGB")
    for wrap in ("wrapS", "wrapT"):
        texture.CreateInput(wrap, Sdf.ValueTypeNames.Token).Set("clamp")
    places = reader.CreateOutput("result", Sdf.ValueTypeNames.Float2)
    texture.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(places)
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(ROUGHNESS[mesh.material])
    surface.CreateInput("metallic", Sdf.ValueTypeNames.Float).Set(0.0)
    colour = texture.CreateOutput("rgb", Sdf.ValueTypeNames.Float3)
    surface.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).ConnectToSource(colour)
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", Sdf.ValueTypeNames.Token))
    return material


def _identifier(name: str) -> str:
    """A name as USD allows it."""
    return name.replace("-", "_")
