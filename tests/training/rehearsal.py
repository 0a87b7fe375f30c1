"""``geoinv train all`` with real stages on tiny networks and budgets in steps, so that two runs can be compared.

python -m tests.training.rehearsal --out FOLDER
"""

from __future__ import annotations

import functools
import sys

STEPS = {"generator": 120, "superresolution": 60, "encoder": 60, "local": 30}
LOG_EVERY, CHECKPOINT_EVERY = 5, 10


def main() -> None:
    """The real command; only how much it makes is changed."""
    from dataclasses import replace

    from geoinv.cli.app import main as command
    from geoinv.models.config import BackboneConfig, DetailConfig, DiscriminatorConfig, EncoderConfig, RenderConfig
    from geoinv.training.engine.loop import StepBudget
    from geoinv.training.losses.local import PatchSampling
    from geoinv.training.stages import all_stages, encoder, local
    from geoinv.training.stages.mini_model import mini_for_heads

    mini = mini_for_heads()
    model = replace(
        mini,
        mapping=replace(mini.mapping, w_dim=32, hidden=32),
        backbone=BackboneConfig(
            w_dim=32,
            channels=(32, 32, 16),
            out_channels=24,
            convs_per_block=(1, 2, 2),
            painting="subpixel",
            warp_rank=4,
            smooth=True,
        ),
        render=RenderConfig(num_samples=8, num_importance=8, limits="box"),
        decoder_hidden=16,
        feature_channels=8,
    )
    counted = {
        stage: {"counted": StepBudget(steps, validate_every=25, log_every=LOG_EVERY, checkpoint_every=CHECKPOINT_EVERY)}
        for stage, steps in STEPS.items()
    }
    sizes = all_stages.Sizes(
        heads=16,
        check_heads=4,
        large_heads=4,
        large_check_heads=2,
        held_out_heads=3,
        shard_size=4,
        model=model,
        settings={
            "generator": counted["generator"] | {"heads_per_step": 4, "rays_per_view": 64, "warp_steps": 50},
            "superresolution": counted["superresolution"] | {"patches_per_step": 2},
            "encoder": counted["encoder"]
            | {"photos_per_step": 5, "heads_rendered": 2, "faces_per_step": 1, "rays_per_view": 64},
            "local": counted["local"] | {"heads_per_step": 2, "patch": PatchSampling(16), "adversarial_from": 0.5},
        },
    )
    all_stages.AllStages = functools.partial(all_stages.AllStages, sizes=sizes)  # type: ignore[assignment,misc]
    encoder.EncoderConfig = functools.partial(  # type: ignore[assignment,misc]
        EncoderConfig, channels=(8, 8, 16, 16, 16), blocks=(1, 1, 1, 1, 1), hidden=32, landmark_widths=(16, 16)
    )
    local.DetailConfig = functools.partial(  # type: ignore[assignment,misc]
        DetailConfig, channels=8, widths=(8, 8), aligner_widths=(8, 8), hidden=8
    )
    local.small_discriminator = lambda side: DiscriminatorConfig(side, (8, 8, 8, 8))  # type: ignore[assignment]
    command(["train", "all", *sys.argv[1:]])


if __name__ == "__main__":  # not in the processes that render heads
    main()
