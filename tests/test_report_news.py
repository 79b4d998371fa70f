"""The report while a sweep runs: news come by themselves, and no name in them is taken for code."""

from __future__ import annotations

import pytest
from browsers import (
    FORGETS,
    HEADLINE,
    LONG,
    OPEN_ALL,
    column,
    find,
    find_all,
    focused,
    head,
    open_cell,
    press,
    rows_of,
    served,
    shown,
    status,
    text,
)
from commands import wait_until
from made_rows import Rows
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from results.schema import FAILED

pytestmark = pytest.mark.chromium


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
        wait_until(lambda: "2 of 3 seeds complete" in text(browser, ".cell.shown"))
        find(browser, ".cell.shown details summary").click()
        browser.execute_script("scrollTo(0, 200)")
        rows_of(3).written(tmp_path / "tiny")
        wait_until(lambda: "3 of 4 seeds complete" in text(browser, ".cell.shown"))
        assert shown(browser, ".cell h3") == ["naive in domain-il/split-digits"]
        assert find(browser, ".cell.shown details").get_property("open")
        assert browser.execute_script("return scrollY") == 200
        assert find_all(browser, ".cell.shown thead button")
        browser.get("about:blank")


def test_a_page_whose_server_has_gone_says_so(browser, tmp_path):
    with served(rows_of(1).written(tmp_path / "tiny")) as address:
        browser.get(address)
        assert text(browser, "#connection") == ""
    wait_until(lambda: "No answer from clsweep serve since" in text(browser, "#connection"))
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


def test_no_name_is_taken_for_code(browser, tmp_path):
    names = [
        "<img src=x onerror=\"document.title = 'taken'\">",
        "</script><script>document.title = 'taken'</script>",
        '" onfocus="document.title = \'taken\'" autofocus="',
        "a$b$ \\frac{1} _c %s {{ 1 + 1 }}",
    ]
    rows = Rows()
    for name in names:
        rows.add(name, 0, FORGETS)
        rows.add(name, 1, FORGETS, status=FAILED, error=name, error_cause=name)
    with served(rows.written(tmp_path / "tiny")) as address:
        browser.get(address)
        assert shown(browser, f"{HEADLINE} tbody th") == names
        press(browser, 0)
        find(browser, "#filter").send_keys("</script>")
        assert shown(browser, f"{HEADLINE} tbody th") == [names[1]]
        open_cell(browser, column(browser, 0).index(names[1]))
        browser.execute_script(OPEN_ALL)
        wait_until(lambda: shown(browser, ".cell h3") == [f"{names[1]} in domain-il/split-digits"])
        rows.add("more", 1, FORGETS).written(tmp_path / "tiny")
        wait_until(lambda: status(browser).startswith("5 of"))
        assert browser.title == "tiny – clsweep"
        browser.get("about:blank")
