"""The options that categories of the sampler choose among: styles by name, colours in linear RGB."""

from __future__ import annotations

HAIR_MALE = ("shaved", "buzz", "short01", "short02", "short03", "short04", "afro01")
HAIR_FEMALE = ("bob02", "long01", "ponytail01", "braid01", "short03", "afro01")
HAIR_COLORS = (
    (0.012, 0.010, 0.009),
    (0.035, 0.020, 0.012),
    (0.085, 0.045, 0.022),
    (0.18, 0.105, 0.052),
    (0.42, 0.28, 0.125),
    (0.17, 0.055, 0.02),
)
EYE_COLORS = ((0.12, 0.055, 0.022), (0.05, 0.022, 0.01), (0.2, 0.12, 0.045), (0.16, 0.27, 0.38), (0.16, 0.22, 0.1))
BROWS = ("eyebrow001", "eyebrow002", "eyebrow003", "eyebrow005", "eyebrow008", "eyebrow009")
BEARD_STYLES = ("none", "stubble", "moustache", "goatee", "full")
BEARD_MASKS = {
    "none": (0.0, 0.0, 0.0, 0.0),
    "stubble": (0.45, 0.45, 0.45, 0.4),
    "moustache": (1.0, 0.0, 0.0, 0.0),
    "goatee": (0.9, 1.0, 0.12, 0.08),
    "full": (0.9, 1.0, 1.0, 0.8),
}
GLASSES = ("round", "rectangular", "large", "half")
GLASSES_COLORS = ((0.012, 0.012, 0.014), (0.10, 0.035, 0.014), (0.35, 0.33, 0.30), (0.02, 0.03, 0.09))
AGES = ("child", "young", "old")
RACES = ("caucasian", "asian", "african")
