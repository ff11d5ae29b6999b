"""Published `.tflite` networks: ours in float against the interpreter.

`pytest tests/test_zoo_agreement.py -s` prints what docs/zoo.md quotes.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from deepgbass.classifier import build_classifier
from deepgbass.keras_api import keras
from deepgbass.models import build_model
from deepgbass.zoo.loading import load_zoo_weights
from deepgbass.zoo.names import CLASSIFIER, layer_name
from deepgbass.zoo.recalibration import recalibrate_batch_norm

IMAGENET = "mobilenet_edgetpu_224_1.0_uint8.tflite"
CITYSCAPES = "deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite"
PASCAL = "deeplabv3_mnv2_dm05_pascal_quant.tflite"
ADE20K = "deeplabv3_mnv2_ade20k_int8.tflite"
NETWORKS = {
    CITYSCAPES: {
        "decoder": None,
        "depth_multiplier": 0.75,
        "last_layer": 24,
        "last_layer_channels": 1280,
        "aspp_channels": 128,
        "num_classes": 19,
        "input_shape": (513, 513, 3),
    },
    PASCAL: {
        "backbone": "mobilenet_v2",
        "decoder": None,
        "depth_multiplier": 0.5,
        "width_divisor": 4,
        "num_classes": 21,
        "input_shape": (513, 513, 3),
    },
    ADE20K: {
        "backbone": "mobilenet_v2",
        "decoder": "deeplab_v3plus",
        "decoder_channels": 256,
        "num_classes": 32,
        "input_shape": (512, 512, 3),
    },
}


@functools.cache
def load(path):
    if path.name == IMAGENET:
        model = build_classifier()
    else:
        model = build_model(align_corners=True, **NETWORKS[path.name])
    report = load_zoo_weights(model, path)
    assert report.missing == report.skipped == ()
    return model


class Network:
    """A `.tflite` network; with `inner`, its activations can be read."""

    def __init__(self, path, inner=False):
        self.interpreter = Interpreter(
            str(path), num_threads=2, experimental_preserve_all_tensors=inner
        )
        self.interpreter.allocate_tensors()
        details = {d["index"]: d for d in self.interpreter.get_tensor_details()}
        (source,) = self.interpreter.get_input_details()
        self.activations = {"preprocess": source}
        for op in self.interpreter._get_ops_details():
            for i in op["outputs"]:
                # An operation may rescale what it passes on: keep the first.
                self.activations.setdefault(our_layer(details[i]), details[i])

    def __call__(self, image):
        (result,) = self.interpreter.get_output_details()
        index = self.activations["preprocess"]["index"]
        self.interpreter.set_tensor(index, image[None])
        self.interpreter.invoke()
        return self.interpreter.get_tensor(result["index"])[0]

    def inner(self, layer):
        """The real values of a layer of ours, and its quantisation step."""
        details = self.activations[layer]
        scale, zero = details["quantization"]
        values = self.interpreter.get_tensor(details["index"])
        return (values.astype(np.float64) - zero) * scale, scale


def our_layer(details):
    """The layer of ours that gives what a tensor of the file holds."""
    scope, _, operation = details["name"].split(";")[0].rpartition("/")
    if operation == "AvgPool":
        return "mean" if scope.endswith("Logits") else "image_pooling_mean"
    suffix = {
        **{"Relu": "_relu", "Relu6": "_relu", "add_fold": "_bn"},
        **{"add": "_add", "BiasAdd": "", "FusedBatchNormV3": ""},
    }.get(operation)
    return None if suffix is None else layer_name(scope) + suffix


def crops(photos, count):
    """Square crops of photos in turn: random size and place, 224x224."""
    r = np.random.default_rng(0)
    result = []
    for i in range(count):
        image = Image.open(photos[i % len(photos)]).convert("RGB")
        short = min(image.size)
        side = int(r.integers(short // 2, short + 1))
        x = int(r.integers(0, image.width - side + 1))
        y = int(r.integers(0, image.height - side + 1))
        crop = image.crop((x, y, x + side, y + side))
        result.append(crop.resize((224, 224), Image.BILINEAR))
    return np.stack(result)


def photos(shared, name):
    folder = {"ADE20K": "ade20k_sample/images", "CamVid": "camvid/images/val"}
    found = sorted((shared / "data" / folder[name]).rglob("*.jpg"))
    assert found
    return found


def snr(signal, other):
    """Signal over difference, dB."""
    noise = np.square(np.subtract(signal, other)).sum()
    return 10 * np.log10(np.square(signal).sum() / noise)


@pytest.mark.slow
@pytest.mark.parametrize("name", [IMAGENET, *NETWORKS])
def test_each_layer_is_the_interpreters_but_for_its_rounding(shared, name):
    """Given the interpreter's own inputs, every layer is half a step off."""
    path = shared / "zoo" / name
    model, network = load(path), Network(path, inner=True)
    image = Image.open(photos(shared, "ADE20K")[0]).convert("RGB")
    network(np.asarray(image.resize(model.input_shape[1:3])))
    pixels = tf.constant(network.inner("preprocess")[0], tf.float32)
    values, off = {"preprocess": pixels}, {}
    for layer in model.layers[2:]:
        x = tf.nest.map_structure(
            lambda tensor: values[tensor._keras_history.layer.name],
            layer.input,
        )
        values[layer.name] = layer(x)
        if layer.name in network.activations:
            theirs, step = network.inner(layer.name)
            # Beyond its range the interpreter saturates.
            ours = np.clip(values[layer.name], theirs.min(), theirs.max())
            off[layer.name] = np.abs(ours - theirs).max() / step
            values[layer.name] = tf.constant(theirs, tf.float32)
    # Before these, the file rounds branches again to concatenate them.
    off.pop("concat_projection_relu", None)
    off.pop("decoder_conv0_depthwise_relu", None)
    worst = max(off, key=off.get)
    print(f"\n{name}: {len(off)} layers, worst {worst}: {off[worst]:.4f} steps")
    assert len(off) > 50
    assert off[worst] < 0.65


