function name(panel) {
  for (const option of panel.querySelectorAll("option")) option.disabled = option.text.startsWith("—");
  for (const part of panel.querySelectorAll(".noUi-handle, .widget-readout, .widget-dropdown select")) {
    const label = part.closest(".jupyter-widgets").querySelector("label");
    const words = label && (label.textContent || label.title);
    if (words && part.ariaLabel !== words) part.ariaLabel = words;
  }
}
const seen = new WeakMap();  // the last position of each picture's cursor
function follow(panel) {
  const colour = getComputedStyle(panel.querySelector(".edalab-panel")).getPropertyValue("--edalab-cursor").trim();
  for (const line of panel.querySelectorAll(`.edalab-picture g[stroke="${colour}"] path`)) {
    const sheet = line.closest(".widget-html-content");
    if (sheet.scrollWidth <= sheet.clientWidth) continue;
    const { left, width } = sheet.getBoundingClientRect();
    const x = line.getBoundingClientRect().left - left, at = Math.round(x + sheet.scrollLeft);
    // A picture opens at its left, with the names of the lanes. A reader may scroll away from a cursor that does not move.
    if (seen.has(sheet) && seen.get(sheet) !== at && (x < 40 || x > width - 40)) sheet.scrollLeft = at - width / 2;
    seen.set(sheet, at);
  }
}
function render({ el }) {
  let panel, frame;
  const look = () => {
    name(panel);
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => follow(panel));
  };
  const observer = new MutationObserver(look), sizes = new ResizeObserver(look);  // it may not be laid out yet
  const waiting = setInterval(() => {
    panel = el.closest(".edalab-frame");
    if (!panel) return;
    clearInterval(waiting);
    look();
    observer.observe(panel, { childList: true, subtree: true });
    sizes.observe(panel);
  }, 50);
  return () => { clearInterval(waiting); cancelAnimationFrame(frame); observer.disconnect(); sizes.disconnect(); };
}
export default { render };
