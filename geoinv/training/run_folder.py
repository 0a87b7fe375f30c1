"""A training run on disk: resumable checkpoint, log of figures, best weights, sample sheets and a loss plot."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from ..files import atomic_path


class RunFolder:
    """Files of one run: ``state.pt`` (resume), ``log.jsonl``, ``plot.png``, ``samples_*.png``, ``best.safetensors``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def load_state(self) -> dict[str, Any] | None:
        """The last checkpoint, or None at the start."""
        state = self.path / "state.pt"
        if not state.exists():
            return None
        return torch.load(state, map_location="cpu", weights_only=True)  # type: ignore[no-any-return]

    def save_state(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint whole, never in part."""
        temporary = self.path / "state.pt.part"
        torch.save(state, temporary)
        os.replace(temporary, self.path / "state.pt")

    def log(self, **figures: float) -> None:
        """Append one line of figures."""
        with (self.path / "log.jsonl").open("a") as file:
            file.write(json.dumps({k: round(float(v), 6) for k, v in figures.items()}) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop lines of later steps, which a run that goes on from ``step`` will make again."""
        path = self.path / "log.jsonl"
        if path.exists():
            kept = [line for line in path.read_text().splitlines() if _step_of(line) <= step]
            with atomic_path(path) as temporary:
                temporary.write_text("".join(line + "\n" for line in kept))

    def plot(self) -> None:
        """Draw every logged figure over the minutes of training."""
        log = self.path / "log.jsonl"
        if not log.exists():  # a run of a few steps
            return
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        names = sorted({name for line in lines for name in line} - {"step", "minutes"})
        panels = []
        for name in names:
            points = np.array([(line["minutes"], line[name]) for line in lines if name in line])
            if len(points) >= 2:
                panels.append(_panel(name, points))
        if panels:
            Image.fromarray(np.concatenate(panels, axis=0)).save(self.path / "plot.png")


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except ValueError:  # cut when the run was killed
        return math.inf


def _panel(name: str, points: np.ndarray, width: int = 720, height: int = 160) -> np.ndarray:
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    low, high = np.percentile(points[:, 1], [0, 98])
    span_x = max(points[-1, 0], 1e-6)
    xs = 60 + points[:, 0] / span_x * (width - 70)
    ys = height - 20 - (points[:, 1].clip(low, high) - low) / max(high - low, 1e-9) * (height - 45)
    draw.line(list(zip(xs.tolist(), ys.tolist(), strict=True)), fill=(30, 90, 200), width=2)
    draw.text((60, 4), f"{name}: last {points[-1, 1]:.4g}, {points[-1, 0]:.0f} minutes", fill="black")
    draw.text((4, 18), f"{high:.3g}", fill="gray")
    draw.text((4, height - 30), f"{low:.3g}", fill="gray")
    return np.asarray(image)
