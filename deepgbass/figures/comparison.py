"""Fig. 5: input, truth and what each network makes of an image."""

import dataclasses

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from deepgbass.data.dataset_info import IGNORE_LABEL
from deepgbass.files import atomic_path
from deepgbass.reports.boundary_pictures import BOUNDARY_COLORS, boundary_errors
from deepgbass.reports.visualize import IGNORED, colorize

# Inches of a column, and pixels an inch.
_COLUMN, _DPI = 2.0, 130
_FRAME = "#ffe600"
_ERRORS = ("found", "missed", "false", "wrong class")
_LEGEND = {
    "frameon": False,
    "fontsize": 10,
    "title_fontsize": 10,
    "handlelength": 1,
    "handleheight": 1,
    "columnspacing": 1.2,
}


@dataclasses.dataclass(frozen=True)
class Scene:
    """An image, its truth, and what networks make of it.

    Attributes:
        image: uint8 `(height, width, 3)`.
        label: integers `(height, width)`.
        predictions: dict of network -> integers `(height, width)`.
        window: (top, left, height, width) that is shown larger.
    """

    image: np.ndarray
    label: np.ndarray
    predictions: dict
    window: tuple[int, int, int, int]


def save_comparison(path, scenes, info):
    """Draws scenes, three rows each: whole, boundary errors, window.

    Args:
        path: of the PNG.
        scenes: list of `Scene` of the same networks and size.
        info: `DatasetInfo`.
    """
    names = ["input", "truth", *scenes[0].predictions]
    height, width = scenes[0].label.shape
    row = _COLUMN * height / width
    figure = Figure(
        figsize=(_COLUMN * len(names), 3 * row * len(scenes) + 0.75),
        layout="constrained",
    )
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    axes = figure.subplots(3 * len(scenes), len(names), squeeze=False)
    for letter, name, top in zip("abcdefghij", names, axes[0], strict=False):
        top.set_title(f"({letter}) {name}", fontsize=10)
    for number, scene in enumerate(scenes):
        _draw_scene(axes[3 * number : 3 * number + 3], scene, info.colors)
    classes = dict(zip(info.class_names, info.colors, strict=True))
    if any((scene.label == IGNORE_LABEL).any() for scene in scenes):
        classes["ignored"] = IGNORED
    figure.legend(
        handles=_patches(classes),
        loc="outside lower center",
        ncols=min(len(classes), 2 * len(names)),
        **_LEGEND,
    )
    with atomic_path(path) as temporary:
        figure.savefig(
            temporary, format="png", dpi=_DPI, metadata={"Software": None}
        )


def _draw_scene(axes, scene, colors):
    top, left, height, width = scene.window
    whole = [scene.image, colorize(scene.label, colors)]
    # A perfect prediction beside those of the networks.
    errors = [None, boundary_errors(scene.label, scene.label, scene.image)]
    for prediction in scene.predictions.values():
        whole.append(colorize(prediction, colors))
        errors.append(boundary_errors(scene.label, prediction, scene.image))
    for column, (picture, wrong) in enumerate(zip(whole, errors, strict=True)):
        window = picture[top : top + height, left : left + width]
        for ax, shown in zip(
            axes[:, column], (picture, wrong, window), strict=True
        ):
            ax.set_axis_off()
            if shown is None:
                continue
            smooth = "auto" if ax is not axes[2, column] else "nearest"
            ax.imshow(shown, interpolation=smooth)
            if shown is not window:
                ax.add_patch(
                    Rectangle(
                        (left - 0.5, top - 0.5),
                        width,
                        height,
                        fill=False,
                        edgecolor=_FRAME,
                        linewidth=1.2,
                    )
                )
    axes[1, 0].legend(
        handles=_patches({name: BOUNDARY_COLORS[name] for name in _ERRORS}),
        loc="center",
        title="boundaries",
        **_LEGEND,
    )


def _patches(colors):
    return [
        Patch(
            facecolor=np.asarray(color) / 255,
            edgecolor="#666666",
            linewidth=0.5,
            label=name,
        )
        for name, color in colors.items()
    ]
