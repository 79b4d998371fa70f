"""The report in a real browser: sorting, filtering, cells as pages, every screen, a printer, and news."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import threading
from shutil import which

import pytest
from commands import wait_until
from made_rows import Rows
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from test_results_tuned import STUDY

from orchestrator.serving import Report, listening
from results.report import report_html
from results.schema import FAILED
from results.sweep import open_sweep

pytestmark = pytest.mark.chromium

FORGETS = [[0.9, 0.5], [0.5, 0.9]]
KEEPS = [[0.9, 0.8], [0.5, 0.9]]
LONG = "a-method-with-a-name-that-goes-on-and-on-" * 4
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


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A report as a file."""
    folder = tmp_path_factory.mktemp("report")
    sweep = open_sweep(rows_of().written(folder / "tiny"))
    html = report_html(sweep, spec="name: tiny\n" * 60, command="clsweep run sweep.yaml", studies=[STUDY])
    (folder / "report.html").write_text(html, encoding="utf-8")
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def chromium():
    """A browser without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = which("chromium")
    arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
    for argument in [*arguments, *(["--no-sandbox"] if os.getuid() == 0 else [])]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, Service(which("chromedriver")))
    yield browser
    browser.quit()


@pytest.fixture
def browser(chromium):
    """The browser on a desktop; a test ends without a word in its console."""
    resize(chromium, DESKTOP)
    emulate(chromium)
    chromium.get("about:blank")
    chromium.get_log("browser")
    yield chromium
    assert [entry["message"] for entry in chromium.get_log("browser")] == []


@pytest.fixture
def page(browser, address):
    """The browser with the report opened."""
    browser.get(address)
    return browser


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
    return [each.text for each in find_all(browser, selector) if each.is_displayed()]


HEADLINE = ".scenario .filtered table"


def column(browser, place, table=0):
    """The texts of a column of a headline table, as they stand on the screen."""
    listing = find_all(browser, HEADLINE)[table]
    return [row.find_elements(By.CSS_SELECTOR, "th, td")[place].text for row in find_all(listing, "tbody tr")]


def head(browser, place, table=0):
    return find_all(find_all(browser, HEADLINE)[table], "thead th")[place]


def press(browser, place, table=0):
    find(head(browser, place, table), "button").click()
    return head(browser, place, table).get_attribute("aria-sort")


# Sorting ---------------------------------------------------------------------------------------------------


def test_a_head_sorts_by_the_numbers_behind_it_and_back_to_the_order_of_the_page(page):
    methods = ["naive", "ewc", LONG, "joint"]
    assert column(page, 0) == methods
    # ACC: joint 0.85, ewc 0.75, and 0.7 twice, which keep their order either way.
    assert press(page, 2) == "descending"
    assert column(page, 0) == ["joint", "ewc", "naive", LONG]
    assert press(page, 2) == "ascending"
    assert column(page, 0) == ["naive", LONG, "ewc", "joint"]
    assert press(page, 2) == "none"
    assert column(page, 0) == methods


def test_what_is_better_when_small_puts_the_small_first_and_undefined_is_last_either_way(page):
    # FM: ewc 0.3, naive and the long one 0.4; of joint it is undefined.
    assert press(page, 4) == "ascending"
    assert column(page, 0) == ["ewc", "naive", LONG, "joint"]
    assert press(page, 4) == "descending"
    assert column(page, 0) == ["naive", LONG, "ewc", "joint"]


def test_numbers_are_not_sorted_as_texts(page):
    # n of ewc is 3/4, of the others 3.
    assert press(page, 1) == "descending"
    assert column(page, 0) == ["naive", "ewc", LONG, "joint"]
    # BWT: naive and the long one -0.4, ewc -0.3, which as texts would come the other way.
    press(page, 3)
    assert column(page, 0) == ["ewc", "naive", LONG, "joint"]


def test_names_are_sorted_as_texts(page):
    assert press(page, 0) == "ascending"
    assert column(page, 0) == [LONG, "ewc", "joint", "naive"]


def test_one_column_at_a_time_is_sorted_and_tables_do_not_depend_on_each_other(page):
    press(page, 2)
    press(page, 0, table=1)
    sorts = [
        [each.get_attribute("aria-sort") for each in find_all(table, "thead th")]
        for table in find_all(page, HEADLINE)
    ]
    assert sorts[0] == ["none", "none", "descending", "none", "none", "none", "none", "none"]
    assert sorts[1] == ["ascending", *["none"] * 7]


def test_every_table_can_be_sorted(page):
    script = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
    page.execute_script(script)
    tables = [table for table in find_all(page, "table.listing") if table.is_displayed()]
    assert len(tables) > 10
    for table in tables:
        buttons = find_all(table, "thead button")
        assert len(buttons) == len(find_all(table, "thead th"))
        page.execute_script("arguments[0].click()", buttons[-1])
        assert find_all(table, "thead th")[-1].get_attribute("aria-sort") != "none"


# Filtering -------------------------------------------------------------------------------------------------


def test_the_filter_leaves_the_lines_with_every_word_in_method_or_scenario(page):
    box = find(page, "#filter")
    box.send_keys("NAIVE")
    assert shown(page, f"{HEADLINE} tbody th") == ["naive", "naive"]
    assert find(page, "#found").text == "2 of 8 lines"
    box.send_keys(" task")
    assert shown(page, f"{HEADLINE} tbody th") == ["naive"]
    assert shown(page, ".scenario h3") == ["task-il/split-digits"]
    box.send_keys("x")
    assert shown(page, f"{HEADLINE} tbody th") == []
    assert find(page, "#found").text == "0 of 8 lines"
    box.send_keys(Keys.ENTER)  # which would send a form and load the page anew
    assert box.get_attribute("value") == "NAIVE taskx"
    box.clear()
    assert len(shown(page, f"{HEADLINE} tbody th")) == 8


def test_a_scenario_can_be_chosen(page):
    choice = Select(find(page, "#scenario"))
    assert [each.text for each in choice.options] == ["all", "domain-il/split-digits", "task-il/split-digits"]
    choice.select_by_visible_text("task-il/split-digits")
    assert shown(page, ".scenario h3") == ["task-il/split-digits"]
    assert find(page, "#found").text == "4 of 8 lines"
    choice.select_by_visible_text("all")
    assert len(shown(page, ".scenario h3")) == 2


def test_what_is_filtered_can_be_sorted(page):
    find(page, "#filter").send_keys("e domain")
    press(page, 2)
    assert shown(page, f"{HEADLINE} tbody th") == ["ewc", "naive", LONG]


# Cells -----------------------------------------------------------------------------------------------------


def open_cell(browser, place=1):
    link = find_all(browser, f"{HEADLINE} tbody th a")[place]
    link.click()
    return link


def test_a_cell_is_a_page_of_its_own_and_the_way_back_leads_to_where_one_was(page):
    page.execute_script("scrollTo(0, 500)")
    page.execute_script("arguments[0].click()", find_all(page, f"{HEADLINE} tbody th a")[5])
    wait_until(lambda: shown(page, ".cell h3") == ["ewc in task-il/split-digits"])
    assert shown(page, ".overview h2") == []
    assert find_all(page, ".cell.shown .matrix")
    page.back()
    wait_until(lambda: shown(page, ".cell h3") == [])
    assert "Results" in shown(page, ".overview h2")
    wait_until(lambda: page.execute_script("return scrollY") == 500)


def test_cells_lead_to_their_neighbours_and_back_to_their_scenario(page):
    open_cell(page)
    find(page, ".cell.shown a[rel=next]").click()
    wait_until(lambda: shown(page, ".cell h3") == [f"{LONG} in domain-il/split-digits"])
    find(page, ".cell.shown a[rel=prev]").click()
    wait_until(lambda: shown(page, ".cell h3") == ["ewc in domain-il/split-digits"])
    find(page, ".cell.shown nav a").click()
    wait_until(lambda: shown(page, ".cell h3") == [])
    assert page.execute_script("return document.querySelector('.scenario').getBoundingClientRect().top") < 100


def test_a_link_to_a_cell_opens_it(browser, address, page):
    anchor = find_all(page, ".cell")[2].get_attribute("id")
    browser.get("about:blank")
    browser.get(f"{address}#{anchor}")
    assert shown(browser, ".cell h3") == [f"{LONG} in domain-il/split-digits"]
    assert find_all(browser, ".cell.shown thead button")


def test_without_script_everything_is_there_one_below_another(browser, address):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address)
        assert len(shown(browser, ".cell h3")) == 8
        assert "Cells" in shown(browser, "h2")
        assert shown(browser, "button, input, select") == []
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


# Keyboard and copying --------------------------------------------------------------------------------------


def focused(browser):
    return browser.switch_to.active_element


def test_the_first_key_leads_past_the_head(page):
    find(page, "body").send_keys(Keys.TAB)
    assert focused(page).text == "Skip to the results"
    assert focused(page).rect["x"] >= 0
    focused(page).send_keys(Keys.ENTER)
    assert focused(page).get_attribute("id") == "main"


def test_the_keyboard_reaches_everything_in_order_sees_where_it_is_and_is_never_trapped(page):
    script = """
        const seen = document.activeElement;
        return [seen.tagName, getComputedStyle(seen).outlineStyle, getComputedStyle(seen).outlineWidth];
    """
    usable = "a[href], button, input, select, summary, [tabindex='0']"
    count = page.execute_script(
        f"return [...document.querySelectorAll({usable!r})].filter((each) => each.checkVisibility()).length"
    )
    steps = []
    for _ in range(count):
        focused(page).send_keys(Keys.TAB)
        steps.append(page.execute_script(script))
    assert {tag for tag, *_ in steps} >= {"A", "BUTTON", "INPUT", "SELECT", "SUMMARY", "PRE"}
    assert {(style, width) for _, style, width in steps} == {("solid", "3px")}
    assert focused(page).get_attribute("id") == "spec" or focused(page).text == "Copy"


def test_a_key_sorts(page):
    button = find(head(page, 2), "button")
    button.send_keys(Keys.ENTER)
    assert head(page, 2).get_attribute("aria-sort") == "descending"
    button.send_keys(Keys.SPACE)
    assert head(page, 2).get_attribute("aria-sort") == "ascending"


def test_the_command_can_be_copied(page):
    page.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite"]})
    button = find(page, ".copied button")
    page.execute_script("arguments[0].click()", button)
    wait_until(lambda: button.text == "Copied")
    copied = page.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied == "clsweep run sweep.yaml"


# Screens and paper -----------------------------------------------------------------------------------------

_OPEN_ALL = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
_CONTRASTS = """
const parse = (colour) => {
  const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
  return { r, g, b, a };
};
const linear = (x) => (x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
const light = ({ r, g, b }) => (
  0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255)
);
const over = (top, under) => {
  const mixed = (name) => top[name] * top.a + under[name] * (1 - top.a);
  return { r: mixed("r"), g: mixed("g"), b: mixed("b") };
};
const behind = (element) => {
  if (!element) return { r: 255, g: 255, b: 255 };
  return over(parse(getComputedStyle(element).backgroundColor), behind(element.parentElement));
};
const found = [];
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const other = element.closest("svg, .spoken, option, progress, script");
  if (!own || other || !element.checkVisibility()) continue;
  const lights = [light(parse(getComputedStyle(element).color)), light(behind(element))];
  const ratio = (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
  found.push([ratio, `${element.tagName} ${element.className} ${element.textContent.slice(0, 30)}`]);
}
return found;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_enough_contrast(page, scheme):
    emulate(page, prefers_color_scheme=scheme)
    page.execute_script(_OPEN_ALL)
    overview = page.execute_script(_CONTRASTS)
    open_cell(page)
    cell = page.execute_script(_CONTRASTS)
    assert len(overview) > 100
    assert len(cell) > 100
    assert min([*overview, *cell])[0] >= 4.5, min([*overview, *cell])


