import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tiny import tiny_config, write_tiny

from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError
from deepgbass.inspect_loss import class_id, image_numbers
from deepgbass.letterbox import fit_label


def test_label_lies_where_its_image_does():
    label = np.arange(12).reshape(3, 4)
    fitted = fit_label(label, (5, 6), (3, 4))
    np.testing.assert_array_equal(fitted[:3, :4], label)
    assert (fitted[3:] == 255).all() and (fitted[:, 4:] == 255).all()
    twice = fit_label(label, (6, 8), (6, 8))
    np.testing.assert_array_equal(twice, label.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("word", ["x", "-1", "5", "1.0", ""])
def test_images_out_of_range_are_named(word):
    with pytest.raises(UserError, match="^--images: .* 0 to 4"):
        image_numbers(["0", word], 5)
    assert image_numbers(["4", "0"], 5) == [4, 0]


def test_unknown_class_is_named():
    info = DatasetInfo("x", ("road", "sky"))
    assert class_id("sky", info) == 1
    assert class_id(None, info) is None
    with pytest.raises(UserError, match="^--class=car .*road, sky"):
        class_id("car", info)


@pytest.mark.slow
def test_command_draws_a_run(tmp_path):
    from deepgbass.experiment import claim_workdir, make_model
    from deepgbass.training.checkpoints import Checkpoints

    data = write_tiny(tmp_path / "data")
    config = tiny_config(steps=2)
    info = DatasetInfo.load(data)
    claim_workdir(config, info, tmp_path / "run")
    model = make_model(config.model, info.num_classes, config.data.crop_size)
    Checkpoints(tmp_path / "run", config).save(2, {"model": model})
    command = [
        *(sys.executable, "-m", "deepgbass.inspect_loss", "--images=1,0"),
        *(f"--workdir={tmp_path}/run", f"--data_dir={data}"),
        *(f"--output_dir={tmp_path}/out", "--tensorboard"),
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["val_00000_sbal.png", "val_00001_sbal.png"]
    picture = Image.open(tmp_path / "out" / names[0])
    assert np.asarray(picture).std() > 10
    logs = list((tmp_path / "run/tensorboard").glob("events*"))
    assert b"sbal_1/truth" in b"".join(path.read_bytes() for path in logs)
