// What the page does beside its panels: a sound for a new alarm, and settings that outlive a reload.
document.documentElement.lang = "en";
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
