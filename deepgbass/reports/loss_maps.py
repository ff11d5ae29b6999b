"""Pictures of what the boundary losses see and punish (Fig. 4)."""

import numpy as np
from matplotlib import colormaps

from deepgbass.reports.visualize import colorize, overlay

# Dark where there is nothing, so that thin bands show.
_HEAT = colormaps["magma"]


def loss_maps(loss, label, logits, class_id=None):
    """The maps of a boundary loss for one image, over all classes or of one.

    Args:
        loss: `deepgbass.SBALoss`, or one of its parts.
        label: integers `(height, width)`, the truth.
        logits: floats `(h, w, num_classes)`, at the label's size or lower.
        class_id: None for the maximum over the classes, which eq. 2 takes,
            or the class to look at.

    Returns:
        dict of float32 arrays `(height, width)`: `predicted` and `true` (xi
        and xi_hat), `predicted_mask` and
        `true_mask` (M and M_hat, 0 or 1), `weights` (w of eq. 2).
    """
    maps = loss.maps(label[None], logits[None])
    classes = slice(None) if class_id is None else slice(class_id, class_id + 1)
    return {
        name: values[0].numpy()
        if name == "weights"
        else values[0, ..., classes].numpy().max(axis=-1)
        for name, values in maps.items()
    }


def loss_pictures(maps, image, label, prediction, colors, peak=1.0):
    """The maps, and what they come from, as pictures of one size.

    Args:
        maps: of `loss_maps`.
        image: uint8 `(height, width, 3)`.
        label, prediction: integers `(height, width)`; 255 in `label` is
            ignored.
        colors: `(classes, 3)` RGB, 0..255.
        peak: magnitude and weight that are drawn brightest; that beside a
            straight boundary is 0.18 over the loss's normaliser.

    Returns:
        dict of uint8 `(height, width, 3)`, by title. Masks are drawn on the
        dimmed image.
    """
    dimmed = (0.35 * image).astype(np.uint8)
    pictures = {
        "image": image,
        "truth": overlay(image, label, colors),
        "prediction": colorize(prediction, colors),
        "w: weight of a pixel's cross-entropy": heat(maps["weights"], peak),
        "ξ: predicted boundaries": heat(maps["predicted"], peak),
        "ξ̂: true boundaries": heat(maps["true"], peak),
    }
    for title, name, color in (
        ("M: where ξ > T", "predicted_mask", (70, 160, 255)),
        ("M̂: where ξ̂ > T", "true_mask", (38, 194, 112)),
    ):
        pictures[title] = np.where(maps[name][..., None] > 0, color, dimmed)
    return {title: p.astype(np.uint8) for title, p in pictures.items()}


def loss_figure(pictures, title):
    """A Matplotlib figure of titled pictures in rows of four."""
    # Not pyplot, whose figures live until they are closed.
    from matplotlib.figure import Figure

    columns = 4
    rows = -(-len(pictures) // columns)
    height, width = next(iter(pictures.values())).shape[:2]
    panel = 3.6
    size = (panel * columns, (panel * height / width + 0.25) * rows + 0.3)
    figure = Figure(size, layout="compressed", dpi=110)
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, (name, picture) in zip(axes, pictures.items(), strict=False):
        axis.imshow(picture)
        axis.set_title(name, fontsize=9)
    return figure


def heat(values, peak=1.0):
    """Paints floats `(height, width)` from dark, 0, to bright, `peak`.

    Returns:
        uint8 array `(height, width, 3)`.
    """
    return _HEAT(np.clip(values / peak, 0, 1), bytes=True)[..., :3]
