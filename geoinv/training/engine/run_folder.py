"""A training run on disk: its record, resumable checkpoint, log of metrics, best weights, sheets and a loss plot."""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ...errors import CheckpointError, UsageError
from ...files import append_line, atomic_path, only_one_process, remove_leftovers
from .record import check_unchanged


class RunFolder:
    """Files of one run: ``run.json`` (what the run is: see :func:`.record_of`), ``state.pt`` (the checkpoint),
    ``log.jsonl``, ``plot.png``, ``samples_*.png`` and ``best.safetensors``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    @property
    def is_begun(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self._state.exists()

    @property
    def _state(self) -> Path:
        return self.path / "state.pt"

    @property
    def _record(self) -> Path:
        return self.path / "run.json"

    def record(self) -> dict[str, Any] | None:
        """The record of the run that has begun here; None at the start.

        Raises:
            UsageError: A version of geoinv that kept no record began the run, or its record is damaged.
        """
        if not self.is_begun:
            return None
        try:
            values = json.loads(self._record.read_text(encoding="utf-8"))
            if not isinstance(values, dict):
                raise ValueError(f"{self._record} holds no object")
            return values
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(
                f"nothing tells with which settings the run in {self.path} began: {self._record} cannot be read",
                "give another --out, and this run's best.safetensors as --from",
            ) from error

    def check_record(self, record: Mapping[str, Any]) -> None:
        """Refuse to go on with other settings, data or base weights than the run began with.

        Raises:
            UsageError: They differ; the first difference is named.
        """
        before = self.record()
        if before is not None:
            check_unchanged(self.path, before, record)

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write ``run.json``, before the first checkpoint; budget, device and versions are those of the last part."""
        with atomic_path(self._record, durable=True) as temporary:
            temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    def load_state(self) -> dict[str, Any] | None:
        """The last checkpoint, or None at the start.

        Raises:
            CheckpointError: It is damaged: what was written of it is not what can be read.
        """
        if not self.is_begun:
            return None
        try:
            with zipfile.ZipFile(self._state) as archive:  # which has checksums, at which torch never looks
                if (damaged := archive.testzip()) is not None:
                    raise zipfile.BadZipFile(damaged)
            return torch.load(self._state, map_location="cpu", weights_only=True)  # type: ignore[no-any-return]
        except Exception as error:  # a damaged pickle may raise anything
            raise CheckpointError(
                f"the checkpoint {self._state} cannot be read: it is damaged",
                "remove it to start over, or give another --out and this run's best.safetensors as --from",
            ) from error

    def save_state(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint whole, never in part."""
        with atomic_path(self._state, durable=True) as temporary, temporary.open("wb") as file:
            torch.save(state, file)  # given a path, it tells a full disk by a RuntimeError of its own

    def log(self, **metrics: float) -> None:
        """Append one line of metrics."""
        # on the disk before the checkpoint, which would not write this line again
        append_line(self.path / "log.jsonl", json.dumps({k: round(float(v), 6) for k, v in metrics.items()}))

    def start_over(self) -> None:
        """Forget the run, but keep its best weights, as ``earlier.safetensors``, to go on from."""
        best = self.path / "best.safetensors"
        if best.exists():
            best.replace(self.earlier)
        self._state.unlink(missing_ok=True)  # last: a run that is killed here starts over again

    @property
    def earlier(self) -> Path:
        """Best weights of a run that was started over, if there were any."""
        return self.path / "earlier.safetensors"

    @contextmanager
    def going_on_from(self, step: int) -> Iterator[None]:
        """Have the folder alone, without what a killed run left of later steps, which will be made again.

        Raises:
            UsageError: Another run is at work in it.
        """
        with only_one_process(self.path):
            remove_leftovers(self.path)
            self.forget_after(step)
            yield

    def forget_after(self, step: int) -> None:
        """Drop log lines and sheets of later steps."""
        path = self.path / "log.jsonl"
        lines = _lines_of(path)
        kept = [line for line in lines if _is_of(line, step)]
        if kept != lines:
            with atomic_path(path, durable=True) as temporary:
                temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        for sheet in self.path.glob("samples_*.png"):
            number = re.fullmatch(r"samples_(\d+)", sheet.stem)
            if number and int(number[1]) > step:
                sheet.unlink()

    def sheet(self, step: int) -> Path:
        """File of the sample sheet of a step."""
        return self.path / f"samples_{step:06d}.png"

    def pace(self) -> str | None:
        """Number of steps made and seconds for each, for people; None at the start."""
        lines = _lines_of(self.path / "log.jsonl")
        last = _metrics_in(lines[-1]) if lines else None
        if last is None or "minutes" not in last:
            return None
        steps, minutes = int(last["step"]), last["minutes"]
        return f"{steps} steps in {minutes:.1f} minutes, {60.0 * minutes / max(steps, 1):.3f} s a step"

    def plot(self) -> None:
        """Draw every logged metric over the minutes of training."""
        told = [_metrics_in(line) or {} for line in _lines_of(self.path / "log.jsonl")]
        lines = [values for values in told if math.isfinite(values.get("minutes", math.nan))]
        names = sorted({name for line in lines for name in line} - {"step", "minutes"})
        panels = []
        for name in names:
            points = np.array([(line["minutes"], line[name]) for line in lines if name in line])
            if len(points) >= 2:
                panels.append(_panel(name, points))
        if panels:
            with atomic_path(self.path / "plot.png") as temporary:
                Image.fromarray(np.concatenate(panels, axis=0)).save(temporary)


def _lines_of(path: Path) -> list[str]:
    """Lines of a log, which a run of a few steps has none of."""
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []


def _metrics_in(line: str) -> dict[str, float] | None:
    """The numbers of a line of the log; None where it is cut, as a killed run leaves it, or damaged."""
    try:
        values = {str(name): float(value) for name, value in json.loads(line).items()}
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return values if "step" in values else None


def _is_of(line: str, step: int) -> bool:
    """Whether a line of the log is whole and of this step or an earlier one."""
    values = _metrics_in(line)
    return values is not None and values["step"] <= step


def _panel(name: str, points: NDArray[Any], width: int = 720, height: int = 160) -> NDArray[Any]:
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
