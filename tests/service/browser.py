"""A headless Chromium, made available where there is none, and pages in it that are watched for what a good page never does."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright; pip install 'dsketch[dev]'")

_INSTALL_SECONDS = 240
_PATIENCE = 120_000  # milliseconds until what did not happen counts as missing: a busy machine is slow, not wrong
playwright.expect.set_options(timeout=_PATIENCE)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_REFUSED = "Failed to load resource: the server responded with a status of 4"  # Chromium's own line about an answer that we show


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Yield a running browser; skips, with the reason, where none is installed and none can be."""
    with playwright.sync_playwright() as started:
        path = _found(started) or _installed(started)
        if path is None:
            pytest.skip("no Chromium: none is installed, and neither playwright install nor apt-get could bring one")
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def _found(started: Any) -> str | None:
    own = Path(started.chromium.executable_path)
    return next((found for name in _NAMES if (found := shutil.which(name))), str(own) if own.exists() else None)


def _installed(started: Any) -> str | None:
    """Install one: Playwright's own, or the system's package if we may."""
    own = [sys.executable, "-m", "playwright"]
    is_root = os.geteuid() == 0 and shutil.which("apt-get") is not None
    _run(*own, "install", "chromium")
    if found := _found(started):
        if is_root:
            _run(*own, "install-deps", "chromium")
        return found
    if is_root:
        _run("apt-get", "update", "-q")
        _run("apt-get", "install", "-qy", "--no-install-recommends", "chromium")
    return _found(started)


def _run(*command: str) -> None:
    with contextlib.suppress(subprocess.SubprocessError):
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_INSTALL_SECONDS, check=False)


@contextlib.contextmanager
def watched(browser: Any, url: str, *, is_offline_fine: bool = False, **context: Any) -> Iterator[Any]:
    """Yield a page of the service; at its end, no script failed, nothing was logged as an error, no other host was asked."""
    with contextlib.closing(browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **context})) as opened:
        page = opened.new_page()
        page.set_default_timeout(_PATIENCE)
        wrong: list[str] = []
        fine = (_REFUSED, *(["Failed to load resource: net::", "net::"] if is_offline_fine else []))
        page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
        page.on(
            "console", lambda line: wrong.append(line.text) if line.type == "error" and not line.text.startswith(fine) else None
        )
        page.on("request", lambda asked: None if _is_own(asked.url, url) else wrong.append(f"asked {asked.url}"))
        page.goto(url)
        yield page
        assert wrong == []


def _is_own(asked: str, url: str) -> bool:
    return asked.startswith(("data:", f"blob:{url}")) or urlsplit(asked).netloc == urlsplit(url).netloc


# Every visible text whose contrast with what is behind it is below WCAG's AA (4.5, large text 3), as "text: ratio".
FAINT = """() => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = rgba(getComputedStyle(one).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const style = getComputedStyle(element);
    if (!walker.currentNode.data.trim() || element.closest(".unseen, :disabled")) continue;
    if (!element.checkVisibility({ checkOpacity: true })) continue;
    const [one, other] = [light(rgba(style.color)), light(behind(element))].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const enough = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < enough) found.push(`${walker.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""
# Fields and buttons without a name that a screen reader could say.
NAMELESS = """() => [...document.querySelectorAll("button, input, select, a[href], dialog, [role=progressbar]")]
  .filter((one) => one.checkVisibility() && !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length ||
    document.getElementById(one.getAttribute("aria-labelledby"))))
  .map((one) => one.outerHTML)"""
# How many points the plot had in which state, and how far things moved by themselves while the job ran.
RECORD = """() => {
  window.seen = { points: [], moved: 0, by: [] };
  const plot = document.querySelector(".plot");
  const state = () => document.querySelector(".head .state").dataset.state;
  new MutationObserver(() => seen.points.push([Number(plot.dataset.points), state()])).observe(plot, { attributes: true });
  new PerformanceObserver((list) => {
    for (const entry of state() === "running" ? list.getEntries() : []) {
      seen.moved += entry.value;
      seen.by.push(...entry.sources.map((source) => source.node?.parentElement?.outerHTML?.slice(0, 100)));
    }
  }).observe({ type: "layout-shift" });
}"""
