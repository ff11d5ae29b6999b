"""Lists published networks, fetches one, or says what a file is.

Examples:
  python -m deepgbass.zoo
  python -m deepgbass.zoo fetch edgetpu_deeplab_cityscapes
  python -m deepgbass.zoo --cache_dir=DIR fetch xception65_cityscapes
  python -m deepgbass.zoo inspect model.ckpt

A fetched network lies in ~/.cache/deepgbass (or below $XDG_CACHE_HOME). fetch
prints its path, the network that fits it and how it is loaded.
"""

from absl import app, flags

from deepgbass.commands import cli

_CACHE_DIR = flags.DEFINE_string(
    "cache_dir",
    None,
    "Folder to keep downloads in. Default: ~/.cache/deepgbass.",
)


def _list():
    from rich.table import Table

    from deepgbass.progress import console
    from deepgbass.zoo.catalog import CATALOG

    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    for heading in ("trained on", "published", "loads"):
        table.add_column(heading)
    for entry in CATALOG:
        loads = "cannot" if entry.arguments is None else entry.parts
        table.add_row(entry.name, entry.dataset, entry.published, loads)
    console.print(table)
    licences = ", ".join(sorted({entry.licence for entry in CATALOG}))
    console.print(f"Licence of all: {licences} (tensorflow/models).")


def _fetch(name):
    from deepgbass.zoo.catalog import entry
    from deepgbass.zoo.fetching import fetch

    found = entry(name)
    print(fetch(found, _CACHE_DIR.value))
    if found.arguments is None:
        return print("No network of this package has these layers.")
    words = ", ".join(f"{k}={v!r}" for k, v in found.arguments.items())
    print(f"model = deepgbass.build_model({words})")
    print(f"load_zoo_weights(model, path, parts={found.parts!r})")


def main(argv):
    words = argv[1:]
    if not words:
        return _list()
    if len(words) != 2 or words[0] not in ("fetch", "inspect"):
        raise app.UsageError("write nothing, fetch NAME, or inspect PATH")
    if words[0] == "fetch":
        return _fetch(words[1])
    from deepgbass.zoo.formats import identify

    # Says at once what can be said without TensorFlow.
    identify(words[1])
    cli.import_tensorflow()
    from deepgbass.zoo.inspection import describe

    print(describe(words[1]))


def run():
    cli.run(main, positional="fetch NAME or inspect PATH")


if __name__ == "__main__":
    run()
