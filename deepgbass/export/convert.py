"""From a trained network to the bytes of a TFLite model, in any form."""

from deepgbass.export.graph import constant_graph, export_graph
from deepgbass.export.tflite import to_float, to_int8


def convert(model, images, network, output, input_type, align_corners):
    """Converts a network to float, int8 or fine-tuned int8.

    Args:
        model: from `build_model`.
        images: calibration images; None for a float export.
        network: None, or the model after training under rounding.
        output, input_type, align_corners: as in `tflite.to_int8` and
            `export_graph`.

    Returns:
        Bytes of the export, and of the float model of the same weights, which
        its operators' signal to noise is measured against.
    """
    if network is None:
        integer = images is not None
        graph = export_graph(model, output, integer, align_corners)
        reference = to_float(graph)
        if not integer:
            return reference, reference
        return to_int8(reference, images, input_type), reference
    from deepgbass.export import qat

    content = qat.convert_quantized(network, output, input_type, align_corners)
    plain = qat.float_network(network, model)
    return content, to_float(constant_graph(plain, output, align_corners))
