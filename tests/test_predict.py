"""The command that segments images and videos, called in this process."""

import numpy as np
import pytest
from absl import app
from edgetpu_stand_in import SIZE, build_library, write_model, write_pair
from PIL import Image
from predict_command import (
    INFO,
    PICTURE,
    expect_refusal,
    files,
    read,
    run,
    save,
)

from deepgbass import predict, segmentation_results
from deepgbass.errors import UserError
from deepgbass.ondevice.predictor import open_predictor
from deepgbass.reports.visualize import draw_borders, overlay, side_by_side

ROTATED = 6  # EXIF: turn by 90 degrees clockwise to see it upright.


@pytest.fixture
def model(tmp_path):
    """A model whose logits are the image."""
    write_model(tmp_path / "models" / "toy.tflite")
    return tmp_path / "models" / "toy.tflite"


@pytest.fixture
def no_model(tmp_path):
    """Names a model that is not there: what is refused before it is read."""
    return tmp_path / "absent.tflite"


def test_the_overlay_is_the_prediction_over_the_image(tmp_path, model, capsys):
    image = save(tmp_path / "Straße 1.png")
    run(model, tmp_path / "new" / "out", image)
    assert files(tmp_path / "new") == ["out/Straße 1_overlay.png"]
    label = open_predictor(model)(PICTURE)
    assert set(np.unique(label)) == {0, 1, 2}
    np.testing.assert_array_equal(
        read(tmp_path / "new" / "out" / "Straße 1_overlay.png"),
        overlay(PICTURE, label, INFO.colors),
    )
    assert "out: 1 segmented, " in capsys.readouterr().out


