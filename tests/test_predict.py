"""The command that segments images, called in this process."""

import json

import numpy as np
import pytest
import tensorflow as tf
from absl import app
from conftest import defined_flags
from PIL import Image
from tiny import SIZE, tiny_config

from deepgbass import predict
from deepgbass.data.synthetic import SYNTHETIC
from deepgbass.errors import UserError
from deepgbass.experiment import checkpoint_dir, claim_workdir, make_model
from deepgbass.export.tflite import convert
from deepgbass.predictors import load_predictor
from deepgbass.visualize import overlay

# One that a colour overlay cannot leave as it is, and not upright.
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 70, 3), np.uint8)
ROTATED = 6  # EXIF: turn by 90 degrees clockwise to see it upright.


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """An untrained network as a work directory and as a TFLite file."""
    folder = tmp_path_factory.mktemp("models")
    config, workdir = tiny_config(), folder / "run"
    model = make_model(config.model, SYNTHETIC.num_classes, SIZE, batch_size=1)
    claim_workdir(config, SYNTHETIC, workdir)
    checkpoint = tf.train.Checkpoint(
        model=model, step=tf.Variable(1, dtype=tf.int64)
    )
    tf.train.CheckpointManager(
        checkpoint, checkpoint_dir(workdir), max_to_keep=1
    ).save()
    tflite = folder / "model_float.tflite"
    tflite.write_bytes(convert(model))
    sidecar = {"dataset": json.loads(SYNTHETIC.to_json())}
    tflite.with_suffix(".json").write_text(json.dumps(sidecar))
    return {"workdir": workdir, "tflite": tflite}


def run(model, output_dir, *images, overwrite=False):
    values = {"model": str(model), "output_dir": str(output_dir)}
    with defined_flags(predict, overwrite=overwrite, **values):
        predict.main(["predict", *map(str, images)])


def save(path, array=PICTURE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def rotated():
    exif = Image.Exif()
    exif[0x0112] = ROTATED
    return exif


def read(path):
    return np.asarray(Image.open(path))


def expect_refusal(message, model, output_dir, *images, **options):
    with pytest.raises(UserError, match=message) as error:
        run(model, output_dir, *images, **options)
    assert "\n" not in str(error.value)


@pytest.fixture
def no_model(tmp_path):
    """Names a model that is not there: what is refused before it is read."""
    return tmp_path / "absent.tflite"


@pytest.mark.parametrize("kind", ["workdir", "tflite"])
def test_the_overlay_is_the_prediction_over_the_image(tmp_path, models, kind):
    image = save(tmp_path / "Straße 1.png")
    run(models[kind], tmp_path / "new" / "out", image)
    (written,) = (tmp_path / "new" / "out").iterdir()
    assert written.name == "Straße 1_overlay.png"
    found = read(written)
    assert found.shape == PICTURE.shape and (found != PICTURE).any()
    label = load_predictor(models[kind])(PICTURE)
    expected = overlay(PICTURE, label, SYNTHETIC.colors)
    np.testing.assert_array_equal(found, expected)


def test_a_rotated_photo_is_segmented_upright(tmp_path, models):
    turned = np.rot90(PICTURE, -1)
    images = [
        save(tmp_path / "photo.png", exif=rotated()),
        save(tmp_path / "upright.png", turned),
    ]
    np.testing.assert_array_equal(predict.load_image(images[0]), turned)
    run(models["tflite"], tmp_path / "out", *images)
    photo, upright = (
        read(predict.overlay_path(image, tmp_path / "out")) for image in images
    )
    assert photo.shape == turned.shape
    np.testing.assert_array_equal(photo, upright)


def test_an_existing_overlay_is_replaced_only_when_asked(tmp_path, models):
    images = [save(tmp_path / "a.png"), save(tmp_path / "b.png")]
    old = tmp_path / "out" / "b_overlay.png"
    old.parent.mkdir()
    old.write_bytes(b"mine")
    expect_refusal(
        "b_overlay.png exists; --overwrite",
        models["tflite"],
        old.parent,
        *images,
    )
    assert list(old.parent.iterdir()) == [old]
    assert old.read_bytes() == b"mine"
    run(models["tflite"], old.parent, *images, overwrite=True)
    assert read(old).shape == PICTURE.shape
    assert len(list(old.parent.iterdir())) == 2


def test_images_are_read_one_at_a_time(tmp_path, models, monkeypatch):
    images = [save(tmp_path / f"{name}.png") for name in "abc"]
    present = []
    load_image = predict.load_image

    def spy(path):
        present.append(len(list((tmp_path / "out").iterdir())))
        return load_image(path)

    monkeypatch.setattr(predict, "load_image", spy)
    run(models["tflite"], tmp_path / "out", *images)
    assert present == [0, 1, 2]


def test_images_of_the_same_name_are_refused(tmp_path, no_model):
    images = [save(tmp_path / "1" / "a.png"), save(tmp_path / "2" / "a.jpg")]
    expect_refusal("a_overlay.png: rename", no_model, tmp_path / "out", *images)
    assert not (tmp_path / "out").exists()


def test_bad_images_are_named_before_the_model_is_read(
    tmp_path, no_model, monkeypatch
):
    good = save(tmp_path / "good.png")
    text = tmp_path / "text.png"
    text.write_text("not an image")

    def refused(message, image):
        expect_refusal(message, no_model, tmp_path / "out", good, image)
        assert not (tmp_path / "out").exists()

    refused("nowhere.png: there is no such file", tmp_path / "nowhere.png")
    refused("text.png is not a readable image", text)
    refused("is not a readable image: .*directory", tmp_path)
    large = save(tmp_path / "large.png", np.zeros((99, 99, 3), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    refused("large.png is not a readable image: .*exceeds limit", large)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_an_image_that_ends_early_is_named(tmp_path, kind):
    path = save(tmp_path / "torn", format=kind)
    content = path.read_bytes()
    for size in (len(content) // 2, len(content) // 10):
        path.write_bytes(content[:size])
        with pytest.raises(UserError, match="torn is not a readable image"):
            predict.load_image(path)


@pytest.mark.parametrize("below", ["", "out"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path, no_model, below):
    image = save(tmp_path / "a.png")
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / below
    expect_refusal(
        f"--output_dir={folder} cannot be written", no_model, folder, image
    )


def test_images_must_be_named(tmp_path, no_model):
    with pytest.raises(app.UsageError, match="name the images"):
        run(no_model, tmp_path / "out")
