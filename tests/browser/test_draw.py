"""The widgets of notebook 07 draw themselves on a bare page, light and dark, so that they can be read."""

from __future__ import annotations

import pytest

from tests.browser.draw import nat_pictures, page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CONTRAST = """() => {
  const light = (text) => { const [r, g, b] = text.match(/[\\d.]+/g).map(Number); return 0.3 * r + 0.59 * g + 0.11 * b; };
  const root = getComputedStyle(document.querySelector(".kn"));
  return Math.abs(light(root.color) - light(root.backgroundColor));
}"""


@pytest.fixture(scope="module")
def pictures():  # type: ignore[no-untyped-def]
    return nat_pictures()


@pytest.mark.parametrize("light", [True, False], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["nat", "firewall", "connections", "hooks", "journey", "fdb", "topology"])
def test_a_widget_draws_itself_readably(name: str, light: bool, pictures, browser) -> None:  # type: ignore[no-untyped-def]
    browser.set_content(page(pictures[name], light))
    browser.wait_for_selector("body[data-drawn]", timeout=180_000)
    assert browser.failures == []
    assert browser.evaluate(CONTRAST) > 120
    if name in ("nat", "firewall"):
        assert browser.locator("tr.kn-hit").count() >= 1
    if name == "hooks":
        assert browser.locator(".kn-hook.kn-lit").evaluate_all("all => all.map(one => one.dataset.spot)") == ["PREROUTING", "POSTROUTING"]
    if name == "journey":
        assert browser.locator(".kn-hook.kn-lit").get_attribute("data-spot") == "PREROUTING"
        assert "192.168.15.2" in browser.locator(".kn-diff").first.inner_text()
