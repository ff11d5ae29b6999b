"""A preflight report on one screen."""

import collections

from deepgbass.export.edgetpu_package import Package
from deepgbass.export.footprint import ACTIVATION_MEMORY, ON_CHIP_PARAMETERS
from deepgbass.export.preflight_report import Prediction, PreflightReport

# Room on a screen: kinds of trouble, and the largest tensors.
_KINDS, _NAMES, _TENSORS = 6, 3, 3
_NAME = 40


def as_text(report: PreflightReport) -> str:
    """The summary, the compiler's table, root causes and sizes, as lines."""
    lines = [headline(report), *report.notes, ""]
    lines += _table(report)
    lines += troubles(report)
    lines += _sizes(report)
    for package in report.packages:
        lines += _package(package)
    return "\n".join(lines + _latency(report))


def headline(report: PreflightReport) -> str:
    """The summary in a sentence or two."""
    total, name = len(report.operators), report.label
    if report.compiled:
        on_cpu = sum(p.verdict == "cpu" for p in report.operators)
        return (
            f"{name} was compiled: {total - on_cpu} Edge TPU subgraph(s),"
            f" {on_cpu} operators left on the CPU. Read, not predicted."
        )
    if report.fatal:
        return (
            f"{name}: the compiler will fail at {len(report.fatal)} of {total}"
            " operators, and map none. Predicted, not compiled."
        )
    text = f"{name}: {report.mapped} of {total} operators predicted on the TPU"
    if report.uncertain:
        text += f", {len(report.uncertain)} of them uncertain"
    subgraphs = "1 subgraph" if report.mapped else "no subgraph"
    text += f", {subgraphs}"
    if report.latency:
        low, high = report.latency.low_ms, report.latency.high_ms
        text += f", ESTIMATE {low:.1f} to {high:.1f} ms"
    return text + ". Predicted, not compiled."


def _table(report):
    """Operators in the layout of the compiler's log."""
    counts = collections.Counter((p.name, _status(p)) for p in report.operators)
    # Nothing is mapped beside a fatal operator.
    title = ["If these were replaced:", ""] if report.fatal else []
    return (
        title
        + [f"{'Operator':<31}{'Count':<11}Status"]
        + [
            f"{name:<30} {count:<10} {status}"
            for (name, status), count in sorted(counts.items())
        ]
    )


def _status(prediction: Prediction):
    if prediction.verdict == "uncertain":
        return f"Uncertain. If refused: {prediction.status}"
    return prediction.status


def troubles(report: PreflightReport) -> list[str]:
    """Lines on what is not surely mapped, root causes first; [] for none."""
    if report.compiled:
        return []
    front = tuple(p for p in report.operators if p.place == "front")
    return [
        *_kinds("Ends the compilation", report.fatal, ""),
        *_kinds(
            "Ends the subgraph",
            () if report.fatal else report.root_causes,
            "strands",
        ),
        *_kinds("Uncertain", report.uncertain, "would strand"),
        *_kinds(
            "On the CPU in front of the subgraph"
            if report.mapped
            else "On the CPU",
            () if report.fatal else front,
            "",
        ),
    ]


def _kinds(title, predictions, strands):
    """Lines for operators, those of one kind and reason together."""
    kinds = {}
    for p in predictions:
        # Reasons of one kind differ in their numbers.
        kinds.setdefault((p.status, p.remedy), []).append(p)
    if not kinds:
        return []
    lines = ["", f"{title}:"]
    for group in list(kinds.values())[:_KINDS]:
        first = group[0]
        names = list(dict.fromkeys(p.name for p in group))
        named = ", ".join(names[:_NAMES]) + ", ..." * (len(names) > _NAMES)
        more = f" and {len(group) - 1} more" if len(group) > 1 else ""
        behind = max(p.depends for p in group)
        tail = f"; {strands} {behind} operators" if strands and behind else ""
        lines.append(f"  {named}, #{first.index}{more}: {first.reason}{tail}")
        if first.remedy:
            lines.append(f"    Instead: {first.remedy}")
    if len(kinds) > _KINDS:
        lines.append(f"  and {len(kinds) - _KINDS} other kinds (see --json)")
    return lines


def _sizes(report):
    footprint = report.footprint
    if footprint is None:
        return []
    risk = ""
    if footprint.streamed_bytes:
        risk = f"; about {_bytes(footprint.streamed_bytes)} will be streamed"
    elif footprint.at_risk:
        risk = "; they may not fit beside instructions and activations"
    spill = ""
    if footprint.peak_activation_bytes > ACTIVATION_MEMORY:
        spill = ", more than the 3 MiB for them (the compiler cuts them up)"
    lines = [
        "",
        f"Parameters: {_bytes(footprint.parameter_bytes)} of about"
        f" {ON_CHIP_PARAMETERS // 2**20} MiB on chip{risk}",
        f"Activations: at most {_bytes(footprint.peak_activation_bytes)} alive"
        f" at a time{spill}; the largest:",
    ]
    for size, name, shape in footprint.largest_activations[:_TENSORS]:
        lines.append(f"  {_bytes(size)}  {list(shape)}  {name[:_NAME]}")
    return lines


def _package(package: Package):
    return [
        "",
        f"Package for {package.chip or 'an unnamed chip'}: needs runtime"
        f" {package.min_runtime_version} or newer",
        f"Parameters: {_bytes(package.cached_bytes)} cached on chip,"
        f" {_bytes(package.streamed_bytes)} streamed at every inference",
        f"Transferred at every inference: {_bytes(package.input_bytes)} in,"
        f" {_bytes(package.output_bytes)} out,"
        f" {_bytes(package.instruction_bytes)} instructions,"
        f" {_bytes(package.scratch_bytes)} activations that do not fit",
    ]


def _latency(report):
    latency = report.latency
    if latency is None:
        return []
    lines = [
        "",
        f"Latency, ESTIMATE (not measured, +-25 %): {latency.estimate_ms:.1f}"
        f" ms on USB 3 at 500 MHz, {latency.low_ms:.1f} to"
        f" {latency.high_ms:.1f}; not below {latency.bound_ms:.1f} ms.",
    ]
    if not report.compiled:
        lines.append(
            "  Not in it: activations that do not fit and are sent to the host"
            " and back, known only after compiling."
        )
    on_cpu = sum(p.verdict == "cpu" for p in report.operators)
    if on_cpu:
        lines.append(
            f"  Not in it: {on_cpu} operators on the CPU (for scale: resizing"
            " 33x33x21 to 513x513 and its argmax take 40 ms on one core)."
        )
    return lines


def _bytes(count):
    if count < 2**20 / 10:
        return f"{count / 2**10:.1f} KiB"
    return f"{count / 2**20:.2f} MiB"
