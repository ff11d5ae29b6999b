"""What every command shares: strict flags, one-line errors, quiet TensorFlow.

Commands import TensorFlow only after their flags were checked, so that a
mistake is reported at once.
"""

import os
import signal
import sys

from absl import app, flags, logging

from deepgbass.errors import UserError
from deepgbass.extras import advice
from deepgbass.quiet import silent_stderr

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def run(main, positional=None):
    """Runs an absl `main(argv)` the way all deepgbass commands run.

    Unknown flags are refused by absl, which suggests the nearest name.
    Leftover words are refused too, unless `positional` names what they are:
    `--steps 100 --x = False` would otherwise be silently ignored.

    Args:
        main: function of `argv`, as for `absl.app.run`.
        positional: str or None. What words after the flags mean (for the
            error message), e.g. "images". None: there may be none.
    """
    module = sys.modules[main.__module__]
    # absl shows the docstring and flags of `__main__`; a thin script or a
    # console entry point has neither, so lend it those of the command.
    sys.modules["__main__"].__doc__ = module.__doc__
    for flag in flags.FLAGS.get_key_flags_for_module(module.__name__):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)

    def guarded(argv):
        if positional is None and len(argv) > 1:
            raise app.UsageError(
                f"unexpected words {argv[1:]}: flags are written --name=value"
            )
        logging.set_verbosity(logging.ERROR)
        try:
            main(argv)
        except UserError as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            print("stopped by Ctrl-C", file=sys.stderr)
            sys.exit(128 + signal.SIGINT)
        except ModuleNotFoundError as error:
            if (text := advice(error)) is None:
                raise
            sys.exit(f"error: {text}")
        except OSError as error:
            # A full disk, a read-only folder, a file in a folder's place.
            if error.filename is None:
                raise
            sys.exit(f"error: {error.filename}: {error.strerror}")

    app.run(guarded)


def define_edgetpu_flags(module):
    """Defines --device and --library, as flags of a command's module.

    Args:
        module: its `__name__`; --help shows them with its own.
    """
    flags.DEFINE_string(
        "device",
        "",
        "The Edge TPU: usb, pci, usb:0, pci:1, :0. Default: the first found.",
    )
    flags.DEFINE_string(
        "library",
        None,
        "File of the Edge TPU's library. Default: the system's libedgetpu.",
    )
    # absl knows the module that runs by the program's name.
    owner = sys.argv[0] if module == "__main__" else module
    for name in ("device", "library"):
        flags.FLAGS.register_key_flag_for_module(owner, flags.FLAGS[name])


def import_tensorflow(before=None):
    """Imports TensorFlow without its greetings, once flags were checked.

    On a machine without a GPU it reports the missing drivers on stderr, from
    C++ and regardless of its log level, at import and at the first operation.

    Args:
        before: None, or function without arguments that does what must be
            done before the first operation. What it returns is returned.
    """
    with silent_stderr():
        import tensorflow as tf

        result = before() if before else None
        tf.constant(0)
    return result
