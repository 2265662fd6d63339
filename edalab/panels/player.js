export default () => {
  let last = 0;  // of the model, not of a view: a panel may be shown twice
  function render({ model, el }) {
    // JupyterLab would take Enter and the space bar for its own.
    el.setAttribute("data-lm-suppress-shortcuts", "true");
    el.innerHTML = `<button type="button" class="jupyter-button"></button>
      <select aria-label="speed" title="speed"></select>
      <label title="begin again at the end"><input type="checkbox"> loop</label>`;
    const [button, speed, loop] = ["button", "select", "input"].map((tag) => el.querySelector(tag));
    for (const value of model.get("speeds")) speed.add(new Option(`${value}×`, value));
    const send = (changes) => { model.set(changes); model.save_changes(); };
    const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
    button.onclick = () => send({ playing: !model.get("playing"), calm: calm() });
    speed.onchange = () => send({ speed: Number(speed.value) });
    loop.onchange = () => send({ loop: loop.checked });
    let timer;
    const tick = () => {
      const now = performance.now(), passed = Math.min(now - last, 250) / 1000;
      last = now;
      send({ clock: model.get("clock") + passed });
    };
    const show = () => {
      const playing = model.get("playing");
      const does = playing ? "pause" : "play", what = model.get("what");
      button.title = does + what;  // there, ▶ is what steps on
      button.textContent = what ? does : playing ? "❚❚" : "▶";
      button.setAttribute("aria-label", button.title);
      speed.value = model.get("speed");
      loop.checked = model.get("loop");
      clearInterval(timer);
      if (playing) { last = performance.now(); timer = setInterval(tick, 40); }
    };
    model.on("change:playing change:speed change:loop", show);
    show();
    return () => { clearInterval(timer); model.off(null, show); };
  }
  return { render };
};
