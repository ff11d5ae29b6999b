"""Cost of the training loop beside a bare compiled step.

python benchmarks/train_loop.py [--input=memory|records] [--rounds=25]

Runs `deepgbass.training.loop.train` with all it does by default (metrics, logs,
TensorBoard, checkpoints, the report under way), and a bare compiled step of
the same network, loss and optimiser on the same batch in memory. Both take
turns in one process: the loop asks for a batch, and while it waits the bare
step runs. Prints the loop's time over the bare step's, of all rounds and of
single ones, and of CPU times, which other work on the machine disturbs less.
Goal: at most 1.05 with --input=memory, where the loop's batch comes from
memory too. With --input=records it comes from TFRecords: images a second are
then those of a real run, and the ratio is what decoding and augmentation take
from the same cores.

A round is --block steps of each; a checkpoint comes every 500 steps of the
loop, so that 25 rounds of 20 steps hold one. Without --data_dir, scenes of
the embedded set are drawn.
"""

import statistics
import tempfile
import time

from absl import flags

from deepgbass.commands import cli
from deepgbass.configs import ExperimentConfig

_INPUT = flags.DEFINE_enum(
    "input",
    "memory",
    ["memory", "records"],
    "Where the loop's batches come from.",
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder of records; by default drawn scenes."
)
_LOSS = flags.DEFINE_enum(
    "loss", "sbal", ["cross_entropy", "sbl", "sbal"], "Loss to train with."
)
_CROP_SIZE = flags.DEFINE_list(
    "crop_size", ["192", "256"], "Height and width of the crops in pixels."
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 4, "Crops a step.", lower_bound=1
)
_ROUNDS = flags.DEFINE_integer("rounds", 25, "Of both.", lower_bound=1)
_BLOCK = flags.DEFINE_integer(
    "block", 20, "Steps of each in a round.", lower_bound=1
)

GOAL = 1.05


def main(_):
    size = ",".join(_CROP_SIZE.value)
    # The first block, which traces, and all rounds; the last step has no end
    # that the batches see.
    steps = (1 + _ROUNDS.value) * _BLOCK.value + 1
    config = ExperimentConfig().with_overrides(
        [
            f"data.source={'records' if _DATA_DIR.value else 'synthetic'}",
            f"data.crop_size={size}",
            f"data.eval_size={size}",
            "model.depth_multiplier=0.5",
            f"loss.name={_LOSS.value}",
            f"train.batch_size={_BATCH_SIZE.value}",
            f"train.steps={steps}",
            "train.warmup_steps=0",
        ]
    )
    cli.import_tensorflow()
    from deepgbass.training import loop as training

    alternation = Alternation(training.distributed_batches, config)
    # The loop takes its batches from here.
    training.distributed_batches = alternation.batches
    with tempfile.TemporaryDirectory() as folder:
        training.train(config, folder, _DATA_DIR.value)
    report(alternation.rounds)


def report(rounds):
    """Prints what `Alternation.rounds` holds."""
    steps = len(rounds) * _BLOCK.value
    print(
        f"\n{_LOSS.value}, {_BATCH_SIZE.value} crops of "
        f"{'x'.join(_CROP_SIZE.value)} from {_INPUT.value}, "
        f"{len(rounds)} rounds of {_BLOCK.value} steps"
    )
    print(f"{'':10}{'images/s':>10}{'ms a step':>11}{'CPU ms a step':>15}")
    sums = []
    for name, blocks in zip(
        ("loop", "bare step"), zip(*rounds, strict=True), strict=True
    ):
        seconds, cpu = (sum(times) for times in zip(*blocks, strict=True))
        sums.append((seconds, cpu))
        speed = _BATCH_SIZE.value * steps / seconds
        print(
            f"{name:10}{speed:10.2f}{1e3 * seconds / steps:11.1f}"
            f"{1e3 * cpu / steps:15.1f}"
        )
    ratio, cpu_ratio = (ours / bare for ours, bare in zip(*sums, strict=True))
    single = sorted(ours[0] / bare[0] for ours, bare in rounds)
    verdict = ""
    if _INPUT.value == "memory":
        verdict = f" (goal {GOAL}: {'met' if ratio <= GOAL else 'missed'})"
    print(
        f"Ratio {ratio:.3f}{verdict}; of CPU times {cpu_ratio:.3f}; of single "
        f"rounds: median {statistics.median(single):.3f}, "
        f"{single[0]:.3f} to {single[-1]:.3f}"
    )


def now():
    """Seconds on the clock, and of the process on all cores."""
    return time.perf_counter(), time.process_time()


def since(began):
    return tuple(t - b for t, b in zip(now(), began, strict=True))


class Alternation:
    """Batches for the loop, and between two blocks of them the bare step.

    Attributes:
        rounds: list of (loop, bare step), each (seconds, CPU seconds) of a
            block.
    """

    def __init__(self, make_batches, config):
        self._make_batches = make_batches
        self._config = config
        self.rounds = []

    def batches(self, strategy, dataset, *args, **kwargs):
        """In the place of `distributed_batches`."""
        source = iter(self._make_batches(strategy, dataset, *args, **kwargs))
        batch = next(source)
        bare = self._bare_step(dataset.info.num_classes, batch)
        bare()  # compiles
        while True:
            began = now()
            for _ in range(_BLOCK.value):
                yield next(source) if _INPUT.value == "records" else batch
            loop = since(began)
            began = now()
            for _ in range(_BLOCK.value):
                bare()
            self.rounds.append((loop, since(began)))
            if len(self.rounds) > _ROUNDS.value:
                del self.rounds[0]  # the loop's step was compiled in it
                yield batch

    def _bare_step(self, num_classes, batch):
        """What a training step cannot do without, compiled."""
        import tensorflow as tf

        from deepgbass.experiment import make_loss, make_model
        from deepgbass.training.optimization import make_optimizer

        config = self._config
        model = make_model(config.model, num_classes, config.data.crop_size)
        loss, optimizer = make_loss(config.loss), make_optimizer(config.train)
        optimizer.build(model.trainable_variables)
        images, labels = batch

        @tf.function
        def step():
            seed = tf.stack([0, optimizer.iterations])
            with tf.GradientTape() as tape:
                logits = model(images, training=True)
                value = loss(labels, logits, seed=seed)
            variables = model.trainable_variables
            gradients = tape.gradient(value, variables)
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
            return value

        return lambda: float(step())


if __name__ == "__main__":
    cli.run(main)
