// The time line: zoom and pan by wheel, drag, pinch and keys; the names of the rows; the small map below.
class Timeline {
  constructor(model) {
    this.model = model;
    this.page = model.page;
    this.canvas = $("canvas");
    this.map = $("map");
    this.drawing = new Drawing(this.canvas, this.page);
    const pad = Math.max((this.page.last - this.page.first) * 0.01, 500);
    this.whole = { from: this.page.first - pad, to: this.page.last + pad };
    this.view = { ...this.whole };
    this.pointers = new Map();
    this.frames = 0;
    this.canvas.style.height = $("gutter").style.height = AXIS + this.page.lanes.length * LANE + FOOT + "px";
    this.makeGutter();
    this.listen();
    this.resize();
  }

  makeGutter() {
    for (const lane of this.page.lanes) {
      const button = element("button", "lane-name c-" + lane.slug, undefined, { type: "button", "aria-pressed": "true" });
      button.append(element("span", "lane-label", lane.label));
      if (lane.label !== lane.kind) button.append(" ", element("span", "lane-kind", lane.kind));
      button.title = (lane.stream || lane.kind) + " · " + lane.channel + " · " + grouped(lane.count) + " events";
      button.addEventListener("click", () => {
        lane.shown = !lane.shown;
        button.setAttribute("aria-pressed", String(lane.shown));
        this.model.filter();
      });
      $("gutter").append(button);
    }
  }

