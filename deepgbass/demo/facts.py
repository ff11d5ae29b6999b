"""What a model says about itself, as the page tells it."""

from deepgbass.demo.segmenting import PHASES
from deepgbass.metrics.labels import METRIC_LABELS
from deepgbass.ondevice.results import short_names


def page_facts(models, runtime, notes=()):
    """Everything that the page shows before there is an image.

    Args:
        models: list of `OnDeviceModel`.
        runtime: what runs them, e.g. "ai-edge-litert 2.3.0".
        notes: warnings about the files, one line each.

    Returns:
        dict for JSON: `phases`, `notes`, and `models`: for each its `name`,
        `classes` (list of name and colour), `facts` (list of pairs of text),
        `metrics` (head and rows of a table, of text) and `description`.
    """
    names = short_names([model.path for model in models])
    return {
        "phases": list(PHASES),
        "notes": list(notes),
        "models": [
            {
                "name": name,
                "classes": _classes(model.description.dataset),
                "facts": _facts(model, runtime),
                "metrics": _metrics(model.description.values),
                "description": model.description.values,
            }
            for name, model in zip(names, models, strict=True)
        ],
    }


def _classes(info):
    return [
        {"name": name, "color": list(color)}
        for name, color in zip(info.class_names, info.colors, strict=True)
    ]


def _facts(model, runtime):
    described, accelerator = model.description, model.accelerator
    values, info = described.values, described.dataset
    source, result = values["input"], values["output"]
    device = "the CPU"
    if accelerator is not None:
        device = f"an Edge TPU ({accelerator.version or accelerator.library})"
    shape = _size(described.output_size)
    facts = [
        ("model", _line(values.get("name"), values.get("quantization"))),
        ("file", f"{model.path}, {model.path.stat().st_size / 1e6:.2f} MB"),
        ("runs on", f"{device}, {runtime}"),
        ("data set", f"{info.name}, {info.num_classes} classes"),
        ("protocol", info.protocol or "none named"),
        ("input", f"{_size(described.size)} RGB, {_type(model.input_dtype)}"),
        ("other sizes", source.get("fit")),
        ("output", f"{described.output} {shape}, {_type(model.output_dtype)}"),
        ("to the image's size", result.get("resize")),
        ("network", _network(_dict(values, "config"))),
        ("trained", _steps(values.get("step"))),
        ("compiled", _line_of(_dict(values, "compiled"))),
        ("made with", _line_of(_dict(values, "versions"))),
    ]
    # The key is only as good as who wrote the file: what is no text is left
    # to the whole description.
    return [[key, text] for key, text in facts if text and type(text) is str]


def _metrics(values):
    """Head and rows of a table: a form of the network a column."""
    forms = {
        form: found
        for form, found in _dict(values, "metrics").items()
        if isinstance(found, dict)
    }
    known = [
        key
        for key in METRIC_LABELS
        if any(_is_number(found.get(key)) for found in forms.values())
    ]
    if not known:
        return {"head": [], "rows": []}
    found = forms.values()
    rows = [
        [METRIC_LABELS[key], *(_share(one.get(key)) for one in found)]
        for key in known
    ]
    conditions = ["measured on", *map(_conditions, found)]
    return {"head": ["metric", *forms], "rows": [*rows, conditions]}


def _share(value):
    return f"{100 * value:.2f} %" if _is_number(value) else ""


def _conditions(found):
    images = found.get("images")
    return _line(
        found.get("dataset"),
        found.get("split"),
        f"{images} images" if images else None,
        found.get("tolerance"),
        found.get("mbf_rule"),
    )


def _network(config):
    model, loss = _dict(config, "model"), _dict(config, "loss")
    parts = {
        "backbone": model.get("backbone"),
        "width": model.get("depth_multiplier"),
        "decoder": model.get("decoder"),
        "channels": model.get("decoder_channels"),
        "loss": loss.get("name"),
    }
    return _line_of(parts)


def _steps(step):
    return f"{step:,} steps" if type(step) is int else None


def _line(*parts):
    return ", ".join(str(part) for part in parts if part)


def _line_of(values):
    return _line(
        *(
            f"{key} {value}"
            for key, value in values.items()
            if isinstance(value, str | int | float)
        )
    )


def _dict(values, key):
    """An object of the description, empty where there is none."""
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def _is_number(value):
    return type(value) in (int, float)


def _size(size):
    return f"{size[1]} x {size[0]} pixels"


def _type(dtype):
    return getattr(dtype, "__name__", str(dtype))
