// What the page does beside its panels: a sound for a new alarm, settings that outlive a reload, and a word of its
// own when it hears nothing from its server any more: nobody else can change what it says then.
document.documentElement.lang = "en";
const OLD = "■ OLD · ";
const CALM_MS = 2000; // connections break and come back; a blink is nothing to look up for

function watchConnection() {
  const popup = document.getElementById("popup"); // NiceGUI shows it while the connection is lost
  const [what, then] = popup.children;
  let waiting = null;
  let title = "";
  const cutOff = (since) => {
    what.textContent = `No word from the dashboard's server since ${since}: everything on this page is old.`;
    then.textContent = "The page shows the present again by itself once the server answers.";
    document.body.classList.add("cut-off");
    title = document.title;
    document.title = OLD + title.split(" · ").pop();
  };
  const back = () => {
    if (!document.body.classList.contains("cut-off")) return;
    document.body.classList.remove("cut-off");
    if (document.title.startsWith(OLD)) document.title = title;
  };
  const look = () => {
    clearTimeout(waiting);
    if (popup.ariaHidden === "true") return back();
    if (document.body.classList.contains("cut-off")) return;
    const since = new Date().toTimeString().slice(0, 8);
    waiting = setTimeout(() => cutOff(since), CALM_MS);
  };
  popup.setAttribute("role", "alert");
  new MutationObserver(look).observe(popup, { attributeFilter: ["aria-hidden"] });
}

function watchSound() {
  const seen = navigator.userActivation; // before somebody has touched the page browsers keep it silent
  const look = () => document.body.classList.toggle("unheard", Boolean(seen) && !seen.hasBeenActive);
  for (const touch of ["pointerup", "keydown"]) window.addEventListener(touch, () => setTimeout(look));
  look();
}

document.addEventListener("DOMContentLoaded", () => {
  watchConnection();
  watchSound();
});
window.slicewatch = {
  remember(name, value) {
    document.cookie = `slicewatch_${name}=${value};path=/;max-age=31536000;SameSite=Strict`;
  },
  beep() {
    const Context = window.AudioContext || window.webkitAudioContext;
    if (!Context) return;
    const context = (this.context ??= new Context());
    [0, 0.25, 0.5].forEach((at, k) => {
      const [tone, volume] = [context.createOscillator(), context.createGain()];
      tone.frequency.value = k === 1 ? 660 : 880;
      volume.gain.setValueAtTime(0.2, context.currentTime + at);
      volume.gain.exponentialRampToValueAtTime(0.001, context.currentTime + at + 0.2);
      tone.connect(volume).connect(context.destination);
      tone.start(context.currentTime + at);
      tone.stop(context.currentTime + at + 0.2);
    });
    this.beeps = (this.beeps || 0) + 1;
  },
};
