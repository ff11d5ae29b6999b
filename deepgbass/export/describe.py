"""Makes the description of a network that was just converted."""

import dataclasses
import hashlib
import json

from deepgbass.errors import UserError
from deepgbass.export.description import FORMAT, PADDING, parse
from deepgbass.versions import versions


def describe(
    content, info, config, *, quantization, output="logits", step=None
):
    """The description of a network that was just converted.

    Args:
        content: bytes of the `.tflite` file.
        info: `DatasetInfo` of the classes.
        config: `ExperimentConfig` that it was trained with.
        quantization: what the numbers are, e.g. "int8".
        output: one of `OUTPUTS`.
        step: int or None, training steps of the checkpoint.

    Returns:
        dict for JSON, without `sha256`. To be filled in once they are known:
        `metrics`, form ("float", "int8") -> metrics as `deepgbass.evaluate`
        gives them; `preflight`, a summary. Other keys may be added.

    Raises:
        UserError: `output` is none of `OUTPUTS` or not what the model gives.
    """
    source, result = _tensors(content)
    size = source.pop("shape")[1:3]
    shape = result.pop("shape")
    longer_side = config.data.resize_longer_side
    aligned = config.model.align_corners
    text = config.to_json()
    # What a model's user needs of the data set, not where its records lie.
    classes = dataclasses.replace(info, statistics={}, shards={})
    values = {
        "format": FORMAT,
        "name": config.name,
        "quantization": quantization,
        "input": {
            "size": size,
            "channels": "RGB",
            "range": [0, 255],
            **source,
            "longer_side": longer_side,
            "padding": PADDING,
            "fit": _fit(longer_side),
        },
        "output": {
            "content": output,
            "size": shape[1:3],
            "stride": round(size[0] / shape[1]),
            **result,
            "align_corners": aligned,
            "resize": _resize(output, aligned),
        },
        "dataset": json.loads(classes.to_json()),
        "metrics": {},
        "step": step,
        "config": json.loads(text),
        "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "versions": versions(),
        "compiled": None,
        "preflight": None,
    }
    parse(values)
    wanted = [*shape[:3], info.num_classes] if output == "logits" else shape[:3]
    if shape != wanted or (output == "full" and shape[1:] != size):
        raise UserError(
            f"the model's output {shape} is not {output!r} of "
            f"{info.num_classes} classes for an input of {size}"
        )
    return values


def _tensors(content):
    """Shape, type and scaling of a model's input and output."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    (source,) = interpreter.get_input_details()
    (result,) = interpreter.get_output_details()
    return [
        {
            "shape": details["shape"].tolist(),
            "dtype": details["dtype"].__name__,
            "scale": float(details["quantization"][0]),
            "zero_point": int(details["quantization"][1]),
        }
        for details in (source, result)
    ]


def _fit(longer_side):
    first = (
        f"longer side resized to {longer_side}; "
        if longer_side is not None
        else ""
    )
    return (
        f"{first}smaller images padded at the bottom and right with "
        f"{PADDING}, larger ones reduced at the same aspect"
    )


def _resize(output, align_corners):
    if output != "logits":
        return "nearest"
    centres = "aligned corners" if align_corners else "half-pixel centres"
    return f"bilinear with {centres}, before the argmax"
