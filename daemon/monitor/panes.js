// Pictures side by side in one frame of nanometres: they are panned and zoomed together, carry their own scale
// bar, and fetch a sharper picture of what is visible once the one at hand is too coarse for the screen.
const NEAR = 0.75; // a picture is too coarse when a screen pixel is smaller than this share of one of its pixels
const MOST = 40; // times closer than the whole
const NEWS_MS = 50; // several pictures that nobody asked for are drawn as one
const roundBelow = (nm) => {
  const decade = 10 ** Math.floor(Math.log10(nm));
  return [5, 2, 1, 0.5].map((step) => step * decade).find((length) => length <= nm * 1.0000001);
};
const named = (nm) => (nm < 1000 ? `${+nm.toPrecision(3)} nm` : `${+(nm / 1000).toPrecision(3)} µm`);
const loaded = (href) =>
  new Promise((done) => {
    const image = new Image();
    image.onload = () => done(true);
    image.onerror = () => done(false);
    image.src = href;
  });

export default {
  template: `
<div class="panes" :class="{blinking: blink}" tabindex="0" role="group" :aria-label="label" @keydown="onKey">
  <figure v-for="(pane, k) in current" :key="pane.name" v-show="!blink || k === lit">
    <svg :ref="'svg' + k" role="img" :aria-label="pane.name + ', scale bar ' + barName(k)" :viewBox="viewBox(pane)"
      :style="{touchAction: zoom > 1 ? 'none' : 'pan-y'}"
      @wheel.prevent="onWheel($event, k)" @pointerdown="onDown($event, k)" @pointermove="onMove($event, k)"
      @pointerup="onUp($event, k)" @pointercancel="drag = null" @dblclick="home">
      <image v-for="layer in pane.layers" :key="layer.kind" :class="layer.kind" :href="layer.href" :x="layer.box[0]"
        :y="layer.box[1]" :width="layer.box[2]" :height="layer.box[3]" preserveAspectRatio="none"
        :style="{imageRendering: zoom > 3 ? 'pixelated' : 'auto'}" />
      <image v-for="sharp in sharpOf(pane)" :key="'sharp' + sharp.kind" :class="sharp.kind + ' sharp'"
        :href="sharp.href" :x="sharp.box[0]" :y="sharp.box[1]" :width="sharp.box[2]" :height="sharp.box[3]"
        preserveAspectRatio="none" :style="{imageRendering: 'pixelated'}" />
      <g v-for="(mark, m) in pane.marks" :key="m" :class="['mark', mark.kind, mark.used ? 'used' : 'unused']">
        <title>{{ mark.title }}</title>
        <rect :x="mark.box[0]" :y="mark.box[1]" :width="mark.box[2]" :height="mark.box[3]" />
        <line v-if="mark.at" :x1="mark.at" :x2="mark.at" :y1="mark.box[1]" :y2="mark.box[1] + mark.box[3]" />
      </g>
      <g v-if="pane.cross" class="cross">
        <line :x1="pane.cross[0]" :x2="pane.cross[0]" :y1="pane.box[1]" :y2="pane.box[1] + pane.box[3]" />
        <line :y1="pane.cross[1]" :y2="pane.cross[1]" :x1="pane.box[0]" :x2="pane.box[0] + pane.box[2]" />
      </g>
    </svg>
    <figcaption><b>{{ pane.name }}</b>
      <span class="scale"><i :style="{width: bars[k] ? bars[k].px + 'px' : 0}"></i>{{ barName(k) }}</span>
      <span class="caption" :title="missing[pane.name] || pane.caption">{{ missing[pane.name] || pane.caption }}</span></figcaption>
  </figure>
  <div class="zoom" v-if="current.length && zoomable">
    <button @click="zoomBy(1.5)" title="Zoom in (+)" aria-label="Zoom in">+</button>
    <button @click="zoomBy(1 / 1.5)" title="Zoom out (−)" aria-label="Zoom out">−</button>
    <button @click="home" title="Fit (0)" aria-label="Fit">⤢</button>
  </div>
</div>`,
  props: { panes: Array, patient: Boolean, blink: Boolean, label: String, pointing: Boolean, zoomable: Boolean, period: Number },
  data: () => ({ current: [], zoom: 1, centre: null, bars: [], drag: null, lit: 0, sharp: {}, missing: {}, turn: 0 }),
  mounted() {
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.$el);
    this.clock = setInterval(() => this.blink && this.step(), this.period || 700);
    this.take(this.panes);
  },
  unmounted() {
    this.gone = true;
    this.observer.disconnect();
    clearInterval(this.clock);
    clearTimeout(this.later);
  },
  watch: {
    panes(next) {
      this.take(next);
    },
    blink() {
      this.$nextTick(this.measure);
    },
  },
  methods: {
    async take(next) {
      if (!this.patient || !this.current.length) return this.load(next);
      if (this.waits) return; // the newest is loaded when those on their way are there, however quickly others come
      this.waits = true;
      try {
        do {
          await new Promise((done) => setTimeout(done, NEWS_MS));
          next = this.panes;
          await this.load(next);
        } while (next !== this.panes && !this.gone);
      } finally {
        this.waits = false;
      }
    },
    async load(next) {
      const turn = ++this.turn;
      const missing = {};
      const fetched = async (pane, layer) => {
        if (!(await loaded(layer.href)) && layer.absent) missing[pane.name] = layer.absent;
      };
      await Promise.all((next || []).flatMap((pane) => pane.layers.map((layer) => fetched(pane, layer))));
      if (turn !== this.turn) return; // a newer one has come meanwhile
      this.missing = missing;
      const before = this.current[0]?.box.join();
      this.current = next || [];
      if (this.current[0]?.box.join() !== before && this.zoom === 1) this.centre = null;
      this.lit = Math.min(this.lit, Math.max(0, this.current.length - 1));
      this.sharp = {};
      this.$nextTick(this.measure);
    },
    step() {
      this.lit = (this.lit + 1) % Math.max(1, this.current.length);
      this.$nextTick(this.measure);
    },
    middle(pane) {
      return this.centre || [pane.box[0] + pane.box[2] / 2, pane.box[1] + pane.box[3] / 2];
    },
    viewBox(pane) {
      const [x, y] = this.middle(pane);
      const [w, h] = [pane.box[2] / this.zoom, pane.box[3] / this.zoom];
      return `${x - w / 2} ${y - h / 2} ${w} ${h}`;
    },
    svg(k) {
      const found = this.$refs["svg" + k];
      return Array.isArray(found) ? found[0] : found;
    },
    measure() {
      this.bars = this.current.map((pane, k) => {
        const size = this.svg(k)?.getBoundingClientRect();
        if (!size?.width) return this.bars[k] || null;
        const nmPerPx = Math.max(pane.box[2] / this.zoom / size.width, pane.box[3] / this.zoom / size.height);
        const width = Math.min(size.width, (pane.box[2] / nmPerPx) * this.zoom);
        const nm = roundBelow(0.3 * width * nmPerPx);
        return { nm, px: nm / nmPerPx, nmPerPx };
      });
      clearTimeout(this.later);
      this.later = setTimeout(this.sharpen, 200);
    },
    barName(k) {
      return this.bars[k] ? named(this.bars[k].nm) : "";
    },
    sharpOf(pane) {
      return this.sharp[pane.name] || [];
    },
    visible(k) {
      const svg = this.svg(k);
      const area = svg.getBoundingClientRect();
      const back = svg.getScreenCTM().inverse();
      const corner = (x, y) => new DOMPoint(x, y).matrixTransform(back);
      return [corner(area.left, area.top), corner(area.right, area.bottom)];
    },
    async sharpen() {
      const turn = this.turn;
      for (const [k, pane] of this.current.entries()) {
        const bar = this.bars[k];
        if (!bar || !this.svg(k)?.getScreenCTM() || (this.blink && k !== this.lit)) continue;
        const coarse = (pane.sharp || []).filter((one) => bar.nmPerPx < NEAR * one.shown_nm);
        const found = coarse.map((one) => this.request(one, k, bar.nmPerPx)).filter(Boolean);
        await Promise.all(found.map((one) => loaded(one.href)));
        if (turn !== this.turn) return;
        this.sharp = { ...this.sharp, [pane.name]: found };
      }
    },
    request(one, k, nmPerPx) {
      const [low, high] = this.visible(k);
      const [py, px] = one.pixel_nm;
      const step = Math.max(1, Math.floor(nmPerPx / px));
      const clip = (value, most) => Math.max(0, Math.min(most, Math.floor(value / step) * step));
      const x = clip((low.x - one.origin[0]) / px, one.shape[1]);
      const y = clip((low.y - one.origin[1]) / py, one.shape[0]);
      const w = Math.floor((clip((high.x - one.origin[0]) / px + step, one.shape[1]) - x) / step) * step;
      const h = Math.floor((clip((high.y - one.origin[1]) / py + step, one.shape[0]) - y) / step) * step;
      if (w < step || h < step) return null;
      const href = `${one.url}?y=${y}&x=${x}&height=${h}&width=${w}&step=${step}`;
      return { kind: one.kind, href, box: [one.origin[0] + x * px, one.origin[1] + y * py, w * px, h * py] };
    },
    place(event, k) {
      return new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg(k).getScreenCTM().inverse());
    },
    home() {
      this.zoom = 1;
      this.centre = null;
      this.$nextTick(this.measure);
    },
    zoomBy(factor, at) {
      if (!this.zoomable || !this.current.length) return;
      const [x, y] = this.middle(this.current[0]);
      const zoom = Math.min(MOST, Math.max(1, this.zoom * factor));
      const kept = this.zoom / zoom;
      const towards = at || { x, y };
      this.centre = zoom === 1 ? null : [towards.x + (x - towards.x) * kept, towards.y + (y - towards.y) * kept];
      this.zoom = zoom;
      this.$nextTick(this.measure);
    },
    move(dx, dy) {
      const [x, y] = this.middle(this.current[0]);
      this.centre = [x + dx, y + dy];
      this.$nextTick(this.measure);
    },
    onWheel(event, k) {
      this.zoomBy(event.deltaY < 0 ? 1.2 : 1 / 1.2, this.place(event, k));
    },
    onDown(event, k) {
      this.drag = { at: this.place(event, k), x: event.clientX, y: event.clientY, moved: false };
      event.currentTarget.setPointerCapture(event.pointerId);
    },
    onMove(event, k) {
      if (!this.drag) return;
      const far = Math.hypot(event.clientX - this.drag.x, event.clientY - this.drag.y) > 4;
      this.drag.moved = this.drag.moved || far;
      if (!this.drag.moved || this.zoom === 1) return;
      const now = this.place(event, k);
      this.move(this.drag.at.x - now.x, this.drag.at.y - now.y);
    },
    onUp(event, k) {
      const { moved } = this.drag || { moved: true };
      this.drag = null;
      const at = this.place(event, k);
      if (!moved && this.pointing) this.$emit("point", { pane: this.current[k].name, x: at.x, y: at.y });
    },
    onKey(event) {
      const pane = this.current[0];
      const keys = { "+": () => this.zoomBy(1.5), "-": () => this.zoomBy(1 / 1.5), 0: this.home };
      if (pane && this.zoom > 1) {
        const [w, h] = [pane.box[2] / this.zoom / 8, pane.box[3] / this.zoom / 8];
        Object.assign(keys, {
          ArrowLeft: () => this.move(-w, 0),
          ArrowRight: () => this.move(w, 0),
          ArrowUp: () => this.move(0, -h),
          ArrowDown: () => this.move(0, h),
        });
      }
      const act = keys[event.key];
      if (!act) return;
      event.preventDefault();
      event.stopPropagation();
      act();
    },
  },
};
