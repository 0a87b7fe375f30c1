"""Turn a photo into a coloured mesh: python examples/photo_to_mesh.py examples/woman.jpg head.ply"""

from __future__ import annotations

import argparse
from pathlib import Path

import geoinv


def main(photo: Path, mesh: Path, resolution: int = 192) -> None:
    """Invert a photo and write its head as a closed mesh in millimetres.

    Args:
        photo: Picture with a face.
        mesh: File to write: .ply, .obj or .stl.
        resolution: Cells along the box of 370 mm; more show finer shapes and take longer.
    """
    session = geoinv.load()
    inversion = session.invert(photo)
    head = session.mesh(inversion, resolution=resolution)  # a trimesh.Trimesh
    head.export(mesh)
    size = " x ".join(f"{side:.0f}" for side in head.extents)
    print(f"{mesh}: {len(head.faces)} triangles, {size} mm, {inversion.metrics['psnr_db']:.1f} dB in the photo's view")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("mesh", type=Path)
    parser.add_argument("--resolution", type=int, default=192)
    main(**vars(parser.parse_args()))
