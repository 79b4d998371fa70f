"""A real browser without a window, what tests do with it, and a report to look at."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from shutil import which

from made_rows import Rows
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from test_results_tuned import STUDY

from orchestrator.serving import Report, listening
from results.report import report_html
from results.schema import FAILED
from results.sweep import open_sweep

FORGETS = [[0.9, 0.5], [0.5, 0.9]]
KEEPS = [[0.9, 0.8], [0.5, 0.9]]
LONG = "a-method-with-a-name-that-goes-on-and-on-" * 4
HEADLINE = ".scenario .filtered table"
PHONE, DESKTOP = (360, 740), (1280, 900)


def rows_of(seeds=3):
    """Two scenarios of four methods; naive and the long one have the same ACC."""
    rows = Rows()
    for kind in ("domain-il", "task-il"):
        for method, R in (
            ("naive", FORGETS),
            ("ewc", [[0.9, 0.6], [0.5, 0.9]]),
            (LONG, FORGETS),
            ("joint", KEEPS),
        ):
            for seed in range(seeds):
                rows.add(method, seed, [[x + 0.001 * seed for x in row] for row in R], kind=kind, chance=0.1)
    return rows.add(
        "ewc", 9, FORGETS, status=FAILED, error="Traceback\n" + "x" * 400, error_cause="<b>why</b>"
    )


def written_report(folder: Path) -> str:
    """A report of those rows as a file in *folder*; its address."""
    sweep = open_sweep(rows_of().written(folder / "tiny"))
    html = report_html(sweep, spec="name: tiny\n" * 60, command="clsweep run sweep.yaml", studies=[STUDY])
    (folder / "report.html").write_text(html, encoding="utf-8")
    return (folder / "report.html").as_uri()


@contextlib.contextmanager
def opened() -> Iterator[webdriver.Chrome]:
    """Chromium, until the block ends."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(which("chromium"))
    arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
    # As root, which a container often runs as, there is no sandbox.
    for argument in [*arguments, *(["--no-sandbox"] if os.getuid() == 0 else [])]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, Service(which("chromedriver")))
    try:
        yield browser
    finally:
        browser.quit()


@contextlib.contextmanager
def quiet(browser: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """The browser on a desktop; the block must end without a word in its console."""
    resize(browser, DESKTOP)
    emulate(browser)
    browser.get("about:blank")
    browser.get_log("browser")
    yield browser
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def resize(browser, size):
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def emulate(browser, media="", **features):
    wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": wanted})


def find(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def find_all(browser, selector):
    return browser.find_elements(By.CSS_SELECTOR, selector)


def shown(browser, selector):
    """The texts of what can be seen, at one moment: a live page may change between two questions."""
    script = """
        return [...document.querySelectorAll(arguments[0])]
          .filter((each) => each.checkVisibility()).map((each) => each.innerText.trim())
    """
    return browser.execute_script(script, selector)


def text(browser, selector):
    """The text of the only such element."""
    (found,) = shown(browser, selector)
    return found


def column(browser, place, table=0):
    """The texts of a column of a headline table, as they stand on the screen."""
    listing = find_all(browser, HEADLINE)[table]
    return [row.find_elements(By.CSS_SELECTOR, "th, td")[place].text for row in find_all(listing, "tbody tr")]


def head(browser, place, table=0):
    return find_all(find_all(browser, HEADLINE)[table], "thead th")[place]


def press(browser, place, table=0):
    find(head(browser, place, table), "button").click()
    return head(browser, place, table).get_attribute("aria-sort")


def open_cell(browser, place=1):
    link = find_all(browser, f"{HEADLINE} tbody th a")[place]
    link.click()
    return link


def focused(browser):
    return browser.switch_to.active_element


OPEN_ALL = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"


class Hurried:
    """A clock by which whoever asks may look and draw again."""

    now = 0.0

    def __call__(self):
        """What it says: each time much later."""
        self.now += 1000
        return self.now


@contextlib.contextmanager
def served(store):
    with listening(Report(store, clock=Hurried()), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            thread.join()


def status(browser):
    return text(browser, ".status")
