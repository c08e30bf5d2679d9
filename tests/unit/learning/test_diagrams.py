from xml.etree import ElementTree as ET

import numpy as np
import pytest

from learning.diagrams import reliability_diagram


def parsed(drawing: str) -> ET.Element:
    return ET.fromstring(drawing)  # noqa: S314 - our own drawing, made just before


SVG = "{http://www.w3.org/2000/svg}"


def test_a_head_has_a_panel_with_a_point_for_each_interval_that_has_texts() -> None:
    labels = np.array([True, False, True, True])
    probabilities = np.array([0.95, 0.95, 0.05, 0.06])
    drawn = parsed(reliability_diagram({"spam": (labels, probabilities)}))

    assert len(drawn.findall(f".//{SVG}circle")) == 2
    words = [text.text or "" for text in drawn.iter(f"{SVG}text")]
    assert any(word.startswith("spam: ECE 0.6") and word.endswith("n 4") for word in words)


def test_panels_stand_side_by_side_and_inside_the_drawing() -> None:
    heads = {f"head {place}": (np.array([True, False]), np.array([0.8, 0.1])) for place in range(6)}
    drawn = parsed(reliability_diagram(heads))
    groups = drawn.findall(f"{SVG}g")
    width, height = float(drawn.attrib["width"]), float(drawn.attrib["height"])
    places = [tuple(float(part) for part in group.attrib["transform"][10:-1].split(",")) for group in groups]

    assert len(set(places)) == 6
    assert all(x + 180 <= width and y + 180 <= height for x, y in places)


def test_a_name_cannot_break_the_drawing() -> None:
    drawn = reliability_diagram({"<script>": (np.array([True]), np.array([0.5]))})

    assert "<script>" not in drawn
    parsed(drawn)


def test_heads_without_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="needs heads"):
        reliability_diagram({})
    with pytest.raises(ValueError, match="needs heads"):
        reliability_diagram({"spam": (np.zeros(0, dtype=bool), np.zeros(0))})
