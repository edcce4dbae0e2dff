// The diagram of hooks by itself.

function render({ model, el: host }) {
  const [root, stop] = rootOf(host, "Hooks");
  root.append(drawing(model.get("svg")), el("div", { class: "kn-sr" }, model.get("alt")));
  return stop;
}

export default { render };
