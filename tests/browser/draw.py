"""Draw widgets by themselves, without JupyterLab: their own script and style on a page that plays the model.

    python -m tests.browser.draw FOLDER    the pictures of a lab with NAT, light and dark, as PNG
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.browser.conftest import ARGS

PAGE = """<!doctype html><meta charset="utf-8"><style>{css}</style>
<body data-jp-theme-light="{light}" style="margin:12px;background:{background};font-family:sans-serif">
<div id="here"></div><script type="module">
const state = {state};
const model = {{ get: (name) => state[name], set: (name, value) => {{ state[name] = value; }}, save_changes() {{}}, on() {{}}, off() {{}} }};
const script = URL.createObjectURL(new Blob([{esm}], {{ type: "text/javascript" }}));
const widget = (await import(script)).default;
await widget.render({{ model, el: document.getElementById("here") }});
document.body.dataset.drawn = "yes";
</script>"""


def page(widget: Any, light: bool) -> str:
    """The HTML page on which a widget draws itself."""
    state = {name: value for name, value in widget.get_state().items() if not name.startswith("_")}
    return PAGE.format(
        css=widget._css,
        esm=json.dumps(str(widget._esm)).replace("</", "<\\/"),
        state=json.dumps(state).replace("</", "<\\/"),
        light="true" if light else "false",
        background="#fff" if light else "#111",
    )


def draw(widgets: dict[str, Any], folder: Path, width: int = 900) -> list[Path]:
    """One PNG for each widget and theme; an error of a script raises."""
    from playwright.sync_api import sync_playwright

    made, failures = [], []
    with sync_playwright() as running, tempfile.TemporaryDirectory() as profile:
        context = running.chromium.launch_persistent_context(
            profile, executable_path=shutil.which("chromium"), args=ARGS, viewport={"width": width, "height": 200}
        )
        tab = context.pages[0]
        tab.on("pageerror", lambda error: failures.append(str(error)))
        for name, widget in widgets.items():
            for theme in ("light", "dark"):
                tab.set_content(page(widget, theme == "light"))
                tab.wait_for_selector("body[data-drawn]", timeout=180_000)
                path = folder / f"{name}-{theme}.png"
                tab.screenshot(path=str(path), full_page=True)
                made.append(path)
        context.close()
    if failures:
        raise RuntimeError("; ".join(failures))
    return made


def nat_pictures() -> dict[str, Any]:
    """The pictures of notebook 07, from the lab as it is there at the end."""
    from kubenet_course import Lab
    from kubenet_course.course.bridged import SERVED

    publish = "iptables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80"
    with Lab.load("bridge-nat") as lab:
        for machine, command in (*SERVED, ("host", publish), ("host", "iptables -A FORWARD -s 192.168.15.1 -j REJECT")):
            lab.run(machine, command)
        tables = {"nat": lab.nat("host"), "firewall": lab.firewall("host"), "connections": lab.connections("host")}
        journey = lab.journey("laptop", "nc -z -w 1 192.168.1.2 80")
        journey.index = next(i for i, stage in enumerate(journey.stages) if stage["kind"] == "address change")
        lab.run("host", "ip netns exec red ping -c 1 -W 1 8.8.8.8; ip netns exec blue ping -c 2 8.8.8.8")
        lab.run("host", "iptables -A FORWARD -s 192.168.15.0/24 -j ACCEPT")
        for table in tables.values():
            table.refresh()
        hooks = lab.hooks("PREROUTING", "POSTROUTING")
        return {**tables, "hooks": hooks, "journey": journey, "fdb": lab.fdb("v-net-0"), "topology": lab.topology()}


if __name__ == "__main__":
    for made in draw(nat_pictures(), Path(sys.argv[1])):
        print(made)
