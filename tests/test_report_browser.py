"""The report in a real browser: sorting, filtering, cells as pages of their own, keyboard, copying."""

from __future__ import annotations

import pytest
from browsers import HEADLINE, LONG, column, find, find_all, focused, head, open_cell, press, shown, text
from commands import wait_until
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

pytestmark = pytest.mark.chromium

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
    assert text(page, "#found") == "2 of 8 lines"
    box.send_keys(" task")
    assert shown(page, f"{HEADLINE} tbody th") == ["naive"]
    assert shown(page, ".scenario h3") == ["task-il/split-digits"]
    box.send_keys("x")
    assert shown(page, f"{HEADLINE} tbody th") == []
    assert text(page, "#found") == "0 of 8 lines"
    box.send_keys(Keys.ENTER)  # which would send a form and load the page anew
    assert box.get_attribute("value") == "NAIVE taskx"
    box.clear()
    assert len(shown(page, f"{HEADLINE} tbody th")) == 8


def test_a_scenario_can_be_chosen(page):
    choice = Select(find(page, "#scenario"))
    assert [each.text for each in choice.options] == ["all", "domain-il/split-digits", "task-il/split-digits"]
    choice.select_by_visible_text("task-il/split-digits")
    assert shown(page, ".scenario h3") == ["task-il/split-digits"]
    assert text(page, "#found") == "4 of 8 lines"
    choice.select_by_visible_text("all")
    assert len(shown(page, ".scenario h3")) == 2


def test_what_is_filtered_can_be_sorted(page):
    find(page, "#filter").send_keys("e domain")
    press(page, 2)
    assert shown(page, f"{HEADLINE} tbody th") == ["ewc", "naive", LONG]


# Cells -----------------------------------------------------------------------------------------------------


def test_a_cell_is_a_page_of_its_own_and_the_way_back_leads_to_where_one_was(page):
    find(page, "a[href='#results']").click()
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


def test_a_link_to_a_cell_opens_it(browser, report_address, page):
    anchor = find_all(page, ".cell")[2].get_attribute("id")
    browser.get("about:blank")
    browser.get(f"{report_address}#{anchor}")
    assert shown(browser, ".cell h3") == [f"{LONG} in domain-il/split-digits"]
    assert find_all(browser, ".cell.shown thead button")


def test_without_script_everything_is_there_one_below_another(browser, report_address):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(report_address)
        assert len(shown(browser, ".cell h3")) == 8
        assert "Cells" in shown(browser, "h2")
        assert shown(browser, "button, input, select") == []
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


# Keyboard and copying --------------------------------------------------------------------------------------


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
