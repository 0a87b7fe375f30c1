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

STEPS = {"generator": 120, "encoder": 60, "local": 30}
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

    from geoinv.models.detail_config import DetailConfig
    from geoinv.models.discriminator_config import DiscriminatorConfig
    from geoinv.models.encoder_config import EncoderConfig
    from geoinv.training.data.photo_batches import PhotoCounts
    from geoinv.training.engine.run import Steps
    from geoinv.training.losses.local import PatchSampling
    from geoinv.training.stages.all_stages import Sizes
    from geoinv.training.stages.anchored import AnchoredSettings
    from geoinv.training.stages.encoder import EncoderSettings
    from geoinv.training.stages.local import LocalSettings
    from geoinv.training.stages.mini_model import anchored_for_heads

    whole = anchored_for_heads()
    assert whole.anchor is not None
    model = replace(
        whole,
        mapping=replace(whole.mapping, w_dim=32, hidden=32),
        backbone=replace(whole.backbone, channels=(32, 32, 16), convs_per_block=(1, 2, 2), blended_maps=3),
        render=replace(whole.render, num_samples=24, num_importance=16),
        decoder_hidden=16,
        neural_resolution=64,
        resolution=64,
        anchor=replace(whole.anchor, cells=16, face_cells=32, shape_hidden=32, light_hidden=16),
    )
    return Sizes(
        heads=16,
        faces=4,
        more_heads=8,
        check_heads=4,
        held_out_heads=3,
        direction_heads=1,
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
            shape_size=whole.anchor.code_size,
        ),
        details=DetailConfig(
            model.name,
            model.decoder_hidden,
            model.neural_resolution,
            channels=8,
            widths=(8, 8),
            aligner_widths=(8, 8),
            hidden=8,
            enlargement=2,
            finer=2,
        ),
        discriminator=DiscriminatorConfig(16, (8, 8, 8)),
        generator_settings=AnchoredSettings(
            known_heads=600, known_steps=100, heads_per_step=4, views_per_head=2, rays_per_view=64
        ),
        encoder_settings=EncoderSettings(
            PhotoCounts(photos=4, heads_rendered=2, faces=1, rays_per_view=64), codes_only=0.5
        ),
        local_settings=LocalSettings(heads_per_step=2, patch=PatchSampling(16), adversarial_from=0.5),
        steps={
            stage: Steps(steps, look_every=25, checkpoint_every=CHECKPOINT_EVERY, log_every=LOG_EVERY)
            for stage, steps in STEPS.items()
        },
    )


if __name__ == "__main__":  # not in the processes that render heads
    main()
