"""Cost of the boundary losses in a training step, beside cross-entropy.

python benchmarks/sbal_step.py [--size=512,512] [--batch_size=4]

Measures a compiled step (DGD-64 forward, loss, gradients, Adam) with
cross-entropy, with cross-entropy + SBL and with the full SBAL on one random
batch, all in turn in one process; and each loss's peak memory, in a process of
its own. Prints medians and ratios to cross-entropy. CPU time is the sum over
cores; other work on the machine disturbs it less. Goals for SBAL: at most
1.15 times the time and 1.3 times the memory of cross-entropy.
"""

import resource
import statistics
import subprocess
import sys
import time

from absl import flags

from deepgbass.commands import cli

NAMES = {
    "cross_entropy": "cross-entropy",
    "sbl": "cross-entropy + SBL",
    "sbal": "SBAL",
}

_SIZE = flags.DEFINE_list(
    "size", ["512", "512"], "Height and width of the images in pixels."
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 4, "Images a step.", lower_bound=1
)
_NUM_CLASSES = flags.DEFINE_integer(
    "num_classes", 19, "Classes.", lower_bound=2
)
_ROUNDS = flags.DEFINE_integer(
    "rounds", 5, "Take the median of so many.", lower_bound=1
)
_MEMORY_OF = flags.DEFINE_enum(
    "memory_of", None, list(NAMES), "Print this loss's peak memory alone."
)


def main(_):
    if _MEMORY_OF.value:
        cli.import_tensorflow()
        steps = make_steps([_MEMORY_OF.value])
        for _ in range(2):
            measure(*steps.values())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{peak:.0f}")
        return
    peaks = {name: peak_memory(name) for name in NAMES}
    cli.import_tensorflow()
    steps = make_steps(NAMES)
    for step in steps.values():
        measure(step)  # compiles
    rounds = [
        {name: measure(step) for name, step in steps.items()}
        for _ in range(_ROUNDS.value)
    ]
    print(
        f"{_BATCH_SIZE.value} images of {'x'.join(_SIZE.value)}, "
        f"{_NUM_CLASSES.value} classes, median of {len(rounds)}"
    )
    columns = ("seconds", "CPU seconds", "peak MB")
    print(f"{'':22}" + "".join(f"{c:>13}  ratio" for c in columns))
    first = None
    for name, title in NAMES.items():
        times = zip(*(r[name] for r in rounds), strict=True)
        values = (*map(statistics.median, times), peaks[name])
        first = first or values
        cells = (
            f"{value:13.2f}  {value / base:5.2f}"
            for value, base in zip(values, first, strict=True)
        )
        print(f"{title:22}" + "".join(cells))


def peak_memory(name):
    """The most memory of a process that trains with this loss alone, in MB."""
    command = [sys.executable, *sys.argv, f"--memory_of={name}"]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)


def make_steps(names):
    """A compiled training step by name of loss, all of the same network."""
    import numpy as np
    import tensorflow as tf

    from deepgbass.configs import ExperimentConfig, LossConfig
    from deepgbass.experiment import make_loss, make_model
    from deepgbass.training.optimization import make_optimizer

    config = ExperimentConfig()
    height, width = (int(pixels) for pixels in _SIZE.value)
    model = make_model(config.model, _NUM_CLASSES.value, (height, width))
    optimizer = make_optimizer(config.train)
    optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(0)
    shape = (_BATCH_SIZE.value, height, width)
    images = tf.constant(255 * rng.random((*shape, 3), np.float32))
    # Blocks of classes, as objects have, some of them ignored.
    ids = rng.integers(0, _NUM_CLASSES.value + 1, shape)[:, ::16, ::16]
    labels = ids.repeat(16, 1).repeat(16, 2)[:, :height, :width]
    labels[labels == _NUM_CLASSES.value] = 255
    labels = tf.constant(labels, tf.int32)

    def make(loss):
        @tf.function
        def step():
            with tf.GradientTape() as tape:
                value = loss(labels, model(images, training=True))
            variables = model.trainable_variables
            gradients = tape.gradient(value, variables)
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
            return value

        return step

    return {name: make(make_loss(LossConfig(name=name))) for name in names}


def measure(step):
    """Seconds and CPU seconds of one step."""
    began, cpu_began = time.perf_counter(), time.process_time()
    float(step())
    return time.perf_counter() - began, time.process_time() - cpu_began


if __name__ == "__main__":
    cli.run(main)
