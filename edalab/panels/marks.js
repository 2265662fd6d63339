function render({ model, el }) {
  const make = (parent, tag, kind, text = "") => {
    const made = parent.appendChild(document.createElement(tag));
    [made.className, made.textContent] = [kind, text];
    return made;
  };
  const pick = (fault) => { model.set("picked", fault); model.save_changes(); };
  let list, unfolded;
  const fold = () => {
    list.replaceChildren();
    unfolded?.setAttribute("aria-expanded", "false");
    unfolded = null;
  };
  const unfold = (cell, name, runs) => {
    const again = cell === unfolded;
    fold();
    if (again) return;
    unfolded = cell;
    cell.setAttribute("aria-expanded", "true");
    make(list, "div", "edalab-hint edalab-quiet", `${name}. Escape folds them.`);
    for (const [fault, mark, outcome] of runs) {
      const run = make(list, "button", "edalab-run");
      make(run, "b", outcome.startsWith("✗") ? "struck" : "edalab-quiet", mark);
      make(run, "span", "", `${fault}: ${outcome}`);
      run.onclick = () => { fold(); pick(fault); };
    }
    list.querySelector("button").focus();
  };
  const draw = () => {
    el.innerHTML = `<div class="edalab-cells">${model.get("picture")}</div><div class="edalab-runs" role="group"></div>`;
    const [sheet, svg] = [el.firstChild, el.querySelector("svg")];
    [list, unfolded] = [el.lastChild, null];
    const { width, height } = svg ? svg.viewBox.baseVal : {};
    for (const [x, y, w, name, runs] of svg ? model.get("cells") : []) {
      const cell = make(sheet, runs.length ? "button" : "span", "edalab-cell");
      const [left, top, wide, high] = [x / width, y / height, w / width, 15 / height].map((part) => `${100 * part}%`);
      Object.assign(cell.style, { left, top, width: wide, height: high });
      Object.assign(cell, { title: name, ariaLabel: name, tabIndex: runs.length ? 0 : -1 });
      if (runs.length > 1) cell.setAttribute("aria-expanded", "false");
      cell.onclick = () => runs.length > 1 ? unfold(cell, name, runs) : runs.length && pick(runs[0][0]);
    }
  };
  el.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !unfolded) return;
    event.stopPropagation();
    const cell = unfolded;
    fold();
    cell.focus();
  });
  // After the kernel has handled a pick, another tab is open. Scroll to it or, on a wide page, to the whole panel.
  const show = (panel) =>
    (panel.clientWidth > 800 ? panel : panel.querySelector(".edalab-right")).scrollIntoView({ block: "start" });
  model.on("change:picked", () => model.get("picked") || requestAnimationFrame(() =>
    el.offsetParent || show(el.closest(".edalab-panel"))));
  model.on("change:picture", draw);
  draw();
}
export default { render };
