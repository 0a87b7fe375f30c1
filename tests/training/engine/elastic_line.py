"""The line stage under torchrun, slow enough to be killed: ``torchrun ... -m tests.training.engine.elastic_line OUT``.

Each process writes its id into ``OUT/pids/RESTART-RANK``.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from geoinv.training.engine.loop import train
from geoinv.training.engine.processes import joined_processes
from tests.training.engine.line_stage import LineStage, line_run

STEPS = 60


class SlowLineStage(LineStage):
    """A step takes a tenth of a second."""

    def losses(self, batch: Tensor, step: int, place: float) -> dict[str, Tensor]:
        time.sleep(0.1)
        return super().losses(batch, step, place)


def main(out: Path) -> None:
    torch.set_num_threads(1)
    (out / "pids").mkdir(parents=True, exist_ok=True)
    name = f"{os.environ.get('TORCHELASTIC_RESTART_COUNT')}-{os.environ.get('RANK')}"
    with joined_processes(torch.device("cpu")):
        stage = SlowLineStage(line_run(out / "run", STEPS, learning_rate=0.01))
        (out / "pids" / name).write_text(str(os.getpid()))
        train(stage)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
