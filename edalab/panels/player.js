const PATIENCE = 2;  // s after which a kernel that does not answer is gone or busy
export default () => {
  let last = 0, waited = 0;  // of the model, not of a view, because a panel may be shown twice
  function render({ model, el }) {
    // JupyterLab would take Enter and the space bar for its own.
    el.setAttribute("data-lm-suppress-shortcuts", "true");
    el.innerHTML = `<button type="button" class="jupyter-button"></button>
      <select aria-label="speed" title="speed"></select>
      <label title="begin again at the end"><input type="checkbox"> loop</label><span class="struck" role="status"></span>`;
    const [button, speed, loop, said] = ["button", "select", "input", "span"].map((tag) => el.querySelector(tag));
    for (const value of model.get("speeds")) speed.add(new Option(`${value}×`, value));
    const gone = () => model.widget_manager?.kernel === null;
    const send = (changes) => { model.set(changes); if (!gone()) model.save_changes(); };
    const stop = () => { send({ playing: false }); said.textContent = "no answer from the kernel"; };
    const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
    button.onclick = () => gone() ? stop() : send({ playing: !model.get("playing"), calm: calm() });
    speed.onchange = () => send({ speed: Number(speed.value) });
    loop.onchange = () => send({ loop: loop.checked });
    let timer;
    const tick = () => {
      const now = performance.now(), passed = Math.min(now - last, 250) / 1000;
      last = now;
      waited += passed;
      if (gone() || waited > PATIENCE) stop();
      else send({ clock: model.get("clock") + passed });
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
      if (playing) {
        [last, waited, said.textContent] = [performance.now(), 0, ""];
        timer = setInterval(tick, 40);
      }
    };
    const heard = () => { waited = 0; };
    model.on("change:playing change:speed change:loop", show);
    model.on("change:heard", heard);
    show();
    return () => { clearInterval(timer); model.off(null, show); model.off(null, heard); };
  }
  return { render };
};
