// How a name was resolved: the diagram, and below it the records of the step that is chosen.

function render({ model, el: host }) {
  const [root, stop] = rootOf(host, "How a name was resolved");
  const head = el("div", { class: "kn-head" }, el("code", {}, model.get("command")));
  const facts = el("div", { class: "kn-legend" }, model.get("facts").join("  ·  "));
  const figure = drawing(model.get("svg"));
  const below = el("div", { class: "kn-now kn-resolved", "aria-live": "polite" });
  const box = el("div", { class: "kn-journey", tabindex: 0, role: "group", onkeydown: key,
    "aria-label": `${model.get("command")}: how a name was resolved. Arrow keys choose a step.` }, head, facts, figure, below);
  root.append(box, el("div", { class: "kn-sr" }, model.get("alt")));

  function choose(number) {
    const steps = model.get("steps");
    if (!steps.length) return;
    model.set("index", Math.max(0, Math.min(steps.length - 1, number)));
    model.save_changes();
  }

  function key(event) {
    const moves = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -1e6, End: 1e6 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    choose(Math.max(0, model.get("index")) + moves[event.key] * (model.get("index") < 0 && moves[event.key] === 1 ? 0 : 1));
  }

  function paint() {
    const number = model.get("index");
    figure.querySelectorAll("[data-step]").forEach((group) => {
      group.classList.toggle("kn-chosen", Number(group.dataset.step) === number);
    });
    const step = model.get("steps")[number];
    below.replaceChildren();
    if (!step) {
      below.append(el("div", { class: "kn-where" }, "Choose a step, with the pointer or ↓ and ↑, to see its records."));
      return;
    }
    below.append(
      el("div", { class: "kn-where" }, `${number + 1}  ${step.who}`),
      el("div", { class: "kn-what" }, step.text + (step.note ? `  (${step.note})` : "")),
      ...step.details.map((line) => el("div", { class: "kn-headers" }, line)),
    );
  }

  figure.addEventListener("click", (event) => {
    const group = event.target.closest("[data-step]");
    if (group) choose(Number(group.dataset.step));
  });
  model.on("change:index", paint);
  paint();
  return () => { model.off("change:index", paint); stop(); };
}

export default { render };
