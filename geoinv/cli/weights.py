"""``geoinv weights``: what there is, fetching, verifying and converting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import console
from .options import JsonOpt, OverwriteOpt, QuietOpt
from .targets import check_outputs

app = typer.Typer(
    help="Weights: list, fetch, verify, look into, and convert those of others.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_weights(json_output: JsonOpt = False) -> None:
    """Name all weights that geoinv knows, with licence and whether they are here; registered encoders come last."""
    from ..checkpoints.index import existing_index
    from ..checkpoints.model_facts import entry_facts

    facts = [entry_facts(entry) for entry in existing_index().values()]
    if json_output:
        console.print_json({"weights": facts})
        return
    for fact in facts:
        size = "" if fact["size"] is None else f"{fact['size'] / 1e6:.1f} MB"
        terms = f"{fact['licence']}{', non-commercial' if fact['non_commercial'] else ''}"
        console.line(f"{fact['name']:<22} {fact['state']:<11} {size:>8}  {terms}")


@app.command("fetch")
def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Of `geoinv weights list`.", show_default=False)],
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You have read the licence that is shown, and accept it.")
    ] = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Download weights into the cache, verify them, and convert EG3D's, so that --model takes their NAME."""
    run = console.command(quiet, json_output)

    from ..checkpoints.fetch import fetch as fetch_entry
    from ..checkpoints.index import entry_named

    made: list[Path] = []
    for entry in [entry_named(name) for name in names]:
        console.talk(f"{entry.name}: {entry.licence}{f', {entry.licence_url}' if entry.licence_url else ''}")
        with console.progress(f"fetching {entry.name}", 100) as update:
            path = fetch_entry(
                entry,
                accept_licence=accept_licence,
                on_progress=lambda done, total, update=update: update(100 * done // max(total or done, 1)),  # type: ignore[misc]
            )
        made.append(path)
        if entry.converted is not None and not entry.converted.is_file():
            from ..checkpoints.eg3d_convert import convert_eg3d

            console.talk(f"converting {path}")
            convert_eg3d(path, entry.converted, name=entry.name, licence=entry.licence)
        if entry.converted is not None:
            made.append(entry.converted)
    record = {"names": names, "files": made}
    run.result(f"fetched {', '.join(names)}", record, made)


@app.command("verify")
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="By default all that are here.", show_default=False)
    ] = None,
    json_output: JsonOpt = False,
) -> None:
    """Compare files with their hashes; exit 1 if one is damaged or a named one is missing."""
    from ..checkpoints.fetch import verify as verify_entry
    from ..checkpoints.index import entry_named, existing_index

    entries = [entry_named(name) for name in names] if names else list(existing_index().values())
    states = {entry.name: verify_entry(entry) for entry in entries}
    if not names:
        states = {entry.name: states[entry.name] for entry in entries if entry.is_shipped or entry.path.is_file()}
    bad = [name for name, state in states.items() if state not in ("ok", "unknown hash")]
    if json_output:
        console.print_json({"weights": states, "bad": bad})
    else:
        for name, state in states.items():
            console.line(f"{name:<22} {state}")
    if bad:
        raise typer.Exit(1)


@app.command("info")
def info(
    weights: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="Of `geoinv weights list`, a model, or a .safetensors file.")
    ],
    json_output: JsonOpt = False,
) -> None:
    """Tell licence, source, crop, camera and attributes of weights."""
    from ..checkpoints.model_facts import weights_facts

    facts = weights_facts(weights)
    if json_output:
        console.print_json(facts)
        return
    facts = {name: value for name, value in facts.items() if value is not None}
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        console.line(f"{name:<{width}}  {_as_text(value)}")


@app.command("convert")
def convert(
    networks: Annotated[
        list[Path],
        typer.Argument(
            metavar="NETWORK...",
            help="EG3D's .pkl, or a .pt with init_kwargs; or of E3DGE ffhq1024x1024.pt, ffhq_vol_renderer.pt and "
            "E3DGE_Full_Runner.pt together; or TriPlaneNet's .pt.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT.safetensors", help="Give it to --model; or a NAME that --model then takes.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="Of TriPlaneNet: the generator that it inverts into: name or file.", show_default=False
        ),
    ] = None,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Turn networks of EG3D, StyleSDF and E3DGE, or TriPlaneNet into files of geoinv. No code of the files is run."""
    run = console.command(quiet, json_output)

    from ..checkpoints.model_files import Part, model_file
    from ..errors import UsageError
    from ..folders import cache_dir

    if out.suffix == "" and out.parent == Path():
        out = cache_dir() / f"{out}-generator.safetensors"
    if out.suffix != ".safetensors":
        raise UsageError(f"{out} does not end in .safetensors", f"for instance {out.with_suffix('.safetensors')}")
    beside: list[Part] = ["encoder", "details"] if len(networks) > 1 or model is not None else []
    written = [] if model is not None else [out]
    check_outputs([*written, *(model_file(str(out), part) for part in beside)], overwrite=overwrite)

    from ..checkpoints.convert import convert as convert_networks
    from ..checkpoints.eg3d_convert import Converted
    from ..checkpoints.triplanenet_convert import ConvertedEncoder

    record: dict[str, Any]
    converted = convert_networks(networks, out, model)
    names = ", ".join(network.name for network in networks)
    if isinstance(converted, ConvertedEncoder):
        files = list(converted.paths)
        record = {
            "network": networks[0],
            "model": model,
            "parameters": converted.parameters,
            "registered": list(converted.names),
            "source_sha256": converted.source_sha256,
            "left_out": converted.left_out,
            "files": files,
        }
        run.result(f"{names}: {converted.parameters / 1e6:.1f} M numbers, an encoder for {model}", record, files)
        return
    config = converted.config
    record = {
        "model": out,
        "parameters": converted.parameters,
        "resolution": config.resolution,
        "ray_grid": config.neural_resolution,
        "source_sha256": converted.source_sha256,
    }
    if isinstance(converted, Converted):
        files, record = [out], {"network": networks[0], **record}
    else:
        files, record = list(converted.paths), {"networks": networks, **record, "left_out": converted.left_out}
    record["files"] = files
    run.result(f"{names}: {converted.parameters / 1e6:.1f} M numbers, {config.resolution} px", record, files)


@app.command("directions")
def directions(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="E3DGE's editing_boundaries/stylesdf, with renderer_Smiling/boundary.npy and so on."
        ),
    ],
    model: Annotated[str, typer.Option("--model", help="The converted model: a name, or its .safetensors file.")],
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Take over E3DGE's edit directions for a model that was converted, so that `geoinv edit` knows them."""
    run = console.command(quiet, json_output)

    from ..checkpoints.e3dge_boundaries import DESCRIPTIONS, read_boundaries
    from ..checkpoints.store import generator_path, model_config, model_file, sha256_of
    from ..editing import Directions, save_directions

    generator = generator_path(model)
    out = model_file(model, "directions")
    check_outputs([out], overwrite=overwrite)
    vectors = read_boundaries(folder, model_config(generator))
    described = {name: DESCRIPTIONS.get(name, "") for name in vectors}
    save_directions(out, Directions(vectors, described, sha256_of(generator)))
    run.result(
        f"directions: {', '.join(vectors)}", {"model": model, "attributes": sorted(vectors), "files": [out]}, [out]
    )


def _as_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_as_text(item)}" for name, item in value.items())
    return str(value)
