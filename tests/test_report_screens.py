"""The report on every screen and on paper: contrast, dark, phones, motion, print."""

from __future__ import annotations

import base64
import re

import pytest
from browsers import OPEN_ALL, PHONE, emulate, find, open_cell, resize
from commands import wait_until
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.chromium

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
    page.execute_script(OPEN_ALL)
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
    page.execute_script(OPEN_ALL)
    widest = "return document.documentElement.scrollWidth"
    assert page.execute_script(widest) <= width
    for place in (1, 2):
        page.execute_script("location.hash = document.querySelectorAll('.cell')[arguments[0]].id", place)
        wait_until(lambda: page.execute_script("return document.body.matches('.one-cell')"))
        page.execute_script(OPEN_ALL)
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
