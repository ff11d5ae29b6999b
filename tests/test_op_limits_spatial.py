"""Limits of convolutions, pools, reductions and resizes."""

import pytest
from judged import convolution, pool, resize, with_list


@pytest.mark.parametrize(
    ("kernel", "output"),
    [
        ((1, 3, 3, 4), (1, 8, 8, 4)),
        ((1, 7, 7, 32), (1, 8, 8, 32)),  # depth multiplier 8
    ],
)
def test_depthwise_convolutions_are_mapped(kernel, output):
    name = "DEPTHWISE_CONV_2D"
    found = convolution(name, (1, 8, 8, 4), kernel, output)
    assert found.verdict == "mapped"


@pytest.mark.parametrize(
    ("rows", "columns", "verdict"),
    [(1, 1, "mapped"), (2, 2, "mapped"), (2, 1, "cpu")]
    + [(3, 3, "uncertain"), (6, 6, "uncertain")],
)
@pytest.mark.parametrize("name", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_dilation(name, rows, columns, verdict):
    kernel = (1, 3, 3, 4) if name == "DEPTHWISE_CONV_2D" else (4, 3, 3, 4)
    found = convolution(
        name,
        (1, 8, 8, 4),
        kernel,
        (1, 8, 8, 4),
        dilationHFactor=rows,
        dilationWFactor=columns,
    )
    assert found.verdict == verdict


def test_a_grouped_convolution_is_not_mapped():
    found = convolution("CONV_2D", (1, 8, 8, 4), (4, 3, 3, 2), (1, 8, 8, 4))
    assert found.verdict == "cpu"


def test_pools():
    assert pool(42, 3).verdict == "mapped"
    assert pool(33, 1).verdict == "mapped"
    assert pool(33, 1, fused=1).verdict == "cpu"
    assert pool(3, 2, padding=0).verdict == "mapped"
    assert pool(3, 8, padding=0, stride=1).verdict == "uncertain"
    assert pool(256, 1).verdict == "uncertain"
    assert pool(2, 4, padding=0, name="MAX_POOL_2D").verdict == "mapped"
    assert pool(2, 4, name="MAX_POOL_2D", fused=1).verdict == "cpu"


@pytest.mark.parametrize(
    ("axes", "shape", "verdict"),
    [
        ((1, 2), (1, 33, 33, 10), "mapped"),
        ((1, 2), (1, 64, 128, 3), "mapped"),
        ((1, 2), (1, 256, 128, 3), "uncertain"),
        ((2, -3), (1, 256, 128, 3), "uncertain"),
        ((3,), (1, 8, 8, 8), "mapped"),
        ((3,), (1, 8, 8, 6), "cpu"),
        ((-1,), (1, 8, 8, 6), "cpu"),
        ((0, 1), (1, 8, 8, 8), "cpu"),
    ],
)
def test_means(axes, shape, verdict):
    assert with_list("MEAN", axes, shape, (1, 4)).verdict == verdict


@pytest.mark.parametrize("name", ["SUM", "REDUCE_MAX", "REDUCE_MIN"])
def test_other_reductions(name):
    assert with_list(name, (1, 2), output=(1, 4)).verdict == "mapped"
    assert with_list(name, (3,), (1, 8, 8, 6)).verdict == "mapped"
    assert with_list(name, (0,)).verdict == "cpu"


@pytest.mark.parametrize("name", ["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"])
@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((33, 33), (33, 33), "mapped"),
        ((24, 24), (48, 48), "mapped"),
        ((64, 64), (128, 128), "mapped"),
        ((8, 8), (8, 16), "mapped"),
        ((64, 128), (128, 256), "uncertain"),
        ((8, 8), (12, 12), "uncertain"),
        ((32, 32), (128, 128), "uncertain"),
        ((8, 8), (64, 64), "uncertain"),
        ((8, 8), (4, 4), "uncertain"),
        ((8, 8), (128, 128), "cpu"),
        ((33, 33), (513, 513), "cpu"),
        ((256, 256), (512, 512), "cpu"),
        ((1, 1), (2, 2), "cpu"),
        ((1, 1), (33, 33), "cpu"),
        ((1, 1), (1, 1), "mapped"),
    ],
)
def test_resizes(name, before, after, verdict):
    assert resize(before, after, name).verdict == verdict


def test_aligned_corners_double_one_less():
    assert resize((33, 33), (65, 65), alignCorners=True).verdict == "mapped"
    assert resize((33, 33), (65, 65)).verdict == "uncertain"
    found = resize((33, 33), (66, 66), alignCorners=True)
    assert found.verdict == "uncertain"


def test_a_resize_from_one_pixel_has_its_own_remedy():
    assert "ADD" in resize((1, 1), (33, 33)).remedy
