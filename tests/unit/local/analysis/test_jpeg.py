from __future__ import annotations

import io

import av
import numpy as np
import pytest

from videodb_cli.local.analysis.jpeg import jpeg_of


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ((640, 360), (640, 360)),
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (720, 1280)),
        ((33, 17), (32, 16)),
        ((1, 1), (2, 2)),
    ],
)
def test_a_picture_becomes_a_jpeg_of_a_size_for_models(size: tuple[int, int], made: tuple[int, int]) -> None:
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[:, : size[0] // 2] = (20, 30, 220)  # the left half is red
    content = jpeg_of(picture)
    assert content.startswith(b"\xff\xd8")
    assert content.endswith(b"\xff\xd9")
    with av.open(io.BytesIO(content), "r", format="jpeg_pipe") as container:
        shown = next(container.decode(video=0)).to_ndarray(format="bgr24")
    assert shown.shape == (made[1], made[0], 3)
    if size[0] > 30:
        blue, green, red = shown[made[1] // 2, made[0] // 4]
        assert abs(int(red) - 220) < 12
        assert int(blue) < 60
        assert int(green) < 60
        assert shown[made[1] // 2, made[0] * 3 // 4].max() < 12
