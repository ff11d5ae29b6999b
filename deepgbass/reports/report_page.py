"""The HTML frame and the style sheet of the report.

The style follows the reader's light or dark mode, prints in light, and has
the custom properties `--ink`, `--rule` and `--s0` to `--s7`, in which
`plots.py` draws.
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
{refresh}<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="about"><time>{date}</time> · {about}</p>
{progress}
{summary}
{tiles}
<nav>{links}</nav>
</header>
<main>{body}</main>
</body>
</html>
"""

STYLE = """
:root { color-scheme: light dark; --page: #fff; --card: #f5f6f8;
  --ink: #1b2027; --soft: #5b6470; --rule: #d9dde3; --accent: #1f5fbf;
  --bar: #cfe0f7; --s0: #1f6fd1; --s1: #d1541b; --s2: #128a63; --s3: #a8459b;
  --s4: #a67c00; --s5: #3a94b8; --s6: #c23b52; --s7: #6b7280; }
@media screen and (prefers-color-scheme: dark) { :root { --page: #14171c;
  --card: #1d2128; --ink: #e6e9ee; --soft: #9aa4b1; --rule: #363d47;
  --accent: #7fb2ff; --bar: #27456d; --s0: #6aa9ff; --s1: #ff9057;
  --s2: #3fc896; --s3: #dd85d2; --s4: #dcb43c; --s5: #6cc6e8; --s6: #ff7d92;
  --s7: #a3abb8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 2.5rem) 4rem;
  max-width: 1240px; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { margin: 0; font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2;
  letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { margin: 3rem 0 1rem; padding-bottom: 0.35rem; font-size: 1.3rem;
  border-bottom: 1px solid var(--rule); }
h3 { margin: 1.5rem 0 0.5rem; font-size: 1rem; overflow-wrap: anywhere; }
.about, .note { color: var(--soft); font-size: 0.85rem; }
.about { margin: 0.4rem 0 1rem; } .note { margin: 0.4rem 0 0; }
.progress { padding: 0.6rem 1rem; border-radius: 10px;
  border: 1px solid var(--rule); background: var(--card);
  font-variant-numeric: tabular-nums; }
progress { display: block; width: 100%; height: 0.6rem;
  margin: 0.2rem 0 0.4rem; accent-color: var(--accent); }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; margin-top: 1rem; }
a { color: var(--accent); }
.tiles { display: grid; gap: 0.75rem; margin: 1.25rem 0;
  grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); }
.tiles div { padding: 0.8rem 1rem; border-radius: 10px;
  background: var(--card); border: 1px solid var(--rule); }
dt { color: var(--soft); font-size: 0.85rem; } dd { margin: 0;
  font-size: 1.6rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums;
  font-size: 0.95rem; }
th, td { padding: 0.38rem 0.75rem; text-align: left; white-space: nowrap;
  border-bottom: 1px solid var(--rule); }
thead th { color: var(--soft); font-weight: 600; font-size: 0.85rem;
  white-space: normal; vertical-align: bottom; }
tbody th { font-weight: 500; position: sticky; left: 0;
  background: var(--page); }
.number { text-align: right; } .best { font-weight: 750; }
.bar { background: linear-gradient(var(--bar), var(--bar)) no-repeat
  0 50% / var(--share) 1.4em content-box; min-width: 8rem; }
.swatch, .line { display: inline-block; width: 0.9em; height: 0.9em;
  margin-right: 0.5em; border-radius: 3px; vertical-align: -0.08em;
  background: var(--c); box-shadow: inset 0 0 0 1px #8886; }
.line { width: 1.3em; height: 0.22em; vertical-align: 0.25em;
  box-shadow: none; }
.plots { display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); }
.plots:has(> :last-child:nth-child(4)) {
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); }
.plots figure { max-width: 36rem; padding: 0.9rem 1rem;
  border: 1px solid var(--rule); border-radius: 10px; }
figure { margin: 0; break-inside: avoid; min-width: 0; }
.plots h3 { margin: 0 0 0.4rem; }
svg { display: block; width: 100%; height: auto; }
.keys { display: flex; flex-wrap: wrap; gap: 0.2rem 1rem;
  margin: 0.4rem 0; font-size: 0.85rem; }
.grid { display: grid; gap: 0.75rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); }
@media (min-width: 601px) { .grid:has(> :last-child:nth-child(5)) {
  grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr)); } }
.panel { break-inside: avoid; }
img { display: block; width: 100%; height: auto; border-radius: 4px;
  cursor: zoom-in; }
figcaption { color: var(--soft); font-size: 0.85rem; margin-top: 0.25rem; }
label input { position: absolute; opacity: 0; }
input:focus-visible + img { outline: 3px solid var(--accent); }
input:checked + img { position: fixed; inset: 0; z-index: 1; height: 100%;
  object-fit: contain; background: #000d; border-radius: 0;
  cursor: zoom-out; }
details { margin: 0.5rem 0; border: 1px solid var(--rule);
  border-radius: 10px; } summary { padding: 0.6rem 1rem; cursor: pointer; }
pre { margin: 0; padding: 0.75rem 1rem; overflow-x: auto;
  border-top: 1px solid var(--rule); font-size: 0.85rem; }
@media (max-width: 600px) { .grid { grid-template-columns: 1fr 1fr; }
  th, td { padding: 0.35rem 0.5rem; }
  tbody th { white-space: normal; min-width: 7.5rem; } }
@media print { body { padding: 0 1px; font-size: 11pt; }
  nav { display: none; } .scroll { overflow: visible; }
  table { font-size: 8pt; } th, td { padding: 0.25rem 0.4rem; }
  .bar { min-width: 0; } h2, h3 { break-after: avoid; }
  * { print-color-adjust: exact; } }
"""
