import pytest

from deepgbass.backbones.atrous import atrous
from deepgbass.errors import UserError


@pytest.mark.parametrize(
    ("output_stride", "expected"),
    [
        (32, [(2, 1), (2, 1), (2, 1), (1, 1), (2, 1), (1, 1), (2, 1), (1, 1)]),
        (16, [(2, 1), (2, 1), (2, 1), (1, 1), (2, 1), (1, 1), (1, 1), (1, 2)]),
        (8, [(2, 1), (2, 1), (2, 1), (1, 1), (1, 1), (1, 2), (1, 2), (1, 4)]),
    ],
)
def test_strides_beyond_the_output_stride_turn_into_dilations(
    output_stride, expected
):
    strides = [2, 2, 2, 1, 2, 1, 2, 1]
    assert list(atrous(strides, output_stride)) == expected


def test_other_output_strides_are_refused():
    with pytest.raises(UserError, match="^output_stride: 4 is not 8, 16 or 32"):
        next(atrous([2], 4))
