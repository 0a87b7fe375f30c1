"""ARKit's names and codes made of them."""

from __future__ import annotations

import pytest

from geoinv.errors import UsageError
from geoinv.shape import ARKIT_UNITS, expression_code
from geoinv.shape.arkit import UNIT_PAIRS


def test_names_are_apples() -> None:
    assert len(ARKIT_UNITS) == len(set(ARKIT_UNITS)) == 52
    assert {"eyeBlinkLeft", "jawOpen", "mouthSmileRight", "browInnerUp", "tongueOut"} <= set(ARKIT_UNITS)


def test_pairs_are_of_one_movement() -> None:
    pairs = {(ARKIT_UNITS[left], ARKIT_UNITS[right]) for left, right in UNIT_PAIRS}
    assert ("mouthSmileLeft", "mouthSmileRight") in pairs and ("jawLeft", "jawRight") not in pairs
    assert len(pairs) == 16 and all(left[:-4] == right[:-5] for left, right in pairs)


def test_code_of_named_units() -> None:
    code = expression_code({"jawOpen": 0.6, "tongueOut": 1.0})
    assert code.shape == (1, 52) and float(code.sum()) == pytest.approx(1.6)
    assert float(code[0, ARKIT_UNITS.index("jawOpen")]) == pytest.approx(0.6)


def test_unknown_unit_names_near_ones() -> None:
    with pytest.raises(UsageError, match="jawOpne") as caught:
        expression_code({"jawOpne": 1.0})
    assert "jawOpen" in (caught.value.hint or "")