def test_the_page_is_dark_where_the_reader_wants_that_and_plots_stay_on_white(page):
    script = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor"
    assert page.execute_script(script, "body") == "rgb(255, 255, 255)"
    emulate(page, prefers_color_scheme="dark")
    assert page.execute_script(script, "body") == "rgb(20, 23, 27)"
    assert page.execute_script(script, ".picture .scroll") == "rgb(255, 255, 255)"


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_the_page_never_scrolls_sideways(page, width):
    resize(page, (width, 740))
    page.execute_script(_OPEN_ALL)
    widest = "return document.documentElement.scrollWidth"
    assert page.execute_script(widest) <= width
    for place in (1, 2):
        page.execute_script("location.hash = document.querySelectorAll('.cell')[arguments[0]].id", place)
        wait_until(lambda: page.execute_script("return document.body.matches('.one-cell')"))
        page.execute_script(_OPEN_ALL)
        assert page.execute_script(widest) <= width


def test_on_a_phone_wide_tables_scroll_within_themselves_by_keyboard_too(page):
    resize(page, PHONE)
    wait_until(lambda: find(page, ".filtered .scroll").get_attribute("tabindex") == "0")
    box = find(page, ".filtered .scroll")
    assert (box.get_attribute("role"), box.get_attribute("aria-label")) == (
        "region",
        "domain-il/split-digits",
    )
    box.send_keys(Keys.ARROW_RIGHT)
    wait_until(lambda: page.execute_script("return arguments[0].scrollLeft", box) > 0)
    # The names stay in sight.
    assert find(box, "tbody th").rect["x"] < 40


