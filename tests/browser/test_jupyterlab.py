"""In a real browser on a real JupyterLab: run a notebook, step through a journey, see a table change."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
#: Set to a folder to keep pictures of what was seen (docs/ was made so).
PICTURES = os.environ.get("KUBENET_PICTURES", "")

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def run_all(page: Any, lab: Any, name: str, until: str) -> None:
    """Open a notebook, Run All, and wait for a text of the last output."""
    page.goto(lab.url(name))
    page.get_by_role("menuitem", name="Run", exact=True).wait_for()
    ready(page)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.locator(".jp-OutputArea-output", has_text=until).last.wait_for()


def ready(page: Any) -> None:
    """Wait until the notebook is drawn and its kernel has answered."""
    page.locator(".jp-Notebook").first.wait_for()
    page.locator(".jp-StatusBar-Widget, #jp-main-statusbar").get_by_text("| Idle").first.wait_for()


def active_cell(page: Any) -> int:
    """The number of the cell that JupyterLab's own keys act on."""
    return page.evaluate("[...document.querySelectorAll('.jp-Cell')].findIndex((cell) => cell.classList.contains('jp-mod-active'))")


def stays_when_keys_are_pressed(page: Any, element: Any) -> None:
    """Arrows, Home and End belong to the picture that has the focus, also where it can go no further."""
    element.focus()
    before = active_cell(page)
    for key in ("ArrowDown", "ArrowRight", "End", "ArrowDown", "ArrowLeft", "Home", "ArrowUp"):
        page.keyboard.press(key)
        page.wait_for_timeout(100)
        assert active_cell(page) == before, key


def shows(element: Any, beginning: str) -> None:
    """Wait until the element's text begins so."""
    element.filter(has_text=re.compile(rf"^\s*{re.escape(beginning)}\b")).wait_for()


