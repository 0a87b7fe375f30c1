"""``geoinv train all`` with real stages on tiny networks and budgets in steps, so that two runs can be compared.

python -m tests.training.rehearsal --out FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from geoinv.training.stages.all_stages import Sizes

STEPS = {"generator": 120, "superresolution": 60, "encoder": 60, "local": 30}
LOG_EVERY, CHECKPOINT_EVERY = 5, 10


def main() -> None:
    """The real command line, with one more command."""
    from geoinv.cli.app import app
    from geoinv.cli.app import main as command

    app.command("rehearse")(rehearse)
    command(["rehearse", *sys.argv[1:]])


def rehearse(
    out: Annotated[Path, typer.Option("--out")],
    assets: Annotated[Path, typer.Option("--assets", envvar="GEOINV_ASSETS")],
) -> None:
    """What ``train all`` does; only how much it makes is changed."""
    from geoinv.cli.train import run_all_stages
    from geoinv.training.stages.all_stages import AllStages

    run_all_stages(AllStages(out, hours=4.0, assets=assets, sizes=small_sizes()))


def small_sizes() -> Sizes:
    from dataclasses import replace

    from geoinv.models.config import BackboneConfig, DetailConfig, DiscriminatorConfig, EncoderConfig, RenderConfig
    from geoinv.training.data.photo_batches import PhotoCounts
    from geoinv.training.engine.run import Steps
    from geoinv.training.losses.local import PatchSampling
    from geoinv.training.stages.all_stages import Sizes
    from geoinv.training.stages.encoder import EncoderSettings
    from geoinv.training.stages.generator import GeneratorSettings
    from geoinv.training.stages.local import LocalSettings
    from geoinv.training.stages.mini_model import mini_for_heads
    from geoinv.training.stages.superresolution import SuperresolutionSettings

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
    return Sizes(
        heads=16,
        check_heads=4,
        large_heads=4,
        large_check_heads=2,
        held_out_heads=3,
        shard_size=4,
        model=model,
        encoder=EncoderConfig(
            model.name,
            model.num_ws,
            model.w_dim,
            channels=(8, 8, 16, 16, 16),
            blocks=(1, 1, 1, 1, 1),
            hidden=32,
            landmark_widths=(16, 16),
        ),
        details=DetailConfig(
            model.name,
            model.decoder_hidden,
            model.neural_resolution,
            channels=8,
            widths=(8, 8),
            aligner_widths=(8, 8),
            hidden=8,
        ),
        discriminator=DiscriminatorConfig(32, (8, 8, 8, 8)),
        generator_settings=GeneratorSettings(heads_per_step=4, rays_per_view=64, warp_steps=50),
        superresolution_settings=SuperresolutionSettings(patches_per_step=2),
        encoder_settings=EncoderSettings(PhotoCounts(photos=4, heads_rendered=2, faces=1, rays_per_view=64)),
        local_settings=LocalSettings(heads_per_step=2, patch=PatchSampling(16), adversarial_from=0.5),
        steps={
            stage: Steps(steps, look_every=25, checkpoint_every=CHECKPOINT_EVERY, log_every=LOG_EVERY)
            for stage, steps in STEPS.items()
        },
    )


if __name__ == "__main__":  # not in the processes that render heads
    main()
