function name(panel) {
  for (const part of panel.querySelectorAll(".noUi-handle, .widget-readout, .widget-dropdown select")) {
    const label = part.closest(".jupyter-widgets").querySelector("label");
    const words = label && (label.textContent || label.title);
    if (words && part.ariaLabel !== words) part.ariaLabel = words;
  }
}
function render({ el }) {
  const observer = new MutationObserver(([change]) => name(change.target.closest(".edalab-frame")));
  const waiting = setInterval(() => {
    const panel = el.closest(".edalab-frame");
    if (!panel) return;
    clearInterval(waiting);
    name(panel);
    observer.observe(panel, { childList: true, subtree: true });
  }, 50);
  return () => { clearInterval(waiting); observer.disconnect(); };
}
export default { render };
