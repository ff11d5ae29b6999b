"""What to install for a part of the package that a plain install leaves out.

A plain install, as on a device, holds neither TensorFlow nor what else only
training, evaluation and export need: that is the extra `train` of setup.py.
"""

TRAINING = frozenset(
    {"matplotlib", "scipy", "tensorboard", "tensorflow", "tf_keras"}
)


def advice(error):
    """What to do about a package that is not there.

    Args:
        error: `ModuleNotFoundError`.

    Returns:
        One line, or None where it is no package of the extra `train`.
    """
    package = (error.name or "").partition(".")[0]
    if package not in TRAINING:
        return None
    return (
        f"this needs {package}, which a plain install leaves out: "
        "pip install 'deepgbass[train]'"
    )
