// Draws the time line on a canvas. It knows nothing of pointers and keys.
const LANE = 27, AXIS = 26, FOOT = 6;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800, 2592000, 31536000];

class Drawing {
  constructor(canvas, page) {
    this.canvas = canvas;
    this.page = page;
    this.context = canvas.getContext("2d", { alpha: false });
    this.columns = new Float64Array(0);
    this.patterns = {};
    this.readColors();
  }

  readColors() {
    const style = getComputedStyle(document.documentElement);
    const read = name => style.getPropertyValue("--" + name).trim();
    this.colors = { back: read("surface"), band: read("band"), ink: read("ink"), muted: read("muted"), line: read("line"),
      accent: read("accent"), mark: read("mark"), gap: read("gap") };
    for (const slug of [...Object.keys(NAMES), "other"]) this.colors[slug] = read("c-" + slug);
    this.font = '500 11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
    this.patterns = {};
  }

  // Diagonal lines: the sign of gaps and of recovered events, so that colour is not needed.
  hatch(color, gap, width) {
    const key = color + gap;
    if (!this.patterns[key]) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = gap;
      const context = tile.getContext("2d");
      context.strokeStyle = color;
      context.lineWidth = width;
      context.beginPath();
      for (const shift of [-gap, 0, gap]) { context.moveTo(shift - 1, gap + 1); context.lineTo(shift + gap + 1, -1); }
      context.stroke();
      this.patterns[key] = this.context.createPattern(tile, "repeat");
    }
    return this.patterns[key];
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    const width = Math.round(this.width * ratio), height = Math.round(this.height * ratio);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.patterns = {};
    }
    this.ratio = ratio;
  }

  x(ms) { return (ms - this.from) * this.scale; }

  // One whole picture of the span `from`…`to`.
  paint(view, model) {
    const { context, width, height, colors } = this;
    if (!width) return;
    this.from = view.from;
    this.to = view.to;
    this.scale = width / (view.to - view.from);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = colors.back;
    context.fillRect(0, 0, width, height);
    context.font = this.font;
    context.textBaseline = "middle";
    this.paintAxis();
    this.page.lanes.forEach((lane, place) => this.paintLane(lane, AXIS + place * LANE, model));
    this.paintHits(model);
    this.paintGaps();
    this.paintMoment(model);
  }

  paintAxis() {
    const { context, width, height, colors, page } = this;
    const wanted = (this.to - this.from) / 1000 / Math.max(2, width / 90);
    const exact = wanted < 1;
    const step = exact ? [0.1, 0.2, 0.5, 1].find(one => one >= wanted) || 1 : STEPS.find(one => one >= wanted) || STEPS[STEPS.length - 1];
    // Wall-clock ticks stand at whole local hours, also where the zone is half an hour off.
    const shift = page.wall ? page.zero - new Date(page.zero * 1000).getTimezoneOffset() * 60 : 0;
    let tick = Math.ceil((this.from / 1000 + shift) / step) * step;
    context.strokeStyle = colors.line;
    context.fillStyle = colors.muted;
    context.lineWidth = 1;
    context.textAlign = "left";
    context.beginPath();
    for (; (tick - shift) * 1000 <= this.to; tick += step) {
      const ms = Math.round((tick - shift) * 1000);
      const x = Math.round(this.x(ms)) + 0.5;
      context.moveTo(x, AXIS - 8);
      context.lineTo(x, height);
      const text = step >= 86400 ? clockText(page, ms, "day") : clockText(page, ms, exact ? "exact" : step >= 60 ? "minutes" : "seconds");
      context.fillText(text, x + 4, 10);
    }
    context.stroke();
  }

  paintLane(lane, top, model) {
    const { context, width, colors } = this;
    const isShown = model.shows(lane);
    context.globalAlpha = 1;
    context.fillStyle = lane.number % 2 ? colors.back : colors.band;
    context.fillRect(0, top, width, LANE);
    context.globalAlpha = isShown ? 1 : 0.18;
    const color = colors[lane.slug];
    const first = lowerBound(lane.rows.length, k => model.rows.at[lane.rows[k]], this.from - lane.longest);
    const last = lowerBound(lane.rows.length, k => model.rows.at[lane.rows[k]], this.to);
    const isClose = this.page.bin * this.scale > 4 || lane.count <= 400;
    if (!isClose || last - first > 1500) this.paintBins(lane, top, color);
    else if (lane.slug === "alert" || lane.slug === "capture_session" || lane.slug === "videodb_cli") {
      this.paintSigns(lane, top, color, first, last, model);
    } else {
      if (lane.rows.length < lane.count && this.page.bin * this.scale <= 200) this.paintBins(lane, top, color, 0.3);
      this.paintBlocks(lane, top, color, first, last, model);
    }
    context.globalAlpha = 1;
  }

  paintBins(lane, top, color, alpha = 1) {
    const { context, width } = this;
    const size = 2;
    const count = Math.ceil(width / size) + 1;
    if (this.columns.length < count) this.columns = new Float64Array(count);
    const columns = this.columns.fill(0);
    const binWidth = this.page.bin * this.scale;
    const start = lowerBound(lane.starts.length, k => lane.starts[k], this.from - this.page.bin);
    let max = 0;
    for (let k = start; k < lane.starts.length && lane.starts[k] < this.to; k++) {
      const x = this.x(lane.starts[k]);
      const a = Math.max(0, Math.floor(x / size)), b = Math.min(count - 1, Math.max(a, Math.floor((x + binWidth) / size) - 1));
      const each = lane.counts[k] / (b - a + 1);
      for (let c = a; c <= b; c++) { columns[c] += each; if (columns[c] > max) max = columns[c]; }
    }
    if (!max) return;
    context.save();
    context.globalAlpha *= alpha;
    context.fillStyle = color;
    context.beginPath();
    for (let c = 0; c < count; c++) {
      if (!columns[c]) continue;
      // Square roots: one event beside hundreds can still be seen.
      const tall = Math.max(2, (LANE - 8) * Math.sqrt(columns[c] / max));
      context.rect(c * size, top + LANE - 3 - tall, size - (binWidth > 8 ? 0 : 0.5), tall);
    }
    context.fill();
    context.restore();
  }

  paintBlocks(lane, top, color, first, last, model) {
    const { context } = this, { rows } = model;
    let free = -1;
    context.textAlign = "left";
    for (let k = first; k < last; k++) {
      const row = lane.rows[k];
      const x = this.x(rows.at[row]);
      let right = this.x(rows.at[row] + rows.length[row]);
      if (k + 1 < lane.rows.length) right = Math.min(right, Math.max(x + 2, this.x(rows.at[lane.rows[k + 1]]) - 1));
      const wide = Math.max(2, right - x);
      if (x + wide < free) continue;
      free = x + 1;
      const isBack = rows.flags[row] & RECOVERED;
      context.fillStyle = color;
      const alpha = context.globalAlpha;
      context.globalAlpha = alpha * (wide > 12 ? 0.22 : isBack ? 0.35 : 0.8);
      this.block(x, top + 4, wide, LANE - 8);
      context.globalAlpha = alpha;
      if (isBack) { context.fillStyle = this.hatch(color, 6, 1.2); this.block(x, top + 4, wide, LANE - 8); }
      context.fillStyle = color;
      if (wide > 12) context.fillRect(x, top + 4, 2.5, LANE - 8);
      if (row === model.chosen) { context.strokeStyle = this.colors.ink; context.lineWidth = 1.5; context.strokeRect(x, top + 4, wide, LANE - 8); }
      if (wide > 44) this.words(model.textOf(row), x + 7, top + LANE / 2, wide - 11);
    }
  }

  block(x, y, wide, tall) {
    if (wide < 5) { this.context.fillRect(x, y, wide, tall); return; }
    this.context.beginPath();
    this.context.roundRect(x, y, wide, tall, 3);
    this.context.fill();
  }

  words(text, x, y, room) {
    const { context } = this;
    // Seven pixels a letter is wider than most: what does not fit is clipped, without a clip for each block.
    const letters = Math.floor(Math.max(room, 0) / 6.2);
    if (letters < 3) return;
    context.fillStyle = this.colors.ink;
    context.fillText(text.length > letters ? text.slice(0, letters - 1) + "…" : text, x, y, room);
  }

  paintSigns(lane, top, color, first, last, model) {
    const { context } = this;
    const isAlert = lane.slug === "alert";
    const middle = top + LANE / 2;
    for (let k = first; k < last; k++) {
      const row = lane.rows[k];
      const x = this.x(model.rows.at[row]);
      const after = k + 1 < lane.rows.length ? this.x(model.rows.at[lane.rows[k + 1]]) : Infinity;
      context.fillStyle = context.strokeStyle = color;
      context.lineWidth = 1.5;
      context.beginPath();
      if (isAlert) {
        context.moveTo(x, top + LANE - 4); context.lineTo(x, top + 5); context.lineTo(x + 10, top + 9.5); context.lineTo(x, top + 14);
        context.stroke();
      } else {
        context.moveTo(x, middle - 5); context.lineTo(x + 5, middle); context.lineTo(x, middle + 5); context.lineTo(x - 5, middle);
        context.closePath();
      }
      context.fill();
      if (row === model.chosen) { context.strokeStyle = this.colors.ink; context.strokeRect(x - 6, top + 3, 18, LANE - 6); }
      this.words(model.textOf(row), x + 14, middle, Math.min(after - x - 22, 220));
    }
  }

  paintGaps() {
    const { context, colors, height, width } = this;
    let free = -100;
    for (const [from, to] of this.page.gaps) {
      if (to < this.from || from > this.to) continue;
      const x = Math.max(this.x(from), -10), right = Math.min(this.x(to), width + 10);
      const wide = Math.max(3, right - x);
      context.fillStyle = colors.gap;
      context.globalAlpha = 0.14;
      context.fillRect(x, AXIS - 6, wide, height);
      context.globalAlpha = 1;
      context.fillStyle = this.hatch(colors.gap, 8, 1.6);
      context.fillRect(x, AXIS - 6, wide, height);
      context.fillStyle = colors.gap;
      context.fillRect(x, AXIS - 6, 1.5, height);
      context.fillRect(x + wide - 1.5, AXIS - 6, 1.5, height);
      if (x - free > 70) {
        const text = "gap " + spanText(to - from);
        const room = context.measureText(text).width + 8;
        const at = Math.min(Math.max(x, 2), width - room);
        context.fillRect(at, AXIS - 10, room, 15);
        context.fillStyle = colors.back;
        context.textAlign = "left";
        context.fillText(text, at + 4, AXIS - 2);
        free = at;
      }
    }
  }

  paintHits(model) {
    if (!model.isHit) return;
    const { context, colors } = this;
    const { hits, rows } = model;
    const start = lowerBound(hits.length, k => rows.at[hits[k]], this.from);
    context.fillStyle = colors.mark;
    let before = -9;
    for (let k = start; k < hits.length && rows.at[hits[k]] <= this.to; k++) {
      const x = Math.round(this.x(rows.at[hits[k]]));
      if (x - before < 2) continue;
      before = x;
      context.fillRect(x - 1, AXIS - 7, 3, 7);
      context.globalAlpha = 0.3;
      context.fillRect(x, AXIS, 1, this.height);
      context.globalAlpha = 1;
    }
  }

  paintMoment(model) {
    const { context, colors, height } = this;
    const x = this.x(model.now);
    if (x < -5 || x > this.width + 5) return;
    context.fillStyle = colors.accent;
    context.fillRect(x - 0.75, AXIS - 8, 1.5, height);
    context.beginPath();
    context.moveTo(x - 5, AXIS - 12); context.lineTo(x + 5, AXIS - 12); context.lineTo(x, AXIS - 4);
    context.fill();
  }
}
