"""Makes the description of a network that was just converted."""

import dataclasses
import hashlib
import json

import numpy as np

from deepgbass.errors import UserError
from deepgbass.export.description import FORMAT, parse
from deepgbass.letterbox import PADDING
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
        output: one of `choices.OUTPUTS`.
        step: int or None, training steps of the checkpoint.

    Returns:
        dict for JSON, without `sha256`. Of the input: `takes`, what the tensor
        gets of an image's byte, all in `range`; `mean` and `std`, by which
        the byte's real value in a quantised tensor is (byte - mean) / std. To
        be filled in once they are known: `metrics`, form ("float", "int8") ->
        metrics as `deepgbass.evaluate` gives them; `preflight` and
        `fidelity`, summaries. Other keys may be added.

    Raises:
        UserError: `output` is no such word or not what the model gives.
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
            **_numbers(source),
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
        "fidelity": None,
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


def _numbers(source):
    """How an image's bytes become the input tensor, and what they stand for.

    A quantised tensor stands for (byte - mean) / std; a user of its scale and
    zero point has to give it that, and not 0..255.
    """
    if source["scale"] == 0.0:
        return {"takes": "byte", "range": [0, 255], "mean": 0, "std": 1}
    low = np.iinfo(source["dtype"]).min
    return {
        "takes": "byte" if low == 0 else f"byte - {-low}",
        "range": [low, low + 255],
        "mean": source["zero_point"] - low,
        "std": round(1 / source["scale"], 3),
    }


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
