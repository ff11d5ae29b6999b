"""Speed of the training pipeline, beside what the training step asks for.

python benchmarks/input_pipeline.py [--data_dir=DIR] [--crop_size=512,512]

Measures in turn, in one process, images a second of `training_batches` with
the paper's recipe and of a compiled training step (MobileNetEdgeTPU, DGD-64,
SBAL, Adam) on one batch in memory, and prints their ratio: how much faster
data come than they are used, each with all cores to itself. The ratio of CPU
times is the same question for one core; other work on the machine disturbs it
less. Goal: at least 5 at 512x512.

Without --data_dir, scenes of the embedded set are drawn in the size of
Cityscapes and stored as PNG, which cannot be decoded in part: the hard case.
"""

import multiprocessing
import resource
import statistics
import tempfile
import time
from concurrent import futures

from absl import flags

from deepgbass.commands import cli
from deepgbass.configs import ExperimentConfig

_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder of records; by default drawn scenes."
)
_CROP_SIZE = flags.DEFINE_list(
    "crop_size", ["512", "512"], "Height and width of the crops in pixels."
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 4, "Crops a step.", lower_bound=1
)
_ROUNDS = flags.DEFINE_integer(
    "rounds", 3, "Take the median of so many.", lower_bound=1
)
_SECONDS = flags.DEFINE_float("seconds", 5.0, "Of the pipeline, a round.")

GOAL = 5
DRAWN_SIZE, DRAWN_SCENES = (1024, 2048), 6


def main(_):
    config = ExperimentConfig().with_overrides(
        [f"data.crop_size={','.join(_CROP_SIZE.value)}"]
    )
    cli.import_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        dataset = open_data(folder)
        batches = Pipeline(dataset, config)
        batches.measure()  # alone, before the network fills the memory
        print(f"Pipeline alone: peak memory {batches.peak:.0f} MB more")
        step = Step(config, dataset.info.num_classes, next(batches.iterator))
        step.measure()  # compiles
        rounds = [
            (batches.measure(), step.measure()) for _ in range(_ROUNDS.value)
        ]
    print(f"\n{'':14}{'images/s':>10}{'cores busy':>12}{'CPU ms/image':>14}")
    for name, measured in zip(
        ("pipeline", "training step"), zip(*rounds, strict=True), strict=True
    ):
        speed, cores, cost = map(statistics.median, zip(*measured, strict=True))
        print(f"{name:14}{speed:10.2f}{cores:12.2f}{cost:14.1f}")
    ratio, cpu_ratio = (
        statistics.median(values)
        for values in zip(
            *((data[0] / used[0], used[2] / data[2]) for data, used in rounds),
            strict=True,
        )
    )
    verdict = "met" if ratio >= GOAL else "missed"
    print(
        f"\nRatio {ratio:.1f} (goal {GOAL}: {verdict}); of CPU times "
        f"{cpu_ratio:.1f}"
    )


def open_data(folder):
    """The training split of --data_dir, or drawn scenes in `folder`."""
    from deepgbass.data.pipeline import load_dataset
    from deepgbass.data.synthetic import write_synthetic

    if _DATA_DIR.value is None:
        # In another process: drawing takes more memory than what is measured.
        spawn = multiprocessing.get_context("spawn")
        counts = {"train": DRAWN_SCENES, "val": 1}
        with futures.ProcessPoolExecutor(1, spawn) as pool:
            pool.submit(
                write_synthetic, folder, **counts, size=DRAWN_SIZE
            ).result()
    dataset = load_dataset(_DATA_DIR.value or folder, "train")
    shape = next(dataset.examples([0]))["image"].shape
    print(
        f"{dataset.info.name}: {len(dataset)} images, the first of "
        f"{shape[0]}x{shape[1]}; crops of {'x'.join(_CROP_SIZE.value)}"
    )
    return dataset


def timed(function, images):
    """Images a second, cores busy, CPU milliseconds an image."""
    began, cpu_began = time.perf_counter(), time.process_time()
    function()
    seconds = time.perf_counter() - began
    cpu = time.process_time() - cpu_began
    return images / seconds, cpu / seconds, 1e3 * cpu / images


class Pipeline:
    """The input of a run; `peak` is the memory it took, in MB."""

    def __init__(self, dataset, config):
        from deepgbass.data.pipeline import training_batches

        self._before = peak_memory()
        batches = training_batches(
            dataset, config.data, batch_size=_BATCH_SIZE.value, seed=0
        )
        self.iterator = iter(batches)
        next(self.iterator)
        self._count = 4

    @property
    def peak(self):
        return peak_memory() - self._before

    def measure(self):
        """Takes batches for about --seconds, none of them made before."""
        for _ in range(4):
            next(self.iterator)
        speed, *_ = measured = timed(
            lambda: [next(self.iterator) for _ in range(self._count)],
            self._count * _BATCH_SIZE.value,
        )
        wanted = speed * _SECONDS.value / _BATCH_SIZE.value
        self._count = max(int(wanted), 4)
        return measured


class Step:
    """A compiled training step on one batch in memory."""

    def __init__(self, config, num_classes, batch):
        import tensorflow as tf

        from deepgbass.experiment import make_loss, make_model
        from deepgbass.training.optimization import make_optimizer

        model = make_model(config.model, num_classes, config.data.crop_size)
        loss, optimizer = make_loss(config.loss), make_optimizer(config.train)
        optimizer.build(model.trainable_variables)
        images, labels = batch

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                logits = model(images, training=True)
                value = loss.components(labels, logits, seed=(0, 0))["total"]
            variables = model.trainable_variables
            gradients = tape.gradient(value, variables)
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
            return value

        self._step = step

    def measure(self):
        return timed(lambda: float(self._step()), _BATCH_SIZE.value)


def peak_memory():
    """The most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    cli.run(main)
