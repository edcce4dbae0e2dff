// What every kubenet widget's script begins with. No framework, nothing fetched.

/** An element: el("td", {class: "x", onclick: f}, child, "text"). Text is never read as markup. */
function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Text with its `commands` as code. */
function worded(text) {
  return text.split("`").map((part, number) => (number % 2 ? el("code", {}, part) : part));
}

/** The drawing that Python made (all its text is escaped there). */
function drawing(markup) {
  const holder = el("div", { class: "kn-scroll" });
  holder.innerHTML = markup;
  return holder;
}

/** Scroll a drawing that is wider than its place sideways, so that one part of it is seen. */
function bring(holder, node) {
  if (!node || holder.scrollWidth <= holder.clientWidth) return;
  const seen = holder.getBoundingClientRect(), part = node.getBoundingClientRect();
  if (part.left < seen.left || part.right > seen.right) holder.scrollLeft += part.left + part.width / 2 - seen.left - seen.width / 2;
}

/** Whether the page is dark: JupyterLab says so itself, elsewhere the computer's setting counts. */
function isDark() {
  const light = document.body.dataset.jpThemeLight;
  if (light !== undefined) return light === "false";
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}

/** The root of a widget, which follows the theme; returns [root, stop]. */
function rootOf(host, label) {
  const root = el("div", { class: "kn", role: "group", "aria-label": label });
  const paint = () => { root.dataset.knTheme = isDark() ? "dark" : "light"; };
  paint();
  const watcher = new MutationObserver(paint);
  watcher.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  const query = window.matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", paint);
  host.replaceChildren(root);
  return [root, () => { watcher.disconnect(); query.removeEventListener("change", paint); }];
}

/** A line that says why the picture may be out of date. */
function noteOf(model) {
  return model.get("note") ? el("div", { class: "kn-legend", role: "status" }, `(${model.get("note")})`) : null;
}
