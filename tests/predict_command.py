"""What tests of the command `predict` share; its model is a toy."""

import numpy as np
import pytest
from conftest import defined_flags
from edgetpu_stand_in import NAMES
from PIL import Image

from deepgbass import predict
from deepgbass.data.dataset_info import DatasetInfo
from deepgbass.errors import UserError

INFO = DatasetInfo("toy", NAMES)


def picture(seed=0, size=(20, 35)):
    """Blocks of colours: the toy model takes the strongest channel."""
    few = [n // 5 for n in size]
    blocks = np.random.default_rng(seed).integers(0, 256, (*few, 3), np.uint8)
    return blocks.repeat(5, axis=0).repeat(5, axis=1)


PICTURE = picture()


def run(model, output_dir, *words, **values):
    values |= {"model": str(model), "output_dir": str(output_dir)}
    with defined_flags(predict, **values):
        predict.main(["predict", *map(str, words)])


def save(path, array=PICTURE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def read(path):
    return np.asarray(Image.open(path))


def files(folder):
    """Names of all files below a folder."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file()
    )


def expect_refusal(message, model, output_dir, *words, **values):
    with pytest.raises(UserError, match=message) as error:
        run(model, output_dir, *words, **values)
    assert "\n" not in str(error.value)