def compare(shared, name, count):
    """Crops through both networks: (top-1 equal, sure, lead in logits)."""
    path = shared / "zoo" / IMAGENET
    model, network = load(path), Network(path, inner=True)
    images = crops(photos(shared, name), count)
    theirs, features, sure = [], [], []
    for image in images:
        sure.append(network(image).max() / 256 > 0.5)
        theirs.append(network.inner(CLASSIFIER)[0].ravel())
        features.append(network.inner("Conv_1_relu")[0].mean((0, 1, 2)))
    ends = [model.get_layer("mean").output, model.output]
    pooled, logits = keras.Model(model.input, ends).predict(
        images.astype("float32"), batch_size=10, verbose=0
    )
    theirs, sure = np.array(theirs), np.array(sure)
    best = np.sort(theirs, -1)
    lead = best[:, -1] - best[:, -2]
    equal = logits.argmax(-1) == theirs.argmax(-1)
    print(
        f"\n{name}: {count} crops, {equal.sum()} equal; sure {sure.sum()},"
        f" equal {equal[sure].sum()}; lead above 1: {(lead > 1).sum()}, equal"
        f" {equal[lead > 1].sum()}; ties {(lead == 0).sum()}; largest lead of"
        f" an unequal one {lead[~equal].max(initial=0):.2f}; SNR of features"
        f" {snr(features, pooled.reshape(count, -1)):.1f} dB, of logits"
        f" {snr(theirs, logits):.1f} dB"
    )
    return equal, sure, lead


def test_a_few_crops_agree_where_the_interpreter_is_sure(shared):
    equal, sure, _ = compare(shared, "ADE20K", 9)
    assert sure.sum() >= 3
    assert equal[sure].all()


@pytest.mark.slow
def test_top_1_of_a_hundred_crops_of_photos(shared):
    equal, sure, _ = compare(shared, "ADE20K", 100)
    assert equal.mean() >= 0.9
    assert sure.sum() >= 30 and equal[sure].mean() >= 0.97


@pytest.mark.slow
def test_top_1_of_streets_differs_in_near_ties_only(shared):
    """Street scenes are no ImageNet class; the best two are often equal."""
    equal, sure, lead = compare(shared, "CamVid", 100)
    assert equal[sure].all()
    assert equal[lead > 1].mean() >= 0.97
    assert equal.mean() >= 0.75


