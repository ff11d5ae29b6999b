"""A web page on this machine: drop an image, see how models segment it.

Examples:
  python -m deepgbass.demo model_int8.tflite
  python -m deepgbass.demo model_int8.tflite other_int8.tflite --open_browser
  python -m deepgbass.demo model_int8_edgetpu.tflite --device=usb:0 --port=8000

Shows the labels over the image, their boundaries, the times of every stage
and what the model says about itself; two models side by side with the share
of pixels in which they agree. A model that is compiled for the Edge TPU runs
there, any other one on the CPU. Nobody but this machine can open the page, and
no image leaves it. Needs no TensorFlow. Ctrl-C ends it.
"""

import contextlib
import threading
import warnings
import webbrowser

from absl import app, flags

from deepgbass.commands import cli
from deepgbass.demo.facts import page_facts
from deepgbass.demo.segmenting import Demo
from deepgbass.demo.server import DemoServer
from deepgbass.ondevice.delegate import check_device
from deepgbass.ondevice.predictor import open_predictor
from deepgbass.ondevice.runtime import find_runtime


def define_flags():
    """Not at import: tests import this module too."""
    flags.DEFINE_integer(
        "port",
        0,
        "Port of the page. 0: any free one.",
        lower_bound=0,
        upper_bound=65535,
    )
    flags.DEFINE_bool("open_browser", False, "Open the page in a browser.")
    cli.define_edgetpu_flags(__name__)
    flags.DEFINE_integer("threads", 1, "Threads of the CPU.", lower_bound=1)


def main(argv):
    paths, values = argv[1:], flags.FLAGS
    if not 1 <= len(paths) <= 2:
        raise app.UsageError(
            "name the model to show, or two to compare: MODEL.tflite"
        )
    check_device(values.device)
    with warnings.catch_warnings(record=True) as caught:
        models = [
            open_predictor(
                path,
                device=values.device,
                library=values.library,
                threads=values.threads,
            ).model
            for path in paths
        ]
    notes = list(dict.fromkeys(str(warning.message) for warning in caught))
    demo = Demo(models)
    facts = page_facts(models, str(find_runtime()), notes)
    with (
        DemoServer(values.port, facts, demo.segment) as server,
        contextlib.suppress(KeyboardInterrupt),
    ):
        for note in notes:
            print(f"warning: {note}")
        print(f"Open {server.url} in a browser; Ctrl-C ends.", flush=True)
        if values.open_browser:
            # A browser of the terminal would keep the page from being served.
            threading.Thread(
                target=webbrowser.open, args=[server.url], daemon=True
            ).start()
        server.serve_forever()
    demo.close()


def run():
    define_flags()
    cli.run(main, positional="models")


if __name__ == "__main__":
    run()
