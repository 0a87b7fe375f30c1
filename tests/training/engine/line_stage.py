"""A stage that learns one number: what the loop does shows in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from geoinv.training.engine.moving_average import MovingAverage
from geoinv.training.engine.run import Budget, Run, Stateful, Steps


def line_run(out: Path, budget: Budget | int, *, learning_rate: float = 0.1, seed: int = 0) -> Run:
    if isinstance(budget, int):
        budget = Steps(budget, look_every=1000, checkpoint_every=3, log_every=5)
    return Run(out, budget, learning_rate, average_decay=0.5, seed=seed)


class LineStage:
    """y = w x, to be 3 at x = 1; ``killed_at`` a step, it raises as Ctrl-C does."""

    name = "line"
    best_by = "heldout_psnr_db"
    allows_bfloat16 = False
    loss_weights: Mapping[str, float] = {"fit": 1.0}
    beside: Mapping[str, Stateful] = {}

    def __init__(self, run: Run, *, killed_at: int | None = None, settings: Mapping[str, Any] | None = None) -> None:
        torch.manual_seed(0)
        self.run, self.killed_at, self.settings = run, killed_at, dict(settings or {})
        self.model = nn.Linear(1, 1, bias=False).to(run.device)
        self.average: MovingAverage[nn.Linear] = MovingAverage(self.model, run.average_decay)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=run.learning_rate)
        self.saved: list[dict[str, Any]] = []
        self.places: list[float] = []

    def describe(self) -> dict[str, Any]:
        return {"settings": self.settings, "base": {"generator": self.settings.get("base")}}

    def batch(self, step: int) -> Tensor:
        return torch.ones(1, 1)

    def losses(self, batch: Tensor, step: int, place: float) -> dict[str, Tensor]:
        if step == self.killed_at:
            raise KeyboardInterrupt
        self.places.append(place)
        return {"fit": (self.model(batch) - 3.0).square().sum()}

    def metrics(self, sheet: Path) -> dict[str, float]:
        return {"heldout_psnr_db": -abs(self.average.module.weight.item() - 3.0)}

    def save(self, path: Path, training: dict[str, Any], record: dict[str, Any]) -> None:
        path.write_text("weights")
        self.saved.append({**training, "run": record})