def segment(shared, name, image):
    """Label maps of both networks at the image's size: (ours, theirs)."""
    path = shared / "zoo" / name
    logits = load(path)(image[None].astype("float32"))
    logits = tf.compat.v1.image.resize_bilinear(
        logits, image.shape[:2], align_corners=True
    )
    return np.argmax(logits[0], -1), Network(path)(image)


def test_cityscapes_photo_is_segmented_as_by_the_interpreter(shared):
    zoo = shared / "zoo"
    image = Image.open(zoo / "cityscapes_segmentation.bmp").convert("RGB")
    mask = np.asarray(Image.open(zoo / "cityscapes_segmentation_mask.bmp"))
    ours, theirs = segment(shared, CITYSCAPES, np.asarray(image))
    mious = []
    for labels in (ours, theirs):
        present = np.unique(mask)
        ious = [
            ((labels == c) & (mask == c)).sum()
            / ((labels == c) | (mask == c)).sum()
            for c in present
        ]
        mious.append(np.mean(ious))
    agreement = (ours == theirs).mean()
    print(
        f"\n{CITYSCAPES}: agreement {agreement:.4f}, mIoU of the mask's"
        f" {len(present)} classes: ours {mious[0]:.4f}, interpreter"
        f" {mious[1]:.4f}"
    )
    assert agreement >= 0.97
    assert mious[0] > mious[1] - 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [(PASCAL, 0.97), (ADE20K, 0.9)])
def test_photos_are_segmented_as_by_the_interpreter(shared, name, least):
    agreement = []
    for path in photos(shared, "ADE20K"):
        size = load(shared / "zoo" / name).input_shape[1:3]
        image = Image.open(path).convert("RGB").resize(size)
        ours, theirs = segment(shared, name, np.asarray(image))
        agreement.append((ours == theirs).mean())
    print(f"\n{name}: agreement {np.round(agreement, 4)}")
    assert np.mean(agreement) >= least


def first_step(model, batch, training):
    """Features before the dropout, and their labels.

    With training=True as training would see them in its first step.
    """
    features = model.get_layer("concat_projection_relu").output
    weights = model.get_weights()
    x = keras.Model(model.input, features)(batch, training=training)
    # Training moves the statistics.
    model.set_weights(weights)
    labels = np.argmax(model.get_layer("logits")(x), -1)
    return x.numpy(), labels


@pytest.mark.slow
def test_training_on_streets_starts_as_inference_after_recalibration(shared):
    keras.utils.set_random_seed(0)
    options = NETWORKS[CITYSCAPES] | {"input_shape": (257, 257, 3)}
    model = build_model(align_corners=True, **options)
    load_zoo_weights(model, shared / "zoo" / CITYSCAPES)
    folder = shared / "data/camvid/images"
    sets = {
        "the same": sorted((folder / "train").glob("*.jpg"))[::24],
        "other": sorted((folder / "val").glob("*.jpg"))[::13],
    }
    batches = {
        name: np.stack(
            [
                np.asarray(Image.open(path).convert("RGB"))[51:308, 111:368]
                for path in paths
            ]
        ).astype("float32")
        for name, paths in sets.items()
    }
    inference = {
        name: first_step(model, batch, False) for name, batch in batches.items()
    }
    results = {}
    for state in ("before", "after"):
        for name, batch in batches.items():
            features, labels = first_step(model, batch, True)
            expected, expected_labels = inference[name]
            results[state, name] = (labels == expected_labels).mean()
            print(
                f"\n{state}, {name} {len(batch)} photos: SNR of features"
                f" {snr(expected, features):.1f} dB, labels equal"
                f" {results[state, name]:.4f}"
            )
        if state == "before":
            recalibrate_batch_norm(model, batches["the same"])
    for name, batch in batches.items():
        features, labels = first_step(model, batch, False)
        expected, expected_labels = inference[name]
        kept = (labels == expected_labels).mean()
        print(
            f"\ninference kept, {name} photos: SNR"
            f" {snr(expected, features):.0f} dB, labels equal {kept:.4f}"
        )
        assert kept > 0.999
    assert results["before", "the same"] < 0.9
    assert results["after", "the same"] > 0.999
    assert results["after", "other"] > results["before", "other"] + 0.05
