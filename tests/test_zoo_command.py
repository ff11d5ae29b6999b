import os
import subprocess
import sys

import numpy as np
from conftest import ROOT
from tf1_reference import write_checkpoint


def run(*words, cache="/nonexistent"):
    return subprocess.run(
        [sys.executable, "-m", "deepgbass.zoo", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
    )


def test_the_catalogue_is_a_table_of_whole_names():
    output = run().stdout
    assert "edgetpu_deeplab_slim_cityscapes" in output
    assert "Apache-2.0" in output and "cannot" in output


def test_inspect_says_what_a_file_holds(tmp_path):
    values = {
        "MobilenetV2/Conv/weights": np.ones((3, 3, 3, 8), "f4"),
        "logits/semantic/weights": np.ones((1, 1, 8, 21), "f4"),
        "global_step": np.int64(5),
    }
    prefix = write_checkpoint(tmp_path / "model.ckpt", values)
    result = run("inspect", str(prefix))
    assert result.returncode == 0
    for said in ("TF1 checkpoint", 'backbone="mobilenet_v2"', "21 classes"):
        assert said in result.stdout
    assert "training state: 1 variables" in result.stdout


def test_mistakes_are_one_line(tmp_path):
    for words, said in [
        (("inspect", str(tmp_path / "absent")), "there is no such file"),
        (("fetch", "resnet"), "not in the catalogue"),
    ]:
        result = run(*words)
        assert result.returncode == 1
        assert result.stderr.startswith("error: ") and said in result.stderr
        assert result.stderr.count("\n") == 1
    assert "inspect PATH" in run("describe", "x").stderr
