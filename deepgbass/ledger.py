"""Counts a network's parameters and GFLOPs, stage by stage (Table II).

Examples:
  python -m deepgbass.ledger
  python -m deepgbass.ledger --config=demo
  python -m deepgbass.ledger --config=run/config.json --size=512,512

Without --config: the networks of Table II beside the paper's numbers.

The counting rule is the one that reproduces Table II: parameters are weights,
biases and batch norm's scale and offset; a multiply-accumulate is 2 FLOPs;
of the operations, convolutions and depthwise convolutions with weights count.
"""

import dataclasses
import math

from absl import flags

from deepgbass.commands import cli
from deepgbass.configs import ModelConfig
from deepgbass.errors import UserError
from deepgbass.presets import get_config


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a stage costs.

    Attributes:
        stage: its name, in the order of the graph.
        parameters: trainable ones.
        gflops: for one image.
    """

    stage: str
    parameters: int
    gflops: float


@dataclasses.dataclass(frozen=True)
class PaperRow:
    """A row of Table II: a network, and what the paper prints for it."""

    name: str
    model: ModelConfig
    gflops: str
    parameters: str


TABLE_2 = tuple(
    PaperRow(name, get_config(f"table2_{preset}").model, gflops, parameters)
    for name, preset, gflops, parameters in (
        ("DLv3D-256", "dlv3d_256", "142", "2.95"),
        ("DLv3D-64", "dlv3d_64", "104", "2.72"),
        ("DGD-256", "dgd_256", "156", "3.01"),
        ("DGD-64", "dgd_64", "108", "2.73"),
    )
)
TABLE_2_SIZE = (1024, 2048)


def ledger(model) -> list[Entry]:
    """The stages of a network of `deepgbass.build_model` and their costs.

    Args:
        model: the Functional model; its input's size is what is counted.

    Returns:
        A list of `Entry`: the backbone by stride, then the heads.
    """
    costs = {}
    for layer in model.layers:
        parameters, macs = layer_costs(layer)
        if parameters:
            stage = _stage(layer, model.input_shape[1])
            was = costs.get(stage, (0, 0))
            costs[stage] = (was[0] + parameters, was[1] + macs)
    return [
        Entry(stage, parameters, 2e-9 * macs)
        for stage, (parameters, macs) in costs.items()
    ]


def total(entries) -> Entry:
    """The sum of ledger entries."""
    return Entry(
        "total",
        sum(entry.parameters for entry in entries),
        sum(entry.gflops for entry in entries),
    )


def layer_costs(layer) -> tuple[int, int]:
    """Trainable parameters and multiply-accumulates of a Keras layer."""
    parameters = sum(math.prod(v.shape) for v in layer.trainable_weights)
    kernel = getattr(layer, "depthwise_kernel", getattr(layer, "kernel", None))
    if kernel is None:
        return parameters, 0
    pixels = math.prod(layer.output.shape[1:3])
    return parameters, pixels * math.prod(kernel.shape)


def _stage(layer, height):
    name = layer.name
    for prefix, stage in (
        ("image_pooling", "ASPP"),
        ("aspp", "ASPP"),
        ("concat_projection", "ASPP"),
        ("decoder_feature_projection0", "low-level feature"),
        ("decoder_guide_projection", "low-level feature"),
        ("decoder_guided", "guided block"),
        ("decoder", "decoder"),
        ("logits", "logits"),
    ):
        if name.startswith(prefix):
            return stage
    # Sizes are ceil(height / stride): height / size itself is no power of two.
    stride = next(
        s for s in (2, 4, 8, 16, 32) if -(-height // s) == layer.output.shape[1]
    )
    return f"backbone, stride {stride}"


def _build(model_config, size, classes):
    from deepgbass.experiment import make_model

    try:
        return make_model(model_config, classes, size)
    except UserError as error:
        raise UserError(f"--size={size[0]},{size[1]}: {error}") from None


def _print_stages(entries, title):
    from rich.table import Table

    from deepgbass.progress import console

    table = Table("stage", title=title, box=None)
    for column in ("parameters", "GFLOPs"):
        table.add_column(column, justify="right")
    for entry in [*entries, total(entries)]:
        table.add_row(
            entry.stage, f"{entry.parameters:,}", f"{entry.gflops:.3f}"
        )
    console.print(table)


def _print_table_2(size, classes):
    from rich.table import Table

    from deepgbass.progress import console

    table = Table("network", box=None)
    for column in ("GFLOPs", "paper", "parameters", "paper (M)"):
        table.add_column(column, justify="right")
    for row in TABLE_2:
        found = total(ledger(_build(row.model, size, classes)))
        table.add_row(
            row.name,
            f"{found.gflops:.2f}",
            row.gflops,
            f"{found.parameters:,}",
            row.parameters,
        )
    console.print(f"Table II, {size[0]} x {size[1]}, {classes} classes")
    console.print(table)


def _parse_size(words):
    try:
        height, width = map(int, words)
    except ValueError:
        raise UserError(
            f"--size={','.join(words)} is not HEIGHT,WIDTH in pixels, e.g."
            " 1024,2048"
        ) from None
    return height, width


def define_flags():
    """Not at import: this module is also a library."""
    flags.DEFINE_string(
        "config",
        None,
        "A preset or a JSON file, e.g. a work directory's config.json, to count"
        " stage by stage. Default: the networks of Table II.",
    )
    flags.DEFINE_list(
        "size",
        None,
        "HEIGHT,WIDTH of the input in pixels. Default: the configuration's"
        " evaluation size; 1024,2048 for Table II.",
    )
    flags.DEFINE_integer("classes", 19, "Number of classes.", lower_bound=1)


def main(argv):
    del argv
    values = flags.FLAGS
    size = values.size and _parse_size(values.size)
    config = values.config and get_config(values.config)
    cli.import_tensorflow()
    if config is None:
        _print_table_2(size or TABLE_2_SIZE, values.classes)
        return
    size = size or config.data.eval_size
    entries = ledger(_build(config.model, size, values.classes))
    _print_stages(
        entries,
        f"{values.config}, {size[0]} x {size[1]}, {values.classes} classes",
    )


def run():
    define_flags()
    cli.run(main)


if __name__ == "__main__":
    run()
