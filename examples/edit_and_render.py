"""Make a face smile and look at it from three sides: python examples/edit_and_render.py examples/woman.jpg smile.png"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import geoinv


def main(photo: Path, picture: Path, attribute: str = "smile") -> None:
    """Write one picture: a row of views before the edit, a row after it.

    Args:
        photo: Picture with a face.
        picture: Picture to write.
        attribute: Name of an edit; ``geoinv edit --list`` names all.
    """
    session = geoinv.load()
    before = session.invert(photo)
    after = session.edit(before, {attribute: 1.0})
    rows = []
    for inversion in (before, after):
        views = session.render(inversion, yaw_deg=[-30, 0, 30])
        rows.append(torch.cat(list(views.over(1.0)), dim=-1))  # in front of white, [3, H, 3 W]
    pixels = (torch.cat(rows, dim=-2) * 255.0).round().byte()
    geoinv.write_image(picture, pixels.permute(1, 2, 0).cpu().numpy())
    print(f"{picture}: {attribute}, before and after")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--attribute", default="smile")
    main(**vars(parser.parse_args()))