def test_a_work_directory_predicts_too(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    from deepgbass import predictors

    class Keras:
        info = INFO

        def __call__(self, image):
            return image.argmax(-1).astype(np.int32)

    (tmp_path / "run").mkdir()
    opened = []
    monkeypatch.setattr(
        predictors,
        "load_predictor",
        lambda path: opened.append(path) or Keras(),
    )
    image, out = save(tmp_path / "a.png"), tmp_path / "out"
    run(tmp_path / "run", out, image, labels="train_ids")
    assert opened == [tmp_path / "run"]
    np.testing.assert_array_equal(
        read(out / "a_labels.png"), PICTURE.argmax(-1)
    )


def test_views_and_labels(tmp_path, model, monkeypatch):
    image = save(tmp_path / "a.png")
    label = open_predictor(model)(PICTURE)
    drawn = draw_borders(overlay(PICTURE, label, INFO.colors), label)
    run(model, tmp_path / "1", image, boundaries=True, labels="train_ids")
    assert files(tmp_path / "1") == ["a_labels.png", "a_overlay.png"]
    np.testing.assert_array_equal(read(tmp_path / "1/a_overlay.png"), drawn)
    np.testing.assert_array_equal(read(tmp_path / "1/a_labels.png"), label)
    assert read(tmp_path / "1/a_labels.png").dtype == np.uint8

    own = np.array([7, 8, 33], np.uint8)
    monkeypatch.setattr(segmentation_results, "original_ids", lambda info: own)
    run(
        model,
        tmp_path / "2",
        image,
        view="side_by_side",
        boundaries=True,
        labels="dataset_ids",
    )
    assert files(tmp_path / "2") == ["a_labels.png", "a_side_by_side.png"]
    np.testing.assert_array_equal(
        read(tmp_path / "2/a_side_by_side.png"), side_by_side(PICTURE, drawn)
    )
    np.testing.assert_array_equal(read(tmp_path / "2/a_labels.png"), own[label])


@pytest.mark.parametrize("size", [SIZE, (4, 6), (90, 20), (1, 1)])
def test_images_of_any_size_give_results_of_theirs(tmp_path, model, size):
    image = save(tmp_path / "a.png", np.full((*size, 3), 9, np.uint8))
    run(model, tmp_path / "out", image, labels="train_ids")
    for path in (tmp_path / "out").iterdir():
        assert read(path).shape[:2] == size


def test_a_rotated_photo_is_segmented_upright(tmp_path, model):
    exif = Image.Exif()
    exif[0x0112] = ROTATED
    turned = np.rot90(PICTURE, -1)
    save(tmp_path / "photo.png", exif=exif)
    save(tmp_path / "upright.png", turned)
    out = tmp_path / "out"
    run(model, out, tmp_path / "photo.png", tmp_path / "upright.png")
    photo = read(out / "photo_overlay.png")
    assert photo.shape == turned.shape
    np.testing.assert_array_equal(photo, read(out / "upright_overlay.png"))


def test_a_folder_comes_again_with_its_folders(tmp_path, model):
    for name in ("a.png", "sub/a.png", "sub/deep/b.JPG", ".hidden/c.png"):
        save(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").touch()
    run(model, tmp_path / "out", tmp_path / "in")
    wanted = ["a_overlay.png", "sub/a_overlay.png", "sub/deep/b_overlay.png"]
    assert files(tmp_path / "out") == wanted


@pytest.mark.parametrize("below", ["", "out"])
def test_results_within_a_folder_are_not_segmented(tmp_path, model, below):
    source = tmp_path / "in"
    save(source / "a.png")
    for _ in range(2):
        values = {"labels": "train_ids", "overwrite": True}
        run(model, source / below, source, **values)
    made = {path.name for path in (source / below).glob("*_*")}
    assert made == {"a_labels.png", "a_overlay.png"}
    assert len(files(source)) == 3


def test_broken_images_in_a_folder_do_not_stop_the_others(
    tmp_path, model, capsys
):
    save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_text("not an image")
    torn = save(tmp_path / "in" / "c.png")
    torn.write_bytes(torn.read_bytes()[:100])
    save(tmp_path / "in" / "d.png")
    expect_refusal(
        r"2 failed, as listed: .*b\.png is not a readable image",
        model,
        tmp_path / "out",
        tmp_path / "in",
    )
    assert files(tmp_path / "out") == ["a_overlay.png", "d_overlay.png"]
    output = capsys.readouterr().out
    assert "out: 2 segmented, " in output
    assert "b.png is not a r" in output and "c.png is not a r" in output


def test_an_empty_folder_is_refused(tmp_path, no_model):
    (tmp_path / "in").mkdir()
    expect_refusal(
        "in holds no image", no_model, tmp_path / "out", tmp_path / "in"
    )
    assert not (tmp_path / "out").exists()


def test_an_existing_result_is_replaced_only_when_asked(tmp_path, model):
    images = [save(tmp_path / "a.png"), save(tmp_path / "b.png")]
    old = tmp_path / "out" / "b_labels.png"
    old.parent.mkdir()
    old.write_bytes(b"mine")
    values = {"labels": "train_ids"}
    expect_refusal(
        "b_labels.png exists; --overwrite", model, old.parent, *images, **values
    )
    assert files(old.parent) == ["b_labels.png"]
    assert old.read_bytes() == b"mine"
    run(model, old.parent, *images, overwrite=True, **values)
    assert read(old).shape == PICTURE.shape[:2]
    assert len(files(old.parent)) == 4


def test_images_are_read_one_at_a_time(tmp_path, model, monkeypatch):
    images = [save(tmp_path / f"{name}.png") for name in "abc"]
    present = []
    load_image = predict.load_image

    def spy(path):
        present.append(len(files(tmp_path / "out")))
        return load_image(path)

    monkeypatch.setattr(predict, "load_image", spy)
    run(model, tmp_path / "out", *images)
    assert present == [0, 1, 2]


@pytest.mark.parametrize(
    "error", [UserError("the device is gone"), KeyboardInterrupt()]
)
def test_what_is_done_is_kept_when_the_device_fails(
    tmp_path, model, monkeypatch, error
):
    images = [save(tmp_path / f"{name}.png") for name in "abc"]

    class Failing:
        info, calls = INFO, 0

        def __call__(self, image):
            self.calls += 1
            if self.calls == 3:
                raise error
            return np.zeros(image.shape[:2], np.uint8)

    monkeypatch.setattr(predict, "_load", lambda path: Failing())
    reason = str(error) or "interrupted"
    expect_refusal(
        rf"^{reason} \(2 were segmented before, in ",
        model,
        tmp_path / "out",
        *images,
    )
    assert files(tmp_path / "out") == ["a_overlay.png", "b_overlay.png"]


def test_what_is_done_is_kept_when_the_library_aborts(tmp_path, monkeypatch):
    images = [save(tmp_path / f"{name}.png") for name in "abc"]
    library = str(build_library(tmp_path))
    monkeypatch.setenv("STAND_IN", "abort:3")
    expect_refusal(
        r"SIGABRT during an inference: F driver.*\(2 were segmented before",
        write_pair(tmp_path),
        tmp_path / "out",
        *images,
        library=library,
    )
    assert files(tmp_path / "out") == ["a_overlay.png", "b_overlay.png"]


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
    large = save(tmp_path / "large.png", np.zeros((99, 99, 3), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    refused("large.png is not a readable image: .*exceeds limit", large)


@pytest.mark.parametrize("below", ["", "out"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path, no_model, below):
    image = save(tmp_path / "a.png")
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / below
    expect_refusal(
        f"--output_dir={folder} cannot be written", no_model, folder, image
    )


def test_something_to_segment_must_be_named(tmp_path, no_model):
    with pytest.raises(app.UsageError, match="name the images, folders or"):
        run(no_model, tmp_path / "out")


def test_wrong_models_are_explained(tmp_path, no_model):
    image = save(tmp_path / "a.png")
    expect_refusal("neither a .tflite", no_model, tmp_path / "out", image)
    no_model.write_bytes(b"TFL3 or not")
    expect_refusal(r"absent\.tflite", no_model, tmp_path / "out", image)
    bare = tmp_path / "bare.tflite"
    content = write_model(tmp_path / "whole.tflite")
    # What is behind the description that lies in front.
    bare.write_bytes(content[content.rindex(b"TFL3") - 4 :])
    expect_refusal(r"has no bare\.json", bare, tmp_path / "out", image)


def test_a_compiled_model_runs_on_the_edge_tpu(tmp_path, model):
    library = build_library(tmp_path)
    compiled = write_pair(tmp_path)
    image = save(tmp_path / "a.png")
    run(compiled, tmp_path / "1", image, library=str(library), device="usb")
    run(model, tmp_path / "2", image)
    np.testing.assert_array_equal(
        read(tmp_path / "1/a_overlay.png"), read(tmp_path / "2/a_overlay.png")
    )
    expect_refusal(
        "nowhere.so", compiled, tmp_path / "3", image, library="nowhere.so"
    )
