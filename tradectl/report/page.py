"""One HTML file that needs nothing else: its style, its script, Plotly, all figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from tradectl.report.html import Section

__all__ = ["json_script", "page"]

SHELL = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="tradectl">
<title>$title</title>
<link rel="icon" href="data:,">
<style>$style</style>
<script>document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
try { document.documentElement.dataset.theme = localStorage.getItem("tradectl-theme") ||
document.documentElement.dataset.theme; } catch (_) { /* a file without storage */ }</script>
</head>
<body>
<header><h1>$title</h1><div class="badges">$badges</div><button id="theme" type="button">Theme</button>
<p class="about">$about</p></header>
<nav aria-label="Sections"><div>$links</div></nav>
<main>
$sections
</main>
<footer><p>$foot</p></footer>
<noscript><p class="note">Charts and the table of trades need JavaScript; the figures do not.</p></noscript>
$charts
<script>$plotly</script>
<script>$script</script>
</body>
</html>
""")


def page(
    title: str, about: str, badges: Sequence[tuple[str, str]], sections: Sequence[Section], foot: str
) -> str:
    """Return a page of sections; `badges` are (text, class)."""
    from plotly.offline import get_plotlyjs

    charts = {chart.id: chart.spec() for one in sections for chart in one.charts}
    return SHELL.substitute(
        title=escape(title),
        about=escape(about),
        foot=escape(foot),
        badges="".join(f'<span class="badge {kind}">{escape(text)}</span>' for text, kind in badges),
        links="".join(f'<a href="#{one.id}">{escape(one.title)}</a>' for one in sections),
        sections="\n".join(one.html() for one in sections),
        charts=json_script("charts", charts),
        style=_asset("page.css"),
        plotly=get_plotlyjs().replace("</script", "<\\/script"),
        script=_asset("page.js"),
    )


def json_script(name: str, value: Any) -> str:
    """Return data for the page's script; nothing in it can end the element."""
    text = json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    safe = text.replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{safe}</script>'


def _asset(name: str) -> str:
    return (files("tradectl.report") / "assets" / name).read_text(encoding="utf-8")


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold: NaN and infinities are null, numpy numbers plain."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
