// Address pools: the drawing of each, and who has what below it.

function render({ model, el: host }) {
  const [root, stop] = rootOf(host, model.get("caption"));

  function owners(pool) {
    const table = el("table", { class: "kn-table" });
    const head = el("tr");
    ["address", "namespace", "interface", "container"].forEach((name) => head.append(el("th", { scope: "col" }, name)));
    table.append(el("thead", {}, head));
    const body = el("tbody");
    for (const row of pool.given) {
      const line = el("tr");
      row.forEach((cell) => line.append(el("td", {}, cell)));
      body.append(line);
    }
    table.append(body);
    return el("div", { class: "kn-scroll" }, table);
  }

  function draw() {
    root.replaceChildren(el("div", { class: "kn-head" }, model.get("caption")));
    const pools = model.get("pools");
    for (const pool of pools) {
      const facts = [`${pool.given.length} of ${pool.size} given`, `${pool.free} free`];
      if (pool.last) facts.push(`last given ${pool.last}`);
      facts.push(pool.next ? `next ${pool.next}` : "nothing left: the next ADD fails");
      root.append(el("div", { class: "kn-pool" }, el("b", {}, pool.name), ` ${facts.join(", ")}`));
      root.append(drawing(pool.svg));
      if (pool.given.length) root.append(owners(pool));
    }
    if (pools.length) root.append(drawing(model.get("legend")));
    if (!pools.length) root.append(el("div", { class: "kn-empty" }, model.get("alt").split("\n").slice(1).join(" ")));
    root.append(el("div", { class: "kn-sr" }, model.get("alt")));
    const note = noteOf(model);
    if (note) root.append(note);
  }

  draw();
  model.on("change:pools change:note change:alt", draw);
  return () => { stop(); model.off("change:pools change:note change:alt", draw); };
}

export default { render };
