"""The results of a benchmark as one HTML file that fetches nothing."""

import html
import math

import numpy as np

from deepgbass.ondevice.benchmark_text import milliseconds, ratio_cells
from deepgbass.ondevice.results import conditions, facts, labels
from deepgbass.reports.report_page import PAGE, STYLE

_WIDTH, _HEIGHT = 900, 240
# Around the drawing: left, right, bottom.
_LEFT, _RIGHT, _BOTTOM = 46, 12, 34
_BINS = 60
_COLORS = 8
# A percentile beyond which the axis does not reach: one run that was
# interrupted would flatten all others.
_SHOWN = 99


def page(results):
    """The page.

    Args:
        results: dict from `results.collect`.

    Returns:
        str of HTML.
    """
    names = labels(results)
    models = results["models"]
    sections = {
        "distribution": ("Distribution", _distribution(names, models)),
        "order": ("Run by run", _order(names, models)),
        "stages": ("Stages", "".join(map(_stages, names, models))),
    }
    if results["ratios"]:
        sections["ratios"] = ("Ratios", _ratios(names, results["ratios"]))
    sections["conditions"] = ("Conditions", _pairs(conditions(results)))
    body = "".join(
        f'<section id="{key}"><h2>{title}</h2>{content}</section>'
        for key, (title, content) in sections.items()
    )
    tiles = "".join(
        f"<div><dt>{html.escape(name)}, median ms</dt>"
        f"<dd>{milliseconds(model['phases']['total']['p50'])}</dd></div>"
        for name, model in zip(names, models, strict=True)
    )
    alerts = list(results["notes"])
    if results["problem"]:
        alerts.insert(
            0,
            f"Only {results['runs']} of {results['runs_planned']} runs: "
            f"{results['problem']}",
        )
    return PAGE.format(
        title="Latency on the device",
        style=STYLE,
        refresh="",
        date=html.escape(results["date"]),
        about=html.escape(
            f"deepgbass {results['deepgbass']} · {results['runs']:,} runs"
        ),
        progress="".join(
            f'<p class="progress">{html.escape(text)}</p>' for text in alerts
        ),
        summary="",
        tiles=f'<dl class="tiles">{tiles}</dl>',
        links="".join(
            f'<a href="#{key}">{title}</a>'
            for key, (title, _) in sections.items()
        ),
        body=body,
    )


def _distribution(names, models):
    """Histograms of all models over one axis, and marks at p50 and p99."""
    runs = [np.array(model["runs_ms"]) for model in models]
    low = min(times.min() for times in runs)
    high = max(np.percentile(times, _SHOWN) for times in runs)
    # All runs of one length still need an axis.
    low, high = low * 0.98, max(high * 1.02, low * 1.02 + 1e-6)
    edges = np.linspace(low, high, _BINS + 1)
    shares = [np.histogram(t, edges)[0] / len(t) for t in runs]
    top = max(share.max() for share in shares) or 1.0
    x = _axis(low, high, _LEFT, _WIDTH - _RIGHT)
    y = _axis(0, top, _HEIGHT - _BOTTOM, 10)
    parts = [_ticks_below(low, high, x, "ms")]
    for index, (times, share) in enumerate(zip(runs, shares, strict=True)):
        steps = " ".join(
            f"L{x(left):.1f} {y(value):.1f}L{x(right):.1f} {y(value):.1f}"
            for left, right, value in zip(
                edges[:-1], edges[1:], share, strict=True
            )
        )
        path = f"M{x(low):.1f} {y(0):.1f}{steps}L{x(high):.1f} {y(0):.1f}Z"
        color = f"var(--s{index % _COLORS})"
        parts.append(
            f'<path d="{path}" fill="{color}" fill-opacity="0.2" '
            f'stroke="{color}" stroke-width="1.5"/>'
        )
        for percent, dash in ((50, ""), (99, ' stroke-dasharray="4 4"')):
            place = x(min(np.percentile(times, percent), high))
            parts.append(
                f'<path d="M{place:.1f} {y(0):.1f}V{y(top):.1f}" '
                f'stroke="{color}" stroke-width="1.5"{dash}/>'
            )
    beyond = sum(int((times > high).sum()) for times in runs)
    longest = max(times.max() for times in runs)
    note = "Share of the runs by their total time; line: median, dashes: p99."
    if beyond:
        note += (
            f" {beyond} run{'s' if beyond > 1 else ''} beyond the axis, the "
            f"longest {milliseconds(longest)} ms."
        )
    return _figure(parts, "distribution of latencies", names, note)


