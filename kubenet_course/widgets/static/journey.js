// A packet's journey, stage by stage: → ← step, ↓ ↑ packet, Home End, space plays.

/** How a packet ended: class and sign. Ignored, given to nobody else or cut up is neither good nor bad. */
const FATES = { delivered: ["kn-fine", "✓"], dropped: ["kn-dropped", "✗"], "under way": ["kn-where", "…"] };
const PAUSE = 900; // ms between stages while playing

function render({ model, el: host }) {
  const [root, stop] = rootOf(host, `Journey of ${model.get("command")}`);
  const stages = model.get("stages");
  const packets = model.get("packets");
  let timer = null;

  const at = () => Math.min(model.get("index"), Math.max(0, stages.length - 1));

  function go(index) {
    const to = Math.max(0, Math.min(stages.length - 1, index));
    model.set("index", to);
    model.save_changes();
    show();
  }

  function play(on) {
    clearInterval(timer);
    timer = null;
    if (on) {
      if (at() >= stages.length - 1) go(0);
      timer = setInterval(() => { if (at() >= stages.length - 1) play(false); else go(at() + 1); }, PAUSE);
    }
    buttons.play.replaceChildren(icon(timer ? "pause" : "play"));
    buttons.play.setAttribute("aria-label", timer ? "pause" : "play");
    buttons.play.title = timer ? "pause (space)" : "play (space)";
  }

  /** The first stage of the next or previous packet. */
  function packetStep(step) {
    const now = stages[at()].packet;
    const order = packets.filter((packet) => packet.first).map((packet) => packet.number);
    const to = order[order.indexOf(now) + step];
    if (to !== undefined) go(packets.find((packet) => packet.number === to).first - 1);
  }

  function onkey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !stages.length) return;
    const onSlider = event.target.type === "range";
    const acts = {
      ArrowRight: () => go(at() + 1), ArrowLeft: () => go(at() - 1), Home: () => go(0), End: () => go(stages.length - 1),
      ArrowDown: () => packetStep(1), ArrowUp: () => packetStep(-1), " ": () => play(!timer),
    };
    if (!acts[event.key] || (event.key === " " && event.target.tagName === "BUTTON" && !onSlider)) return;
    if (event.key !== " ") play(false);
    acts[event.key]();
    event.preventDefault();
    event.stopPropagation();
  }

  /** Signs drawn by us: not every computer has a font with them. */
  function icon(name) {
    const path = { first: "M2 2h2v10H2zM12 2v10L5 7z", back: "M11 2v10L4 7z", play: "M3 1l10 6-10 6z", pause: "M2 2h4v10H2zM8 2h4v10H8z",
      next: "M3 2v10l7-5z", last: "M2 2v10l7-5zM10 2h2v10h-2z" }[name];
    const holder = el("span", { "aria-hidden": "true" });
    holder.innerHTML = `<svg viewBox="0 0 14 14" width="13" height="13" fill="currentColor"><path d="${path}"/></svg>`;
    return holder;
  }

  const button = (sign, label, key, act) =>
    el("button", { type: "button", title: `${label} (${key})`, "aria-label": label, onclick: () => { if (label !== "play") play(false); act(); } }, icon(sign));
  const buttons = {
    first: button("first", "first stage", "Home", () => go(0)),
    back: button("back", "one stage back", "←", () => go(at() - 1)),
    play: button("play", "play", "space", () => play(!timer)),
    next: button("next", "one stage forward", "→", () => go(at() + 1)),
    last: button("last", "last stage", "End", () => go(stages.length - 1)),
  };
  const slider = el("input", { type: "range", min: 1, max: Math.max(1, stages.length), step: 1, "aria-label": "stage",
    oninput: (event) => { play(false); go(Number(event.target.value) - 1); } });
  const position = el("span", { class: "kn-pos" });
  const now = el("div", { class: "kn-now", role: "status", "aria-live": "polite" });
  const network = drawing(model.get("network"));
  const hooks = drawing(model.get("hooks"));
  const headers = el("div", { class: "kn-headers" });
  const pick = el("div", { class: "kn-pick", role: "group", "aria-label": "packets" });

  const box = el("div", { class: "kn-journey", tabindex: 0, role: "group", onkeydown: onkey,
    "aria-label": `Journey of ${model.get("command")}. Arrow keys step, space plays.` });
  box.append(el("div", { class: "kn-head" }, el("code", {}, model.get("command"))));
  for (const line of model.get("unsent")) box.append(el("div", { class: "kn-now kn-bad" }, line));
  if (stages.length) {
    box.append(
      el("div", { class: "kn-bar", role: "toolbar", "aria-label": "stepper" }, ...Object.values(buttons), slider, position),
      now,
      network,
      el("div", { class: "kn-cols" }, el("div", { class: "kn-wide" }, hooks), headers),
      el("div", { class: "kn-legend" }, "Packets, in the order in which they were made:"),
      pick,
    );
  } else if (!model.get("unsent").length) {
    box.append(el("div", { class: "kn-empty" }, "No packet was sent."));
  }
  box.append(el("div", { class: "kn-verdict" }, ...worded(model.get("verdict"))));
  root.append(box);

  for (const packet of packets) {
    const why = packet.cause ? ` (${packet.why} packet ${packet.cause})` : "";
    pick.append(el("button", { type: "button", "data-packet": packet.number, title: packet.ending,
      onclick: () => { play(false); if (packet.first) go(packet.first - 1); } },
      `${packet.number}  ${packet.summary}${why} `,
      el("span", { class: FATES[packet.outcome]?.[0] ?? "kn-where" }, `${FATES[packet.outcome]?.[1] ?? "·"} ${packet.outcome}`)));
  }

  function light(stage) {
    for (const node of network.querySelectorAll(".kn-lit")) node.classList.remove("kn-lit", "kn-bad");
    const lit = [];
    for (const node of network.querySelectorAll("[data-port], [data-space], [data-machine], [data-a]")) {
      const { port, space, machine, a, b } = node.dataset;
      const here = (stage.port && port === stage.port) || space === stage.space || machine === stage.machine ||
        (stage.out && stage.port && (a === stage.port || b === stage.port));
      if (here) lit.push(node);
    }
    bring(network, lit.find((node) => node.dataset.port === stage.port) || lit[0]);
    bring(hooks, hooks.querySelector(`[data-spot="${stage.spot}"]`));
    for (const node of lit) { node.classList.add("kn-lit"); node.classList.toggle("kn-bad", !stage.ok); }
    for (const node of hooks.querySelectorAll("[data-spot]")) {
      const current = node.dataset.spot === stage.spot;
      node.classList.toggle("kn-lit", current);
      node.classList.toggle("kn-bad", current && !stage.ok);
      node.classList.toggle("kn-passed", !current && stage.passed.includes(node.dataset.spot));
    }
  }

  function show() {
    if (!stages.length) return;
    const index = at();
    const stage = stages[index];
    const packet = packets.find((one) => one.number === stage.packet);
    slider.value = index + 1;
    slider.setAttribute("aria-valuetext", `stage ${index + 1} of ${stages.length}: ${stage.text}`);
    position.textContent = `${index + 1} of ${stages.length}`;
    buttons.first.disabled = buttons.back.disabled = index === 0;
    buttons.next.disabled = buttons.last.disabled = index === stages.length - 1;
    now.className = stage.ok ? "kn-now" : "kn-now kn-bad";
    now.replaceChildren(
      el("div", { class: "kn-where" }, `${stage.place} · ${stage.spot === stage.kind ? stage.kind : `${stage.kind} · ${stage.spot}`} · packet ${stage.packet} · ${stage.ms}`),
      el("div", { class: "kn-what" }, ...worded(stage.text)));
    light(stage);
    for (const one of pick.querySelectorAll("button")) {
      const current = Number(one.dataset.packet) === stage.packet;
      one.setAttribute("aria-current", String(current));
      if (!current) continue;
      const below = one.offsetTop + one.offsetHeight - pick.clientHeight;
      pick.scrollTop = Math.min(Math.max(pick.scrollTop, below), one.offsetTop);
    }
    headers.replaceChildren(el("div", { class: "kn-legend" }, `Packet ${stage.packet}: ${packet.summary}`));
    for (const layer of stage.headers) {
      headers.append(el("h5", {}, layer.layer));
      for (const field of layer.fields) {
        const value = field.changed
          ? el("span", { class: "kn-diff" }, field.was ? el("del", {}, field.was) : null, field.was ? " → " : "", field.value)
          : field.value;
        headers.append(el("div", {}, `${field.name}: `, value));
      }
    }
  }

  show();
  model.on("change:index", show);
  return () => { clearInterval(timer); stop(); model.off("change:index", show); };
}

export default { render };
