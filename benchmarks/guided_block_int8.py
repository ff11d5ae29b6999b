"""What int8 leaves of the guided block: by itself, and in the whole network.

python benchmarks/guided_block_int8.py --workdir=runs/camvid \
    --data_dir=data/camvid

Signal to noise of the block's result r against float, over evaluation images,
for a trained network with the guided decoder. By itself, the block is handed
feature and guide as the float network has them, rounded to int8; in the whole
network they come with the noise of all layers before. `export_tflite.py`
tells the second for every export.
"""

import numpy as np
from absl import flags

from deepgbass.commands import cli

flags.DEFINE_string("workdir", None, "Folder of train.py.", required=True)
flags.DEFINE_string("data_dir", None, "Folder of TFRecords.")
flags.DEFINE_integer("images", 8, "Evaluation images.", lower_bound=1)
flags.DEFINE_integer("calibration", 20, "Training images.", lower_bound=1)

GOAL_DB = 25


def main(_):
    values = flags.FLAGS
    cli.import_tensorflow()
    from deepgbass.configs import load_config
    from deepgbass.experiment import open_split, restore_model
    from deepgbass.export.calibration import choose_images

    config = load_config(values.workdir)
    size = config.data.eval_size
    model, step = restore_model(values.workdir, size, batch_size=1)
    given, measured = (
        list(
            choose_images(
                open_split(config, values.workdir, values.data_dir, split),
                size,
                config.data.resize_longer_side,
                count,
            )
        )
        for split, count in (
            (config.data.train_split, values.calibration),
            (config.data.eval_split, values.images),
        )
    )
    print(
        f"{config.name} at step {step}, {values.images} images of "
        f"{size[0]}x{size[1]}, ranges from {values.calibration}"
    )
    alone = block_alone(model, given, measured)
    print(f"the block alone    {alone:5.1f} dB (goal {GOAL_DB})")
    whole = whole_network(model, given, measured)
    print(f"the whole network  {whole:5.1f} dB")


def block_alone(model, given, measured):
    """dB of the block that is quantised by itself."""
    from tensorflow.lite.python.convert import mlir_quantize

    from deepgbass.export.ranges import measure_ranges, with_ranges

    content, inputs_of = cut_out(model)
    inputs = [inputs_of(image) for image in given]
    ranges = measure_ranges(content, inputs)
    for index, values in zip(
        sources(content), zip(*inputs, strict=True), strict=True
    ):
        ranges[index] = 0.0, float(np.max(values))
    quantised = mlir_quantize(with_ranges(content, ranges))
    return compare(content, quantised, map(inputs_of, measured))


def cut_out(model):
    """The block as a float model, and what it is handed for an image."""
    import tensorflow as tf

    from deepgbass.keras_api import keras

    (block,) = (x for x in model.layers if x.name.endswith("guided_add"))
    (mean,) = (
        x for x in model.layers if x.name.endswith("guided_feature_mean_sum")
    )
    (guide,) = (
        x for x in model.layers if x.name.endswith("guide_projection_relu")
    )
    handed = {"feature": mean.input, "guide": guide.output}
    part = keras.Model(list(handed.values()), block.output)
    before = keras.Model(model.input, handed)
    function = tf.function(lambda **x: part(list(x.values()), training=False))
    concrete = function.get_concrete_function(
        **{k: tf.TensorSpec(x.shape, name=k) for k, x in handed.items()}
    )
    content = tf.lite.TFLiteConverter.from_concrete_functions(
        [concrete], part
    ).convert()
    # The converter has an order of its own.
    names = [
        next(k for k in handed if k in source["name"])
        for source in open_model(content).get_input_details()
    ]

    def inputs_of(image):
        found = before(image[None].astype(np.float32), training=False)
        return tuple(found[name].numpy() for name in names)

    return content, inputs_of


def whole_network(model, given, measured):
    """dB of the block's result in the network that is quantised whole."""
    from deepgbass.export.graph import export_graph, scale_bytes
    from deepgbass.export.sqnr import measure_sqnr
    from deepgbass.export.tflite import to_float, to_int8

    reference = to_float(export_graph(model))
    table = measure_sqnr(
        reference, to_int8(reference, given), map(scale_bytes, measured)
    )
    return table.guided_block.db


def open_model(content):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=content,
        experimental_op_resolver_type=(
            OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        ),
    )
    interpreter.allocate_tensors()
    return interpreter


def sources(content):
    """Indices of a model's inputs, in order."""
    return [x["index"] for x in open_model(content).get_input_details()]


def compare(reference, quantised, inputs):
    """dB of the one output of two models on the same float inputs."""
    from deepgbass.predictors import dequantize

    signal = noise = 0.0
    forms = open_model(reference), open_model(quantised)
    for handed in inputs:
        results = []
        for form in forms:
            for values, details in zip(
                handed, form.get_input_details(), strict=True
            ):
                if details["dtype"] == np.int8:
                    scale, zero = details["quantization"]
                    steps = np.rint(values / scale) + zero
                    values = steps.clip(-128, 127).astype(np.int8)
                form.set_tensor(details["index"], values)
            form.invoke()
            (details,) = form.get_output_details()
            result = form.get_tensor(details["index"])
            results.append(dequantize(result, details))
        signal += float(np.sum(np.square(results[0], dtype=np.float64)))
        error = results[1] - results[0]
        noise += float(np.sum(np.square(error, dtype=np.float64)))
    return 10 * np.log10(signal / noise)


if __name__ == "__main__":
    cli.run(main)