  listen() {
    const { canvas, model } = this;
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    for (const name of ["filter", "choice"]) model.on(name, () => this.draw());
    model.on("moment", () => {
      if (model.by !== "timeline") this.reveal(model.now);
      this.tellValue();
      this.draw();
    });
    canvas.addEventListener("wheel", event => this.wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", event => this.press(event));
    canvas.addEventListener("pointermove", event => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, event => this.release(event));
    canvas.addEventListener("pointerleave", () => { $("tip").hidden = true; });
    canvas.addEventListener("keydown", event => this.key(event));
    canvas.addEventListener("dblclick", event => this.zoom(0.25, this.msAt(event)));
    $("zoom-in").addEventListener("click", () => this.zoom(0.5));
    $("zoom-out").addEventListener("click", () => this.zoom(2));
    $("zoom-all").addEventListener("click", () => this.show(this.whole.from, this.whole.to));
    this.map.addEventListener("pointerdown", event => { this.map.setPointerCapture(event.pointerId); this.dragMap(event); });
    this.map.addEventListener("pointermove", event => { if (event.buttons) this.dragMap(event); });
  }

  resize() {
    this.drawing.resize();
    this.mapPicture = null;
    this.draw();
  }

  // Draws with the next frame, once however often it is asked for.
  draw() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.frames++;
      this.drawing.paint(this.view, this.model);
      this.drawMap();
      const { from, to } = this.view;
      $("range").textContent = momentText(this.page, Math.max(from, this.page.first)) + " – " + momentText(this.page, Math.min(to, this.page.last)) + " · " + spanText(Math.min(to, this.page.last) - Math.max(from, this.page.first));
    });
  }

  redraw() {
    this.drawing.readColors();
    this.mapPicture = null;
    this.draw();
  }

  show(from, to) {
    const least = 400, most = this.whole.to - this.whole.from;
    const wide = Math.min(Math.max(to - from, least), most);
    const middle = (from + to) / 2;
    let start = middle - wide / 2;
    start = Math.min(Math.max(start, this.whole.from), this.whole.to - wide);
    this.view.from = start;
    this.view.to = start + wide;
    this.draw();
  }

  zoom(factor, around = this.anchor()) {
    const { from, to } = this.view;
    this.show(around - (around - from) * factor, around + (to - around) * factor);
  }

  // Keys and buttons zoom around the moment if it can be seen.
  anchor() {
    const { from, to } = this.view;
    return this.model.now >= from && this.model.now <= to ? this.model.now : (from + to) / 2;
  }

  pan(ms) { this.show(this.view.from + ms, this.view.to + ms); }

  reveal(ms) {
    const { from, to } = this.view;
    const wide = to - from;
    if (ms < from + wide * 0.05 || ms > to - wide * 0.05) this.show(ms - wide / 2, ms + wide / 2);
  }

  msAt(event) {
    const box = this.canvas.getBoundingClientRect();
    return this.view.from + (event.clientX - box.left) / box.width * (this.view.to - this.view.from);
  }

  wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    const perPixel = (this.view.to - this.view.from) / this.drawing.width;
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(event.deltaX * unit * perPixel);
    else if (event.shiftKey) this.pan(event.deltaY * unit * perPixel);
    else this.zoom(Math.exp(event.deltaY * unit * 0.0022), this.msAt(event));
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event.clientX);
    this.moved = this.pointers.size > 1 ? 99 : 0;
    $("tip").hidden = true;
  }

  move(event) {
    if (!this.pointers.has(event.pointerId)) { this.hover(event); return; }
    const before = [...this.pointers.values()];
    const last = this.pointers.get(event.pointerId);
    this.pointers.set(event.pointerId, event.clientX);
    const after = [...this.pointers.values()];
    this.moved += Math.abs(event.clientX - last);
    const perPixel = (this.view.to - this.view.from) / this.drawing.width;
    if (after.length === 1) {
      if (this.moved > 4) this.pan((last - event.clientX) * perPixel);
      return;
    }
    const box = this.canvas.getBoundingClientRect();
    const spread = values => Math.max(Math.abs(values[0] - values[1]), 8);
    const middle = (after[0] + after[1]) / 2;
    this.zoom(spread(before) / spread(after), this.view.from + (middle - box.left) * perPixel);
    this.pan(((before[0] + before[1]) / 2 - middle) * perPixel);
  }

  release(event) {
    const isClick = event.type === "pointerup" && this.moved <= 4 && this.pointers.size === 1;
    this.pointers.delete(event.pointerId);
    if (!isClick) return;
    const row = this.rowAt(event);
    if (row >= 0) this.model.choose(row, "timeline");
    else this.model.go(this.msAt(event), "timeline");
  }

  laneAt(event) {
    const top = event.clientY - this.canvas.getBoundingClientRect().top - AXIS;
    return top < 0 ? undefined : this.page.lanes[Math.floor(top / LANE)];
  }

  // The listed event under the pointer, -1 if there is none within a few pixels.
  rowAt(event) {
    const lane = this.laneAt(event);
    if (!lane || !lane.rows.length) return -1;
    const at = this.msAt(event), near = 6 * (this.view.to - this.view.from) / this.drawing.width;
    const { rows } = this.model;
    const k = lowerBound(lane.rows.length, k => rows.at[lane.rows[k]], at + 1);
    const before = lane.rows[k - 1], after = lane.rows[k];
    if (before !== undefined && at <= rows.at[before] + rows.length[before] + near) return before;
    return after !== undefined && rows.at[after] - at <= near ? after : -1;
  }

  hover(event) {
    const tip = $("tip");
    const row = this.rowAt(event);
    const lane = this.laneAt(event);
    const at = this.msAt(event);
    const gap = this.page.gaps.find(([from, to]) => at >= from && at <= to);
    const text = gap ? gap[2] : row >= 0 ? this.model.textOf(row) : "";
    tip.textContent = momentText(this.page, row >= 0 && !gap ? this.model.rows.at[row] : at) + (lane && !gap ? " · " + lane.label : "") + (text ? "\n" + text.slice(0, 220) : "");
    tip.hidden = false;
    const box = this.canvas.parentElement.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(event.clientX - box.left + 14, box.width - tip.offsetWidth - 4)) + "px";
    tip.style.top = Math.min(event.clientY - box.top + 16, box.height - 20) + "px";
  }

  key(event) {
    const wide = this.view.to - this.view.from;
    const keys = {
      ArrowLeft: () => event.shiftKey ? this.pan(-wide / 5) : this.step(-wide / 50),
      ArrowRight: () => event.shiftKey ? this.pan(wide / 5) : this.step(wide / 50),
      PageUp: () => this.step(-wide / 2), PageDown: () => this.step(wide / 2),
      Home: () => this.step(-Infinity), End: () => this.step(Infinity),
      "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2),
      0: () => this.show(this.whole.from, this.whole.to),
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  }

  step(ms) {
    this.model.go(this.model.now + ms, "key");
  }

  tellValue() {
    const { canvas, page, model } = this;
    canvas.setAttribute("aria-valuemin", String(Math.round(page.first / 1000)));
    canvas.setAttribute("aria-valuemax", String(Math.round(page.last / 1000)));
    canvas.setAttribute("aria-valuenow", String(Math.round(model.now / 1000)));
    canvas.setAttribute("aria-valuetext", momentText(page, model.now));
  }

  dragMap(event) {
    const box = this.map.getBoundingClientRect();
    const at = this.whole.from + (event.clientX - box.left) / box.width * (this.whole.to - this.whole.from);
    const wide = this.view.to - this.view.from;
    this.show(at - wide / 2, at + wide / 2);
  }

  // The whole session, small, with a frame around what the time line shows.
  drawMap() {
    const { map } = this;
    const width = map.clientWidth, height = map.clientHeight, ratio = window.devicePixelRatio || 1;
    if (!width) return;
    const colors = this.drawing.colors;
    if (!this.mapPicture) {
      this.mapPicture = document.createElement("canvas");
      this.mapPicture.width = map.width = Math.round(width * ratio);
      this.mapPicture.height = map.height = Math.round(height * ratio);
      this.paintMap(this.mapPicture.getContext("2d"), width, height, ratio);
    }
    const context = map.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, map.width, map.height);
    context.drawImage(this.mapPicture, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const scale = width / (this.whole.to - this.whole.from);
    const left = (this.view.from - this.whole.from) * scale, wide = Math.max((this.view.to - this.view.from) * scale, 4);
    context.fillStyle = colors.accent;
    context.globalAlpha = 0.13;
    context.fillRect(left, 0, wide, height);
    context.globalAlpha = 1;
    context.strokeStyle = colors.accent;
    context.lineWidth = 1.5;
    context.strokeRect(left + 0.75, 0.75, Math.max(wide - 1.5, 2), height - 1.5);
    context.fillRect((this.model.now - this.whole.from) * scale - 0.75, 0, 1.5, height);
  }

  paintMap(context, width, height, ratio) {
    const colors = this.drawing.colors;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const scale = width / (this.whole.to - this.whole.from);
    const sums = new Float64Array(Math.ceil(width / 2) + 1);
    for (const lane of this.page.lanes) lane.starts.forEach((start, k) => {
      sums[Math.max(0, Math.min(sums.length - 1, Math.floor((start - this.whole.from) * scale / 2)))] += lane.counts[k];
    });
    const max = sums.reduce((a, b) => Math.max(a, b), 1);
    context.fillStyle = colors.muted;
    context.globalAlpha = 0.5;
    sums.forEach((sum, k) => { const tall = sum ? Math.max(1.5, (height - 4) * Math.sqrt(sum / max)) : 0; context.fillRect(k * 2, height - tall, 1.5, tall); });
    context.globalAlpha = 1;
    context.fillStyle = colors.gap;
    for (const [from, to] of this.page.gaps) context.fillRect((from - this.whole.from) * scale, 0, Math.max((to - from) * scale, 2), height);
    context.fillStyle = colors.alert;
    for (const lane of this.page.lanes) {
      if (lane.slug === "alert" && lane.rows.length < 2000) for (const row of lane.rows) context.fillRect((this.model.rows.at[row] - this.whole.from) * scale - 1, 0, 2, 5);
    }
  }
}
