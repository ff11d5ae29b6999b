"""Output stride: how a backbone trades strides for dilations."""

from collections.abc import Iterable, Iterator

from deepgbass.errors import UserError

OUTPUT_STRIDES = (8, 16, 32)


def atrous(
    strides: Iterable[int], output_stride: int
) -> Iterator[tuple[int, int]]:
    """Strides and dilations of layers, given the strides they were made with.

    Once the running stride equals `output_stride`, further strides become 1.
    A layer that loses its stride still reads the grid that it always read;
    those behind it find their neighbours that many pixels further off.

    Args:
        strides: of the layers in order, from the image on.
        output_stride: 8, 16 or 32.

    Yields:
        `(stride, dilation)` of each layer.

    Raises:
        UserError: for another output stride.
    """
    if output_stride not in OUTPUT_STRIDES:
        raise UserError(f"output_stride: {output_stride!r} is not 8, 16 or 32")
    running, dilation = 1, 1
    for stride in strides:
        if running < output_stride:
            yield stride, 1
            running *= stride
        else:
            yield 1, dilation
            dilation *= stride
