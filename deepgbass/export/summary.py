"""The end of an export on one screen."""

from deepgbass.export.compiler_log import CompilerLog
from deepgbass.export.fidelity import print_fidelity
from deepgbass.export.preflight_text import headline, troubles
from deepgbass.progress import console

_CONTENTS = {
    ".tflite": "the model, with its description within",
    ".json": "the description: classes, sizes, metrics",
    ".fidelity.json": "both forms' metrics, signal to noise by operator",
    ".preflight.json": "what the Edge TPU compiler will do, by operator",
}


def print_summary(result):
    """Prints what an export lost, what will map, and where it lies.

    Args:
        result: `ExportResult`.
    """
    print_fidelity(result.fidelity)
    if result.preflight is not None:
        warning = "" if result.preflight.all_mapped else "Warning. "
        console.print(f"\n{warning}Edge TPU: {headline(result.preflight)}")
        for line in filter(None, troubles(result.preflight)):
            console.print(f"  {line}")
    console.print(f"\nFiles in {result.path.parent}:")
    width = max(len(path.name) for path in result.files)
    for path in result.files:
        content = _CONTENTS[path.name.removeprefix(result.path.stem)]
        size = f"{path.stat().st_size / 1e3:,.0f} kB"
        console.print(f"  {path.name:<{width}}  {size:>9}  {content}")


def print_compilation(compilation):
    """Prints where the compiled model lies and how much of it is on the TPU.

    Args:
        compilation: `compiler.Compilation`.
    """
    log: CompilerLog = compilation.log
    console.print(
        f"Compiled: {compilation.path}: {log.on_tpu} operators on the Edge"
        f" TPU, {log.on_cpu} on the CPU"
    )
    comparison = compilation.comparison
    if comparison is None or comparison["agrees"]:
        return
    console.print("Otherwise than predicted:")
    for row in comparison["operators"]:
        console.print(
            f"  {row['operator']}: predicted {_counts(row['predicted'])},"
            f" compiled {_counts(row['compiled'])}"
        )


def _counts(counts):
    return ", ".join(f"{n} {name}" for name, n in counts.items()) or "none"