def _order(names, models):
    """Every run at its place: warming up, throttling and disturbances."""
    runs = [np.array(model["runs_ms"]) for model in models]
    high = 1.02 * max(np.percentile(times, _SHOWN) for times in runs)
    count = max(map(len, runs))
    x = _axis(1, max(count, 2), _LEFT, _WIDTH - _RIGHT)
    y = _axis(0, high, _HEIGHT - _BOTTOM, 10)
    parts = [_ticks_below(1, count, x, "run"), _ticks_beside(high, y)]
    for index, times in enumerate(runs):
        points = "".join(
            f"M{x(i):.1f} {y(min(time, high)):.1f}h0"
            for i, time in enumerate(times, 1)
        )
        parts.append(
            f'<path d="{points}" stroke="var(--s{index % _COLORS})" '
            'stroke-width="3.5" stroke-linecap="round" opacity="0.7"/>'
        )
    note = (
        "Total of each run in ms, in the order in which they ran; the slowest "
        "ones at the upper edge."
    )
    return _figure(parts, "latency of every run", names, note)


def _figure(parts, label, names, note):
    keys = "".join(
        f'<span><span class="line" style="--c:var(--s{i % _COLORS})"></span>'
        f"{html.escape(name)}</span>"
        for i, name in enumerate(names)
    )
    return (
        f'<figure><div class="keys">{keys}</div>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{label}" fill="none" font-size="13">{"".join(parts)}'
        f'</svg><p class="note">{html.escape(note)}</p></figure>'
    )


def _axis(low, high, start, end):
    """A function from values to pixels."""
    scale = (end - start) / (high - low)
    return lambda value: start + (value - low) * scale


def _ticks(low, high, wanted=6):
    """Round numbers from `low` to `high`."""
    raw = (high - low) / wanted
    power = 10 ** math.floor(math.log10(raw))
    step = next(n for n in (1, 2, 5, 10) if n * power >= raw) * power
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _ticks_below(low, high, x, unit):
    base = _HEIGHT - _BOTTOM
    marks = "".join(
        f'<path d="M{x(tick):.1f} {base}v5" stroke="var(--rule)"/>'
        f'<text x="{x(tick):.1f}" y="{base + 20}" fill="var(--ink)" '
        f'text-anchor="middle">{tick:g}</text>'
        for tick in _ticks(low, max(high, low + 1e-6))
    )
    return (
        f'<path d="M{_LEFT} {base}H{_WIDTH - _RIGHT}" stroke="var(--rule)"/>'
        f'{marks}<text x="{_LEFT - 8}" y="{base + 20}" fill="var(--ink)" '
        f'text-anchor="end">{unit}</text>'
    )


def _ticks_beside(high, y):
    return "".join(
        f'<path d="M{_LEFT} {y(tick):.1f}H{_WIDTH - _RIGHT}" '
        'stroke="var(--rule)" stroke-opacity="0.6"/>'
        f'<text x="{_LEFT - 8}" y="{y(tick) + 4:.1f}" fill="var(--ink)" '
        f'text-anchor="end">{tick:g}</text>'
        for tick in _ticks(0, high, 4)
    )


def _stages(name, model):
    columns = list(model["phases"]["total"])
    rows = [
        [phase, *map(milliseconds, numbers.values())]
        for phase, numbers in model["phases"].items()
    ]
    return (
        f"<h3>{html.escape(name)}</h3>{_table(['ms', *columns], rows)}"
        f"<details open><summary>The model</summary>{_pairs(facts(model))}"
        "</details>"
    )


def _ratios(names, ratios):
    rows = [
        [name, *ratio_cells(one)]
        for name, one in zip(names[1:], ratios, strict=True)
    ]
    head = ["model", "total", "p10 to p90", "invoke", "p10 to p90"]
    note = (
        f"Times as long as {names[0]}: the median of the rounds' ratios, and "
        "between which values eight of ten rounds lie. The models take turns."
    )
    return f'{_table(head, rows)}<p class="note">{html.escape(note)}</p>'


def _table(head, rows):
    first, *others = map(html.escape, head)
    heads = "".join(f'<th class="number">{text}</th>' for text in others)
    lines = "".join(
        f"<tr><th>{html.escape(row[0])}</th>"
        + "".join(f'<td class="number">{html.escape(x)}</td>' for x in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr><th>{first}</th>{heads}</tr>'
        f"</thead><tbody>{lines}</tbody></table></div>"
    )


def _pairs(pairs):
    lines = "".join(
        f"<tr><th>{html.escape(name)}</th>"
        f'<td style="white-space:normal">{html.escape(text)}</td></tr>'
        for name, text in pairs.items()
    )
    return f'<div class="scroll"><table><tbody>{lines}</tbody></table></div>'
