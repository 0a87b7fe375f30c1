"""Metrics as rows of text for a table."""

from __future__ import annotations

from collections.abc import Mapping

from .means import Metrics

_ROWS: tuple[tuple[str, str, str], ...] = (
    ("heads", "held-out heads", "d"),
    ("photos", "photos", "d"),
    ("skipped", "photos skipped", "d"),
    ("input_psnr_db", "input view, PSNR (dB)", ".2f"),
    ("face_psnr_db", "input view over the face, PSNR (dB)", ".2f"),
    ("head_psnr_db", "input view over face and first head, PSNR (dB)", ".2f"),
    ("face_gain_db", "median gain over the face (dB)", "+.2f"),
    ("head_gain_db", "median gain over face and first head (dB)", "+.2f"),
    ("ssim_input", "input view, SSIM", ".3f"),
    ("mae_whole", "input view, whole picture, mean absolute difference in [-1, 1]", ".4f"),
    ("lpips_whole", "input view, whole picture, LPIPS", ".4f"),
    ("novel_psnr_db", "views at -30 and +30 degrees, PSNR (dB)", ".2f"),
    ("psnr_db_15", "views at -15 and +15 degrees, PSNR (dB)", ".2f"),
    ("psnr_db_45", "views at -45 and +45 degrees, PSNR (dB)", ".2f"),
    ("psnr_db_60", "views at -60 and +60 degrees, PSNR (dB)", ".2f"),
    ("psnr_db_behind", "view from behind, PSNR (dB)", ".2f"),
    ("ssim_novel", "views at -30 and +30 degrees, SSIM", ".3f"),
    ("depth_units", "depth error (world units)", ".4f"),
    ("depth_mm", "depth error (mm)", ".2f"),
    ("shape_depth_mm", "depth error without the distance (mm)", ".2f"),
    ("normal_deg", "normal error (degrees)", ".1f"),
    ("depth_normal_deg", "normal error of the depth's slopes (degrees)", ".1f"),
    ("camera_deg", "camera error (degrees)", ".2f"),
    ("vertices_mm", "error of the head mesh (mm)", ".2f"),
    ("light_off", "error of light on white surfaces", ".3f"),
    ("identity_input", "identity distance, input view", ".3f"),
    ("identity_novel", "identity distance, side views (heads 30, photos 25 degrees)", ".3f"),
    ("persons", "persons", "d"),
    ("left_out", "photos taken for someone else's", "d"),
    ("identity_kept_back", "identity distance, the same views to faces that were kept back", ".3f"),
    ("identity_kept_side", "identity distance, the same views to those of them from that side", ".3f"),
    ("identity_real", "identity distance, real photos from the side to the first photo", ".3f"),
    ("identity_kept_view", "identity distance, views from where these were taken", ".3f"),
    ("identity_smile", "identity distance, before and after a smile edit", ".3f"),
    ("neutral", "photos that do not smile", "d"),
    ("smile_gain", "smile edit, gain of P(happy) of these", "+.3f"),
    ("smile_gain_share", "smile edit, fraction of these that gain 0.3", ".2f"),
    ("inversion_seconds", "one inversion (seconds)", ".3f"),
    ("generator_psnr_db", "generator at true z, ray grid, PSNR (dB)", ".2f"),
    ("generator_ssim", "generator at true z, ray grid, SSIM", ".3f"),
    ("generator_256_psnr_db", "generator at true z, 256 px, PSNR (dB)", ".2f"),
    ("generator_256_ssim", "generator at true z, 256 px, SSIM", ".3f"),
    ("generator_256_psnr_db_to_60", "generator at true z, 256 px, all views to 60 degrees, PSNR (dB)", ".2f"),
    ("generator_256_psnr_db_behind", "generator at true z, 256 px, from behind, PSNR (dB)", ".2f"),
    ("generator_sharpness", "generator at true z, sharpness of the face (1 is the truth's)", ".2f"),
    ("generator_expression_share", "generator at true z, fraction of expressions that shows", ".2f"),
    ("generator_alpha_iou", "generator at true z, overlap of outlines", ".3f"),
    ("generator_depth_units", "generator at true z, depth error (world units)", ".4f"),
    ("generator_depth_mm", "generator at true z, depth error (mm)", ".2f"),
    ("generator_shape_depth_mm", "generator at true z, depth error without the distance (mm)", ".2f"),
    ("generator_vertices_mm", "generator at true z, error of the head mesh (mm)", ".2f"),
    ("generator_light_off", "generator at true z, error of light on white surfaces", ".3f"),
    ("generator_normal_deg", "generator at true z, normal error (degrees)", ".1f"),
    ("generator_depth_normal_deg", "generator at true z, normal error of the depth's slopes (degrees)", ".1f"),
)


def table_rows(metrics: Metrics) -> list[tuple[str, str]]:
    """Rows (label, value) of the given metrics in a fixed order; what was not measured shows as a dash."""
    rows = []
    for name, label, form in _ROWS:
        if name in metrics:
            value = metrics[name]
            rows.append((label, "-" if value is None else format(value, form)))
    return rows


def compared_rows(columns: Mapping[str, Metrics]) -> list[tuple[str, list[str]]]:
    """Rows (label, a value for each column) of the metrics that any of the columns has."""
    tables = [dict(table_rows(metrics)) for metrics in columns.values()]
    labels = [label for _, label, _ in _ROWS if any(label in table for table in tables)]
    return [(label, [table.get(label, "-") for table in tables]) for label in labels]


def rounded(metrics: Metrics, digits: int = 4) -> Metrics:
    """Metrics, rounded as they are written into JSON."""
    return {name: round(value, digits) if isinstance(value, float) else value for name, value in metrics.items()}