def test_what_a_finger_presses_is_large_enough_on_a_phone(page):
    resize(page, PHONE)
    script = """
        return [...document.querySelectorAll("button, input, select, summary")]
          .filter((each) => each.checkVisibility()).map((each) => each.getBoundingClientRect().height)
    """
    assert min(page.execute_script(script)) >= 24


def test_nothing_moves_by_itself(page):
    script = """
        return [...document.querySelectorAll("body, body *")].filter((each) => {
          const style = getComputedStyle(each);
          return style.animationName !== "none" || !/^0s(, 0s)*$/.test(style.transitionDuration);
        }).length
    """
    assert page.execute_script(script) == 0
    assert page.execute_script("return getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_on_paper_everything_is_there_and_nothing_to_press(page):
    emulate(page, media="print", prefers_color_scheme="dark")
    visible = "return [...document.querySelectorAll(arguments[0])].map((each) => each.checkVisibility())"
    for selector in (".cell", ".overview h2", ".matrix", ".picture svg", "details pre", ".cell .facts"):
        assert set(page.execute_script(visible, selector)) == {True}, selector
    for selector in ("#controls", ".skip", "nav", ".copied button"):
        assert set(page.execute_script(visible, selector)) == {False}, selector
    assert (
        page.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    )


def test_it_can_be_printed(page):
    resize(page, (700, 1000))  # about what paper is wide
    printed = page.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert 5 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 40


def test_on_paper_no_table_is_wider_than_the_sheet(page):
    emulate(page, media="print")
    resize(page, (690, 1000))  # A4 less its margins, in CSS pixels
    script = """
        return [...document.querySelectorAll("table, figure svg, pre")]
          .map((each) => [each.getBoundingClientRect().right, each.textContent.slice(0, 60)])
          .filter(([right]) => right > innerWidth)
    """
    assert page.execute_script(script) == []


# News ------------------------------------------------------------------------------------------------------


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
    return find(browser, ".status").text


def test_news_come_by_themselves_and_what_the_reader_chose_stays(browser, tmp_path):
    store = rows_of(2).written(tmp_path / "tiny")
    with served(store) as address:
        browser.get(address)
        press(browser, 2)
        find(browser, "#filter").send_keys("e")
        Select(find(browser, "#scenario")).select_by_visible_text("domain-il/split-digits")
        find_all(browser, ".scenario details")[0].find_element(By.TAG_NAME, "summary").click()
        browser.execute_script("arguments[0].focus()", find(head(browser, 2), "button"))
        browser.execute_script("scrollTo(0, 120)")
        assert status(browser) == "16 of 24 trials complete, 1 failed, 7 to come"
        rows_of(3).written(tmp_path / "tiny")
        wait_until(lambda: status(browser).startswith("24 of"))
        assert shown(browser, f"{HEADLINE} tbody th") == ["ewc", "naive", LONG]
        assert head(browser, 2).get_attribute("aria-sort") == "descending"
        assert find(browser, "#filter").get_attribute("value") == "e"
        assert shown(browser, ".scenario h3") == ["domain-il/split-digits"]
        assert not find_all(browser, ".scenario details")[0].get_property("open")
        assert focused(browser).text.startswith("ACC")
        assert browser.execute_script("return scrollY") == 120
        assert [n for n in column(browser, 1) if n] == ["3/4"] * 3
        browser.get("about:blank")


def test_an_opened_cell_stays_open_and_gets_its_news(browser, tmp_path):
    store = rows_of(2).written(tmp_path / "tiny")
    with served(store) as address:
        browser.get(address)
        open_cell(browser, 0)
        wait_until(lambda: "2 of 3 seeds complete" in find(browser, ".cell.shown").text)
        find(browser, ".cell.shown details summary").click()
        rows_of(3).written(tmp_path / "tiny")
        wait_until(lambda: "3 of 4 seeds complete" in find(browser, ".cell.shown").text)
        assert shown(browser, ".cell h3") == ["naive in domain-il/split-digits"]
        assert find(browser, ".cell.shown details").get_property("open")
        assert find_all(browser, ".cell.shown thead button")
        browser.get("about:blank")


def test_a_page_whose_server_has_gone_says_so(browser, tmp_path):
    with served(rows_of(1).written(tmp_path / "tiny")) as address:
        browser.get(address)
        assert find(browser, "#connection").text == ""
    wait_until(lambda: "No answer from clsweep serve since" in find(browser, "#connection").text)
    assert len(shown(browser, f"{HEADLINE} tbody th")) == 8
    browser.get("about:blank")
    assert {entry["message"].rpartition(" ")[2] for entry in browser.get_log("browser")} == {
        "net::ERR_CONNECTION_REFUSED"
    }


def test_trouble_stands_above_the_page_and_goes_away_again(browser, tmp_path, monkeypatch):
    store = rows_of(1).written(tmp_path / "tiny")
    with served(store) as address:
        browser.get(address)
        with monkeypatch.context() as patched:
            patched.setattr("orchestrator.serving._state", lambda _: 1 / 0)
            wait_until(lambda: shown(browser, ".trouble") == ["This is not the newest: division by zero"])
        wait_until(lambda: shown(browser, ".trouble") == [])
        browser.get("about:blank")
