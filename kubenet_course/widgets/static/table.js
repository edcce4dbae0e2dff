// A table whose rows carry marks for what changed since it was last read.

const WORDS = { new: "new", changed: "changed", gone: "gone", hit: "hit" };

/** A cell's text; an option such as -o is not torn apart at its hyphen where the line is full. */
function unbroken(text) {
  return text.split(/( +)/).map((word) => (word.startsWith("-") ? el("span", { class: "kn-option" }, word) : word));
}

function render({ model, el: host }) {
  const [root, stop] = rootOf(host, model.get("caption"));

  function move(event) {
    const rows = [...root.querySelectorAll("tbody tr[tabindex]")];
    const at = rows.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, ArrowLeft: at, ArrowRight: at, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault(); // at the first and the last row, too: else the notebook goes to another cell
    event.stopPropagation();
    if (!rows[to]) return;
    rows[at].tabIndex = -1;
    rows[to].tabIndex = 0;
    rows[to].focus();
  }

  function draw() {
    const rows = model.get("rows");
    const columns = model.get("columns");
    const table = el("table", { class: "kn-table", onkeydown: move }, el("caption", {}, model.get("caption")));
    const marks = rows.some((row) => row.mark);
    const blank = () => el("td", { class: "kn-mark" });
    if (rows.length) {
      const head = el("tr", {}, marks ? el("th", { scope: "col" }, el("span", { class: "kn-sr" }, "change")) : null);
      columns.forEach((name) => head.append(el("th", { scope: "col" }, name)));
      table.append(el("thead", {}, head));
    }
    const body = el("tbody");
    let first = true;
    for (const row of rows) {
      const line = el("tr", { class: row.section ? "kn-section" : row.state ? `kn-${row.state}` : null });
      if (row.section) {
        line.append(el("td", { colspan: columns.length + (marks ? 1 : 0) }, row.cells[0]));
      } else {
        line.tabIndex = first ? 0 : -1;
        first = false;
        if (marks) {
          const mark = blank();
          if (row.mark) mark.append(el("span", { "aria-hidden": "true" }, row.mark), el("span", { class: "kn-sr" }, WORDS[row.state]));
          line.append(mark);
        }
        row.cells.forEach((cell) => line.append(el("td", {}, ...unbroken(cell))));
      }
      body.append(line);
    }
    table.append(body);
    root.replaceChildren(el("div", { class: "kn-scroll" }, table));
    if (!rows.some((row) => !row.section)) root.append(el("div", { class: "kn-empty" }, `(${model.get("empty")})`));
    if (model.get("legend")) root.append(el("div", { class: "kn-legend" }, model.get("legend")));
    const note = noteOf(model);
    if (note) root.append(note);
  }

  draw();
  model.on("change:rows change:caption change:note change:legend", draw);
  return () => { stop(); model.off("change:rows change:caption change:note change:legend", draw); };
}

export default { render };
