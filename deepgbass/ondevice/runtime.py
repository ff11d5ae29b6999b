"""The TFLite interpreter that is there: LiteRT's, or else an older one."""

import dataclasses
import importlib
import importlib.metadata
import types

from deepgbass.errors import UserError

# Package on PyPI -> module of its interpreter, the preferred one first.
_MODULES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
    "tensorflow": "tensorflow.lite.python.interpreter",
}


@dataclasses.dataclass(frozen=True)
class Runtime:
    """An interpreter's package.

    Attributes:
        name: of the package on PyPI.
        version: its version; "unknown" for one that pip did not install.
        passed_over: package -> why it was not used, of those preferred.
        module: the Python module.
    """

    name: str
    version: str
    passed_over: dict[str, str]
    module: types.ModuleType = dataclasses.field(repr=False)

    def __str__(self):
        return f"{self.name} {self.version}"

    def interpreter(self, path, *, threads=1, xnnpack=True, delegate=None):
        """The interpreter of a `.tflite` file, its tensors not allocated.

        Args:
            path: of the file.
            threads: of the CPU's kernels.
            xnnpack: whether the CPU's part goes through XNNPACK, as by
                default, or TFLite's own kernels.
            delegate: None, or what `load_delegate` gave.
        """
        resolvers = self.module.OpResolverType
        return self.module.Interpreter(
            str(path),
            num_threads=threads,
            experimental_delegates=[delegate] if delegate else None,
            experimental_op_resolver_type=(
                resolvers.AUTO
                if xnnpack
                else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            ),
        )

    def load_delegate(self, library, options):
        """A delegate from a shared library; errors are the package's own."""
        return self.module.load_delegate(library, options)


def find_runtime(packages=tuple(_MODULES)):
    """The first interpreter that can be imported.

    Args:
        packages: names on PyPI, in the order of preference.

    Raises:
        UserError: there is none.
    """
    passed_over = {}
    for name in packages:
        try:
            module = importlib.import_module(_MODULES[name])
        # A library that the package's own needs is an ImportError too; a
        # wheel for other processors may be an OSError.
        except (ImportError, OSError) as error:
            passed_over[name] = str(error).partition("\n")[0]
            continue
        return Runtime(name, _version(name), passed_over, module)
    reasons = "; ".join(f"{name}: {why}" for name, why in passed_over.items())
    raise UserError(
        f"no TFLite interpreter ({reasons}); pip install 'deepgbass[coral]'"
    )


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
