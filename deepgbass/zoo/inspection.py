"""What a file of weights holds, as text."""

import collections
import math

from deepgbass.zoo import names
from deepgbass.zoo.formats import identify


def describe(path) -> str:
    """A few lines on a checkpoint or `.tflite` file.

    Raises:
        UserError: the file cannot be read; see `load_zoo_weights`.
    """
    source = identify(path)
    if source.format == "TFLite":
        from deepgbass.zoo.tflite import read_convolutions

        convolutions = read_convolutions(source.path)
        # Where names tell no scope, the whole name is more than nothing.
        shapes = {
            f"{c.scope or c.name}/weights": c.kernel.shape for c in convolutions
        }
        sizes = {
            f"{c.scope or c.name}/weights": c.kernel.size + c.bias.size
            for c in convolutions
        }
        unit, skipped = "convolutions", ()
    else:
        from deepgbass.zoo.tf1_checkpoint import read_checkpoint

        values, skipped = read_checkpoint(source.path)
        shapes = {name: value.shape for name, value in values.items()}
        sizes = {name: math.prod(shape) for name, shape in shapes.items()}
        unit = "variables"
    lines = [f"{source.path}: {source.format}"]
    for scope in names.top_scopes(shapes):
        inside = [n for n in shapes if n.split("/")[0] == scope]
        count = sum(sizes[n] for n in inside)
        lines.append(f"  {scope:24}{len(inside):5} {unit} {count:12,} numbers")
    for reason, count in collections.Counter(r for _, r in skipped).items():
        lines.append(f"  {reason}: {count} variables, which loading skips")
    scope = names.file_backbone(shapes)
    if scope:
        ours = names.BACKBONE_SCOPES[scope]
        built = f'backbone="{ours}" of build_model' if ours else "none here"
        lines.append(f"  backbone {scope}: {built}")
    for name, shape in shapes.items():
        if names.group(names.layer_name(name)) == "logits" and len(shape) == 4:
            lines.append(f"  {name}: {shape[-1]} classes")
    return "\n".join(lines)