def picture(page: Any, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


def theme(page: Any, name: str) -> None:
    """Settings → Theme → JupyterLab Dark or Light."""
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text(f"JupyterLab {name}", exact=True).click()
    page.wait_for_function(
        f"document.body.dataset.jpThemeLight === '{'false' if name == 'Dark' else 'true'}'"
    )
    page.locator("#jupyterlab-splash").wait_for(state="detached")


def test_a_packets_journey_with_mouse_and_keyboard_and_a_route_table_that_changes(jupyterlab, browser):
    shutil.copy(HERE / "journey.ipynb", jupyterlab.folder / "journey.ipynb")
    run_all(browser, jupyterlab, "journey.ipynb", "all done")

    # the route table was drawn before the route was added, and shows it now
    table = browser.locator("table.kn-table", has_text="Routes of A").first
    added = table.locator("tr.kn-new")
    added.wait_for()
    assert "10.99.0.0/16" in added.inner_text()
    assert "+" in added.inner_text()
    table.scroll_into_view_if_needed()
    picture(browser, "routes")

    journey = browser.locator(".kn-journey").first
    journey.scroll_into_view_if_needed()
    position = journey.locator(".kn-pos")
    total = int(position.inner_text().split()[-1])
    assert total > 10
    shows(position, "1 of")

    # the mouse
    journey.get_by_role("button", name="one stage forward").click()
    shows(position, "2 of")
    journey.locator(".kn-what", has_text="default via 192.168.1.1").wait_for()
    journey.get_by_role("button", name="last stage").click()
    shows(position, f"{total} of")
    journey.get_by_role("button", name="first stage").click()

    # the keyboard
    journey.focus()
    for key, expected in (
        ("ArrowRight", 2),
        ("ArrowRight", 3),
        ("ArrowLeft", 2),
        ("End", total),
        ("Home", 1),
    ):
        browser.keyboard.press(key)
        shows(position, f"{expected} of")
    browser.keyboard.press(" ")
    browser.wait_for_function("parseInt(document.querySelector('.kn-pos').textContent) >= 3")
    browser.keyboard.press(" ")
    journey.get_by_role("button", name="play", exact=True).wait_for()

    # to where the router forwards: device, hook and changed field are lit
    browser.keyboard.press("Home")
    for _ in range(total):
        if "forwarding is on" in journey.locator(".kn-what").inner_text():
            break
        browser.keyboard.press("ArrowRight")
    assert journey.locator(".kn-machine.kn-lit").get_attribute("data-machine") == "router"
    assert journey.locator(".kn-hook.kn-lit").get_attribute("data-spot") == "FORWARD"
    assert "63" in journey.locator(".kn-diff").inner_text()
    journey.scroll_into_view_if_needed()
    picture(browser, "journey")
    theme(browser, "Dark")
    browser.wait_for_function("[...document.querySelectorAll('.kn')].every((one) => one.dataset.knTheme === 'dark')")
    picture(browser, "journey-dark")
    theme(browser, "Light")
    assert browser.strangers == []
    assert browser.failures == []


def test_choosing_a_machine_shows_its_tables(jupyterlab, browser):
    shutil.copy(HERE / "journey.ipynb", jupyterlab.folder / "topology.ipynb")
    run_all(browser, jupyterlab, "topology.ipynb", "all done")
    map_ = browser.locator(".kn-map").first
    map_.scroll_into_view_if_needed()
    map_.locator("[data-machine=A]").click(position={"x": 10, "y": 40})
    detail = browser.locator(".kn-detail pre").first
    detail.wait_for()
    detail.filter(has_text="default via 192.168.1.1 dev eth0").wait_for()
    picture(browser, "topology")

    stays_when_keys_are_pressed(browser, map_.locator("[data-machine=A]"))
    stays_when_keys_are_pressed(browser, browser.locator("table.kn-table tr[tabindex='0']").first)
    stays_when_keys_are_pressed(browser, browser.locator(".kn-journey").first)

    # with the keyboard: one machine to the right, and choose it
    map_.locator("[data-machine=A]").focus()
    browser.keyboard.press("ArrowRight")
    browser.keyboard.press("ArrowRight")
    browser.keyboard.press("Enter")
    browser.locator(".kn-detail .kn-legend", has_text="router$ ip route").wait_for()
    browser.keyboard.press("Escape")
    browser.locator(".kn-detail .kn-legend", has_text="Choose a machine").wait_for()
    assert browser.failures == []


def test_a_cell_of_commands_runs_in_the_kubenet_kernel(jupyterlab, browser):
    shutil.copy(HERE / "commands.ipynb", jupyterlab.folder / "commands.ipynb")
    run_all(browser, jupyterlab, "commands.ipynb", "all done")
    outputs = browser.locator(".jp-OutputArea-output").all_inner_texts()
    text = "\n".join(outputs)
    assert "default via 192.168.1.1 dev eth0" in text
    assert "cannot access" in text
    assert "[2]" in text
    assert "Traceback" not in text
    picture(browser, "kernel")


NOTEBOOK = HERE.parent.parent / "notebooks" / "02_routing.ipynb"


def test_notebook_02_runs_and_its_journey_can_be_walked(jupyterlab, browser):
    """The course's own notebook: Run All, a packet's journey by mouse and keyboard, a table that changes."""
    shutil.copy(NOTEBOOK, jupyterlab.folder / "02_routing.ipynb")
    browser.goto(jupyterlab.url("02_routing.ipynb"))
    ready(browser)
    browser.get_by_role("menuitem", name="Kernel", exact=True).click()
    browser.get_by_text("Restart Kernel and Run All Cells…", exact=True).click()
    browser.locator(".jp-Dialog .jp-mod-accept").click()
    journey = scrolled_to(browser, ".kn-journey")
    position = journey.locator(".kn-pos")
    total = int(position.inner_text().split()[-1])
    journey.get_by_role("button", name="one stage forward").click()
    shows(position, "2 of")
    journey.focus()
    browser.keyboard.press("End")
    shows(position, f"{total} of")
    browser.keyboard.press("Home")
    browser.keyboard.press("ArrowRight")
    shows(position, "2 of")
    picture(browser, "notebook-02-journey")
    table = scrolled_to(browser, "table.kn-table:has(tr.kn-new, tr.kn-changed, tr.kn-gone)")
    assert "Routes of" in table.inner_text()
    picture(browser, "notebook-02-routes")
    assert browser.failures == []


def scrolled_to(page: Any, selector: str) -> Any:
    """The first such element; the notebook is scrolled for it, because cells out of sight are not drawn.

    On a busy computer they are not drawn at once either: each way through the notebook is slower than the last.
    """
    found = page.locator(selector).first
    box = page.locator(".jp-WindowedPanel-outer").first
    for patience in (0.25, 0.5, 1, 2, 4):
        box.evaluate("(box) => { box.scrollTop = 0; }")
        at_end = False
        while not at_end:
            page.wait_for_timeout(patience * 1000)
            if found.count():
                found.scroll_into_view_if_needed()
                return found
            at_end = box.evaluate("(box) => box.scrollTop + 500 >= box.scrollHeight - box.clientHeight")
            box.evaluate("(box) => { box.scrollTop += 500; }")
    raise AssertionError(f"nothing in the notebook is {selector}")


NOTEBOOK_07 = HERE.parent.parent / "notebooks" / "07_bridges_nat.ipynb"


def test_notebook_07_shows_where_an_address_changes_and_which_rules_were_hit(jupyterlab, browser):
    """NAT in a real JupyterLab: the hook is lit, the journey shows the rewritten address, the tables count."""
    shutil.copy(NOTEBOOK_07, jupyterlab.folder / "07_bridges_nat.ipynb")
    browser.goto(jupyterlab.url("07_bridges_nat.ipynb"))
    ready(browser)
    browser.get_by_role("menuitem", name="Kernel", exact=True).click()
    browser.get_by_text("Restart Kernel and Run All Cells…", exact=True).click()
    browser.locator(".jp-Dialog .jp-mod-accept").click()
    hooks = scrolled_to(browser, ".kn-hooks:not(.kn-journey .kn-hooks)")
    assert hooks.locator(".kn-hook.kn-lit").get_attribute("data-spot") == "POSTROUTING"
    journey = scrolled_to(browser, ".kn-journey")
    for _ in range(60):
        if "becomes 192.168.1.2" in journey.locator(".kn-what").inner_text():
            break
        journey.get_by_role("button", name="one stage forward").click()
    assert journey.locator(".kn-hook.kn-lit").get_attribute("data-spot") == "POSTROUTING"
    assert "192.168.15.2 → 192.168.1.2" in journey.locator(".kn-diff").first.inner_text()
    journey.scroll_into_view_if_needed()
    picture(browser, "notebook-07-journey")
    nat = scrolled_to(browser, "table.kn-table:has-text('NAT rules of host')")
    nat.locator("td", has_text="destination becomes 192.168.15.2:80").first.wait_for()
    firewall = scrolled_to(browser, "table.kn-table:has-text('Firewall of host')")
    firewall.locator("td", has_text="REJECT").first.wait_for()
    picture(browser, "notebook-07-firewall")
    assert browser.failures == []
