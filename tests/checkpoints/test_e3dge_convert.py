"""Conversion of the files of StyleSDF and E3DGE: golden results come out, and every key is accounted for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from geoinv.checkpoints.e3dge_convert import MEAN_CODES, convert_e3dge
from geoinv.checkpoints.e3dge_layout import without_wrapper
from geoinv.checkpoints.model_format import read_header
from geoinv.checkpoints.store import load_any_details, load_any_encoder, load_any_generator, load_generator
from geoinv.errors import CheckpointError
from geoinv.models.stylesdf.encoder import StyleSdfEncoder
from geoinv.models.stylesdf.generator import StyleSdfGenerator
from geoinv.models.stylesdf.local_branch import StyleSdfLocalBranch
from tests.golden.e3dge_networks import TOLERANCE, Networks, Parts, golden, networks, official_weights

from .official_e3dge import Entries, full_size_entries, write_files


def loaded(path: Path) -> Networks:
    """The networks of converted files; of 2D alignment alone it has none."""
    generator, encoder, branch = (
        load(str(path))[0] for load in (load_any_generator, load_any_encoder, load_any_details)
    )
    assert isinstance(generator, StyleSdfGenerator)
    assert isinstance(encoder, StyleSdfEncoder)
    assert isinstance(branch, StyleSdfLocalBranch)
    return Networks(generator, encoder, branch, branch)


@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.parametrize("wrapped", [True, False])
def test_golden_weights_come_through(tmp_path: Path, as_zip: bool, wrapped: bool) -> None:
    sources = write_files(tmp_path, as_zip=as_zip, wrapped=wrapped)
    converted = convert_e3dge(sources[::-1], tmp_path / "e3dge.safetensors")
    assert [path.name for path in converted.paths] == [
        "e3dge.safetensors",
        "e3dge-encoder.safetensors",
        "e3dge-details.safetensors",
    ]
    assert converted.left_out["ffhq1024x1024.pt"] == ["d", "g"]
    assert converted.left_out["E3DGE_Full_Runner.pt"] == ["discriminator", "iter", "optimizer_e_optimizer"]
    nets, right = loaded(converted.paths[0]), networks()
    for mine, theirs in ((nets.encoder, right.encoder), (nets.branch, right.branch)):
        for name, value in theirs.state_dict().items():
            assert torch.equal(mine.state_dict()[name], value), name
    for name, value in right.generator.state_dict().items():
        if not name.endswith("_mean"):
            assert torch.equal(nets.generator.state_dict()[name], value), name


@torch.no_grad()
def test_golden_results_come_through(tmp_path: Path) -> None:
    nets, right = loaded(convert_e3dge(write_files(tmp_path), tmp_path / "e3dge.safetensors").paths[0]), networks()
    golden_means = {n: v for n, v in right.generator.state_dict().items() if n.endswith("_mean")}
    nets.generator.load_state_dict(golden_means, strict=False)
    parts = Parts(right)
    for part in ("mapping", "field", "picture", "encoder", "local"):
        found = getattr(parts, part)(nets)
        assert max(found.values()) < TOLERANCE, found


@torch.no_grad()
def test_mean_codes_are_drawn_once(tmp_path: Path) -> None:
    sources = write_files(tmp_path)
    first, again = (convert_e3dge(sources, tmp_path / n / "x.safetensors").paths for n in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    generator = loaded(first[0]).generator
    w = generator.renderer_mapping(golden()["mapping/z"])
    error = (generator.renderer_mean - w.mean(dim=0)).abs() / w.std(dim=0)
    assert float(error.max()) < 5.0 / 8.0  # of the golden mean of 64, five of its standard errors
    other = torch.randn(MEAN_CODES, generator.config.z_dim, generator=torch.Generator().manual_seed(5))
    error = (generator.renderer_mean - generator.means(other)[0]).abs() / w.std(dim=0)
    assert 0.0 < float(error.max()) < 0.08  # of two means of ten thousand


def test_only_a_generator(tmp_path: Path) -> None:
    sources = write_files(tmp_path, {"g_ema": official_weights()["g_ema"]})
    paths = convert_e3dge(sources, tmp_path / "toon-generator.safetensors").paths
    assert [path.name for path in paths] == ["toon-generator.safetensors"]
    assert load_any_generator(str(paths[0]))[1].name == "toon"


def test_toon_pair_has_no_local_branch(tmp_path: Path) -> None:
    entries = {name: value for name, value in official_weights().items() if name in ("g_ema", "d", "encoder")}
    paths = convert_e3dge(write_files(tmp_path, entries), tmp_path / "toon.safetensors").paths
    assert [path.name for path in paths] == ["toon.safetensors", "toon-encoder.safetensors"]


def test_2d_alignment_alone(tmp_path: Path) -> None:
    entries = {name: value for name, value in official_weights().items() if name != "Fuse_sft_block"}
    paths = convert_e3dge(write_files(tmp_path, entries), tmp_path / "ada.safetensors").paths
    assert loaded(paths[0]).branch.fusion is None


def test_parts_belong_together(tmp_path: Path) -> None:
    paths = convert_e3dge(write_files(tmp_path), tmp_path / "x.safetensors").paths
    other = {"g_ema": {n: v + 0.5 for n, v in official_weights()["g_ema"].items() if not n.endswith("kernel")}}
    convert_e3dge(write_files(tmp_path / "..", other)[:1], tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="trained for other weights"):
        load_any_encoder(str(paths[0]))


def test_licence_and_sources_are_kept(tmp_path: Path) -> None:
    for path in convert_e3dge(write_files(tmp_path), tmp_path / "x.safetensors").paths:
        extra = read_header(path)["extra"]
        assert "no commercial use" in extra["licence"] and set(extra["source_sha256"]) == {
            "ffhq1024x1024.pt",
            "ffhq_vol_renderer.pt",
            "E3DGE_Full_Runner.pt",
        }


def test_what_works_with_tri_planes_says_so(tmp_path: Path) -> None:
    path = convert_e3dge(write_files(tmp_path), tmp_path / "x.safetensors").paths[0]
    with pytest.raises(CheckpointError, match="another family than tri-planes"):
        load_generator(str(path))


def changed(entry: str, name: str, value: Tensor | None) -> Callable[[], Entries]:
    """The golden entries with one tensor replaced, added or taken away."""

    def entries() -> Entries:
        made = {key: dict(tensors) for key, tensors in official_weights().items()}
        if value is None:
            del made[entry][name]
        else:
            made[entry][name] = value
        return made

    return entries


def without(*names: str) -> Callable[[], Entries]:
    return lambda: {name: value for name, value in official_weights().items() if name not in names}


TRAINING_HEAD = "local_feat_to_tex_modulations_linear.weight"
WRONG: dict[str, tuple[Callable[[], Entries], str]] = {
    "missing": (changed("g_ema", "style.1.weight", None), "style.2.weight is unknown|style.1.weight is missing"),
    "missing width": (changed("g_ema", "decoder.style.1.weight", None), "decoder.style.1.weight is missing"),
    "unprintable": (changed("g_ema", "decoder.\nextra", torch.zeros(1)), r"decoder.\?extra is unknown"),
    "unknown": (changed("g_ema", "decoder.extra", torch.zeros(1)), "decoder.extra is unknown"),
    "shape": (changed("g_ema", "renderer.sigmoid_beta", torch.zeros(2)), r"sigmoid_beta is \[2\], not \[1\]"),
    "scalar": (changed("g_ema", "style.0.weight", torch.zeros(())), r"style.0.weight is \[\]"),
    "filter": (changed("g_ema", "decoder.convs.0.conv.blur.kernel", torch.ones(4, 4)), r"not \[1, 3, 3, 1\]"),
    "infinite": (changed("g_ema", "style.0.bias", torch.full((32,), torch.inf)), "mean code is not finite|not finite"),
    "whole numbers": (changed("d", "final_conv.conv.bias", torch.zeros(3, dtype=torch.int32)), "of torch.int32"),
    "unknown in E0": (changed("encoder", "body.24.x", torch.zeros(1)), "code.body.24.x is unknown"),
    "unknown in E1": (changed("netLocal", "image_filter.m4.b1.x", torch.zeros(1)), "m4.b1.x is unknown"),
    "missing in ADA": (changed("grid_align", "conv_layer1.2.weight", None), "conv_layer1.2.weight is missing"),
    "missing in SFT": (changed("Fuse_sft_block", "scale.0.bias", None), "fusion.scale.0.bias is missing"),
    "width of a head": (changed("encoder", "styles_pigan.0.linear.bias", torch.zeros(3)), r"linear.bias is \[3\]"),
    "reduction": (changed("encoder", "body.0.res_layer.5.fc1.weight", torch.zeros(64, 8, 1, 1)), "fc1|widths"),
    "groups": (changed("netLocal", "image_filter.bn1.weight", torch.zeros(3)), "bn1|widths"),
    "training scripts' variant": (changed("netLocal", TRAINING_HEAD, torch.zeros(64, 77)), "training scripts"),
    "no generator": (without("g_ema"), "no generator is among the files"),
    "no pose network": (without("d"), "no pose network is among the files"),
    "no encoder": (without("encoder", "netLocal", "grid_align", "Fuse_sft_block"), "no encoder is among the files"),
    "no aligner": (without("grid_align"), "the local branch is not whole"),
}


@pytest.mark.parametrize("what", WRONG)
def test_files_that_do_not_fit_are_named(what: str, tmp_path: Path) -> None:
    entries, message = WRONG[what]
    sources = write_files(tmp_path, entries())
    target = tmp_path / "out" / "x.safetensors"
    with pytest.raises(CheckpointError, match=message) as caught:
        convert_e3dge(sources, target)
    assert "\n" not in caught.value.message and len(caught.value.message) < 900
    assert not target.parent.exists() or not any(target.parent.iterdir())


def test_unused_weights_are_not_read(tmp_path: Path) -> None:
    """What nothing reads may be anything."""
    entries = {key: dict(tensors) for key, tensors in official_weights().items()}
    entries["g_ema"]["decoder.conv1.bias"] = torch.full((3,), torch.nan)
    entries["netLocal"]["image_filter.conv3.bn4.weight"] = torch.full((3,), torch.nan)
    entries["encoder"]["styles_stylegan.7.linear.weight"] = torch.full((3,), torch.nan)
    convert_e3dge(write_files(tmp_path, entries), tmp_path / "x.safetensors")


def test_two_files_of_a_kind(tmp_path: Path) -> None:
    source = write_files(tmp_path, {"g_ema": official_weights()["g_ema"]})[0]
    twin = tmp_path / "twin.pt"
    twin.write_bytes(source.read_bytes())
    with pytest.raises(CheckpointError, match="another file has g_ema too"):
        convert_e3dge([source, twin], tmp_path / "x.safetensors")


def test_shared_numbers_cannot_fill_the_disk(tmp_path: Path) -> None:
    entries = {key: dict(tensors) for key, tensors in official_weights().items()}
    one = torch.zeros(64, 64)
    shared = {n: one.reshape(v.shape) for n, v in entries["g_ema"].items() if v.numel() == one.numel()}
    noises = {n: torch.zeros(1).expand(v.shape) for n, v in entries["g_ema"].items() if "noises" in n}
    entries["g_ema"] |= shared | noises
    with pytest.raises(CheckpointError, match="larger than the files|does not fit its storage"):
        convert_e3dge(write_files(tmp_path, {"g_ema": entries["g_ema"]}), tmp_path / "x.safetensors")


def test_wrapper_is_taken_off() -> None:
    assert without_wrapper({"module.a.module.b": torch.zeros(1)}).keys() == {"a.module.b"}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
@torch.no_grad()
def test_full_size_renders_the_same_in_bounded_memory(tmp_path: Path) -> None:
    entries, modules = full_size_entries()
    sources = write_files(tmp_path, entries)
    target = tmp_path / "e3dge.safetensors"
    code = (
        "import re, sys, pathlib\n"
        "from geoinv.checkpoints.e3dge_convert import convert_e3dge\n"
        "def kib(name):\n"
        "    return int(re.search(name + r':\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])\n"
        "before = kib('VmRSS')\n"
        "convert_e3dge([pathlib.Path(p) for p in sys.argv[2:]], pathlib.Path(sys.argv[1]))\n"
        "print(kib('VmHWM') - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, target, *sources], check=True, capture_output=True, text=True)
    peak, size = 1024 * int(done.stdout), sum(source.stat().st_size for source in sources)
    print(f"peak {peak / 1e6:.0f} MB above the program, files {size / 1e6:.0f} MB, {peak / size:.2f}x")
    assert peak < 3 * size
    nets = loaded(target)
    generator, encoder, branch = (modules[name] for name in ("generator", "encoder", "branch"))
    generator.load_state_dict(nets.generator.state_dict())  # with the mean codes, which the official files lack
    # products are rounded by where their numbers lie in memory, which differs between a file and a network
    nets.generator.load_state_dict({n: v.clone() for n, v in nets.generator.state_dict().items()}, assign=True)
    photo = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(1)) * 2.0 - 1.0
    pictures = []
    for parts in ((generator, encoder, branch), (nets.generator, nets.encoder, nets.branch)):
        pictures.append(_picture(*parts, photo))  # type: ignore[arg-type]
    assert pictures[0].shape == (1, 3, 1024, 1024) and bool(torch.isfinite(pictures[0]).all())
    assert float(pictures[0].std()) > 0.01 and torch.equal(*pictures)


def _picture(
    generator: StyleSdfGenerator, encoder: StyleSdfEncoder, branch: StyleSdfLocalBranch, photo: Tensor
) -> Tensor:
    """The photo's own view with details."""
    from geoinv.models.stylesdf.config import FFHQ_ORBIT
    from geoinv.models.stylesdf.local_branch import residual_of

    estimate = encoder(photo)
    camera = estimate.camera.camera(FFHQ_ORBIT)
    seen = generator.look(estimate.w_plus, camera)
    residual = residual_of(photo, seen.thumb)
    features = branch.source_features(residual, seen, is_edited=False)
    modulate = branch.modulation(residual, features, camera, seen)
    view = generator.renderer(generator.codes(estimate.w_plus)[0], camera, modulate=modulate)
    return generator.picture(view, estimate.w_plus)
