"""The demo as it is started, without TensorFlow, and ended."""

import http.client
import os
import queue
import re
import signal
import subprocess
import sys

import pytest
from absl import app
from conftest import ROOT, defined_flags
from edgetpu_stand_in import write_model

from deepgbass.demo import __main__ as command
from deepgbass.errors import UserError

# None of these may be needed on a device. A shell that starts the tests in
# the background may have them ignore Ctrl-C.
_START = """
import runpy, signal, sys
for name in ("tensorflow", "tf_keras", "keras", "scipy", "matplotlib"):
    sys.modules[name] = None
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("deepgbass.demo", run_name="__main__", alter_sys=True)
"""


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-c", _START, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_two_models_are_served_until_ctrl_c(tmp_path):
    paths = [tmp_path / "one.tflite", tmp_path / "two.tflite"]
    for path in paths:
        write_model(path)
    # This one is found within the model, and the page says so.
    paths[1].with_suffix(".json").write_text("{}")
    with start(*paths) as process:
        try:
            lines = [process.stdout.readline() for _ in range(2)]
            assert "two.json does not describe" in lines[0]
            port = int(re.search(r"http://127.0.0.1:(\d+)/", lines[1])[1])
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/models")
            text = connection.getresponse().read().decode()
            connection.close()
            assert "one.tflite" in text and "two.json does not" in text
            process.send_signal(signal.SIGINT)
            _, printed = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in printed and "Error" not in printed


@pytest.mark.parametrize("count", [0, 3])
def test_one_model_or_two(count):
    with (
        defined_flags(command),
        pytest.raises(app.UsageError, match="MODEL.tflite"),
    ):
        command.main(["demo", *["m.tflite"] * count])


def test_what_is_no_model_is_refused(tmp_path):
    path = tmp_path / "text.tflite"
    path.write_text("no model")
    for name in (path, tmp_path / "none.tflite"):
        with (
            defined_flags(command),
            pytest.raises(UserError, match=re.escape(str(name))),
        ):
            command.main(["demo", str(name)])
    with (
        defined_flags(command, device="tpu"),
        pytest.raises(UserError, match="--device=tpu"),
    ):
        command.main(["demo", str(path)])


def test_the_browser_is_opened_on_demand(tmp_path, monkeypatch, capsys):
    write_model(tmp_path / "toy.tflite")
    opened = queue.Queue()

    def serve_and_stop(server):
        raise KeyboardInterrupt

    monkeypatch.setattr(command.webbrowser, "open", opened.put)
    monkeypatch.setattr(command.DemoServer, "serve_forever", serve_and_stop)
    for wanted in (False, True):
        with defined_flags(command, open_browser=wanted):
            command.main(["demo", str(tmp_path / "toy.tflite")])
        url = re.search("http://[^ ]+", capsys.readouterr().out)[0]
    assert opened.get(timeout=10) == url
    assert opened.empty()


def test_the_page_is_part_of_the_package():
    listed = (ROOT / "setup.py").read_text()
    folder = ROOT / "deepgbass" / "demo"
    for path in folder.glob("page.*"):
        assert f'"demo/*{path.suffix}"' in listed
