// A chart that fetches its own picture of the run: the server encodes that once for all browsers, and it never
// becomes part of the page's reactive state, which would wrap every single point. What comes while one is being
// drawn is not queued: the newest is drawn next. A page that nobody sees draws nothing until it is seen again.
import { echarts } from "nicegui-echart";

const GATHER_MS = 50; // a slice may be told in several steps: one drawing for all of them
const AGAIN_MS = 1000; // after a fetch that failed
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const errorBar = (_params, api) => {
  const [x, low, high] = [api.value(0), api.value(1), api.value(2)];
  const [from, to] = [api.coord([x, low]), api.coord([x, high])];
  const style = { stroke: api.visual("color"), lineWidth: 1.5, opacity: 0.75 };
  return { type: "line", shape: { x1: from[0], y1: from[1], x2: to[0], y2: to[1] }, style };
};
const fixed = (digits) => (value) => (value == null || isNaN(value) ? "–" : (+value).toFixed(digits));

/** Names for the legend: a line is shown as it is drawn, without the dot that would hide how it is dashed. */
function legendOf(options) {
  const lines = new Set(options.series.filter((one) => one.type === "line").map((one) => one.name));
  const names = options.legend.data ?? options.series.map((one) => one.name);
  return names.map((name) => (lines.has(name) ? { name, itemStyle: { opacity: 0 } } : name));
}

/** What JSON cannot carry: how error bars are drawn, how numbers are written, and which series is which. */
function completed(options) {
  options.legend.data = legendOf(options);
  for (const series of options.series) {
    series.id = series.name; // one without a name of its own would be another at every drawing
    if (series.type === "custom") series.renderItem = errorBar;
  }
  options.tooltip.valueFormatter = fixed(options.digits);
  const label = options.xAxis.axisLabel;
  if ("digits" in label) label.formatter = fixed(label.digits);
  return options;
}

export default {
  template: "<div></div>",
  props: { address: String },
  async mounted() {
    await pause(0); // until the style sheet has given it a size
    if (!this.$el.isConnected) return;
    this.chart = echarts.init(this.$el);
    this.observer = new ResizeObserver(() => this.chart.resize());
    this.observer.observe(this.$el);
    this.seen = () => this.draw();
    document.addEventListener("visibilitychange", this.seen);
    this.draw();
  },
  unmounted() {
    this.gone = true;
    clearTimeout(this.later);
    document.removeEventListener("visibilitychange", this.seen);
    this.observer?.disconnect();
    this.chart?.dispose();
  },
  watch: {
    address() {
      this.draw();
    },
  },
  methods: {
    async draw() {
      if (this.drawing || !this.chart || document.hidden) return;
      this.drawing = true;
      while (!this.gone && this.$el.dataset.drawn !== this.address) {
        await pause(this.$el.dataset.drawn ? GATHER_MS : 0);
        const address = this.address;
        const options = await this.fetched(address);
        if (this.gone) break;
        if (!options) {
          this.later = setTimeout(this.draw, AGAIN_MS);
          break;
        }
        this.chart.setOption(completed(options), { replaceMerge: ["series"] });
        this.$el.dataset.drawn = address;
      }
      this.drawing = false;
    },
    async fetched(address) {
      try {
        const answer = await fetch(address);
        return answer.ok ? await answer.json() : null;
      } catch {
        return null; // no network: the page says so, and this is tried again
      }
    },
  },
};
