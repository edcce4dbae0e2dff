// The network; a machine can be chosen with the mouse or the keyboard.

function render({ model, el: host }) {
  const [root, stop] = rootOf(host, `Network: ${model.get("title")}`);
  const machines = () => [...root.querySelectorAll(".kn-machine[role=button]")];

  function choose(name) {
    model.set("selected", model.get("selected") === name ? "" : name);
    model.save_changes();
  }

  /** The machine that lies in the direction of an arrow key from where the focus is. */
  function neighbour(from, key) {
    const centre = (node) => { const box = node.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; };
    const [x, y] = centre(from);
    let best = null;
    for (const node of machines()) {
      const [nx, ny] = centre(node);
      const along = { ArrowRight: nx - x, ArrowLeft: x - nx, ArrowDown: ny - y, ArrowUp: y - ny }[key];
      const across = Math.abs(key === "ArrowRight" || key === "ArrowLeft" ? ny - y : nx - x);
      const far = along + 2 * across;
      if (node !== from && along > 4 && (!best || far < best.far)) best = { node, far };
    }
    return best && best.node;
  }

  function onkey(event) {
    const node = event.target.closest && event.target.closest(".kn-machine[role=button]");
    if (!node) return;
    if (event.key === "Enter" || event.key === " ") choose(node.dataset.machine);
    else if (event.key === "Escape") choose("");
    else if (event.key === "Home" || event.key === "End") machines().at(event.key === "Home" ? 0 : -1).focus();
    else if (event.key.startsWith("Arrow")) { const next = neighbour(node, event.key); if (next) next.focus(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function draw() {
    const focused = document.activeElement && root.contains(document.activeElement) ? document.activeElement.dataset.machine : null;
    const picture = drawing(model.get("svg"));
    picture.addEventListener("click", (event) => {
      const node = event.target.closest(".kn-machine[role=button]");
      if (node) { node.focus(); choose(node.dataset.machine); }
    });
    picture.addEventListener("keydown", onkey);
    root.replaceChildren(picture, el("div", { class: "kn-detail", "aria-live": "polite" }));
    root.append(el("div", { class: "kn-sr" }, model.get("alt")));
    detail();
    if (focused) for (const node of machines()) if (node.dataset.machine === focused) node.focus();
  }

  function detail() {
    const chosen = model.get("selected");
    for (const node of machines()) {
      node.classList.toggle("kn-chosen", node.dataset.machine === chosen);
      node.setAttribute("aria-pressed", String(node.dataset.machine === chosen));
    }
    const box = root.querySelector(".kn-detail");
    box.replaceChildren();
    for (const part of chosen ? model.get("detail") : []) {
      box.append(el("div", { class: "kn-legend" }, part.command), el("pre", {}, part.text));
    }
    if (!chosen) box.append(el("div", { class: "kn-legend" }, "Choose a machine to see its tables (click, or Tab and arrow keys, then Enter)."));
    const note = noteOf(model);
    if (note) box.append(note);
  }

  draw();
  model.on("change:svg", draw);
  model.on("change:detail change:selected change:note", detail);
  return () => { stop(); model.off("change:svg", draw); model.off("change:detail change:selected change:note", detail); };
}

export default { render };
