// The list of events. Only the rows that can be seen are elements: a hundred thousand events scroll as ten do.

// Sums of row heights that can be changed one by one (a Fenwick tree).
class Heights {
  constructor(count, estimate) {
    this.count = count;
    this.each = new Float64Array(count);
    this.tree = new Float64Array(count + 1);
    for (let i = 0; i < count; i++) {
      this.each[i] = estimate(i);
      this.tree[i + 1] += this.each[i];
      const parent = i + 1 + ((i + 1) & -(i + 1));
      if (parent <= count) this.tree[parent] += this.tree[i + 1];
    }
  }

  set(i, height) {
    const change = height - this.each[i];
    this.each[i] = height;
    for (let k = i + 1; k <= this.count; k += k & -k) this.tree[k] += change;
  }

  // The height of all rows before `i`.
  before(i) {
    let sum = 0;
    for (let k = i; k > 0; k -= k & -k) sum += this.tree[k];
    return sum;
  }

  // The row at a height.
  at(top) {
    let place = 0;
    for (let step = 1 << Math.floor(Math.log2(this.count || 1)); step; step >>= 1) {
      if (place + step <= this.count && this.tree[place + step] <= top) { place += step; top -= this.tree[place]; }
    }
    return Math.min(place, Math.max(this.count - 1, 0));
  }
}

const PRINTED = 2000;

class List {
  constructor(model) {
    this.model = model;
    this.page = model.page;
    this.scroller = $("list");
    this.body = element("div", "rows", undefined, { role: "presentation" });
    this.scroller.append(this.body);
    this.nodes = new Map();
    this.reset();
    this.scroller.addEventListener("scroll", () => this.soon(), { passive: true });
    this.scroller.addEventListener("click", event => this.click(event));
    this.scroller.addEventListener("keydown", event => this.key(event));
    new ResizeObserver(() => { if (this.scroller.clientWidth !== this.width) this.reset(); else this.render(); }).observe(this.scroller);
    model.on("filter", () => { this.reset(); this.reveal(); });
    model.on("choice", () => this.mark());
    model.on("moment", () => {
      this.mark();
      if (model.by !== "list" && (model.by !== "video" || $("follow").checked)) this.reveal();
    });
  }

  reset() {
    const { model, page } = this;
    this.width = this.scroller.clientWidth;
    const letters = Math.max(18, (this.width - (this.width > 560 ? 210 : 30)) / 7.4);
    const extra = this.width > 560 ? 17 : 37;
    this.heights = new Heights(model.items.length, k => {
      const item = model.items[k];
      return item < 0 ? 42 : extra + 21 * Math.max(1, Math.ceil(model.textOf(item).length / letters));
    });
    for (const node of this.nodes.values()) node.remove();
    this.nodes.clear();
    this.body.style.height = this.heights.before(model.items.length) + "px";
    const empty = !model.items.length;
    this.scroller.classList.toggle("empty", empty);
    if (empty) this.scroller.dataset.empty = page.rows.count ? "Nothing matches. Clear the search or show more rows." : "No events to list.";
    this.render();
  }

  soon() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => { this.isDue = false; this.render(); });
  }

  render() {
    if (this.isPrinting) return;
    const { scroller, heights } = this;
    const count = this.model.items.length;
    if (!count) return;
    for (let turn = 0; turn < 3; turn++) {
      const top = scroller.scrollTop, bottom = top + (scroller.clientHeight || 600);
      const first = Math.max(0, heights.at(top - 300)), last = Math.min(count - 1, heights.at(bottom + 300));
      for (const [place, node] of this.nodes) if (place < first || place > last) { node.remove(); this.nodes.delete(place); }
      const fresh = [];
      let after = null;
      for (let place = last; place >= first; place--) {
        let node = this.nodes.get(place);
        if (!node) {
          node = this.node(place);
          this.nodes.set(place, node);
          this.body.insertBefore(node, after);
          fresh.push([place, node]);
        }
        after = node;
      }
      const anchor = heights.at(top), anchorTop = heights.before(anchor);
      let changed = false;
      for (const [place, tall] of fresh.map(([place, node]) => [place, node.offsetHeight])) {
        if (tall && Math.abs(tall - heights.each[place]) > 0.5) { heights.set(place, tall); changed = true; }
      }
      for (const [place, node] of this.nodes) node.style.transform = "translateY(" + heights.before(place) + "px)";
      if (!changed) return;
      this.body.style.height = heights.before(count) + "px";
      // Rows above have another height than was guessed: what is read stays where it is.
      const shift = heights.before(anchor) - anchorTop;
      if (Math.abs(shift) > 0.5) scroller.scrollTop = top + shift;
    }
  }

  node(place) {
    const { model, page } = this;
    const item = model.items[place];
    const made = element("div", "", undefined, { role: "listitem", "aria-setsize": model.items.length, "aria-posinset": place + 1 });
    if (item < 0) {
      const [from, to, text] = page.gaps[~item];
      made.className = "row gap-row";
      made.append(this.time(from), element("strong", "", "Gap of " + spanText(to - from)), element("span", "gap-text", clockText(page, from) + " – " + clockText(page, to) + (text ? " · " + text : "")));
      return made;
    }
    const lane = model.laneOf(item), flags = page.rows.flags[item];
    made.className = "row c-" + lane.slug + (flags & RECOVERED ? " is-recovered" : "") + (flags & INTERIM ? " is-interim" : "");
    made.append(this.time(page.rows.at[item]));
    const who = element("span", "who");
    if (lane.slug === "alert") who.append(element("span", "flag", "⚑ ", { "aria-hidden": "true" }));
    who.append(element("b", "", lane.label), ...(lane.label === lane.kind ? [] : [" ", element("span", "kind", lane.kind)]));
    made.append(who, this.text(item, flags));
    this.markOne(made, item);
    return made;
  }

  time(ms) {
    const made = element("button", "time", momentText(this.page, ms).replace(/ (?=\d+:)/, "\n"), { type: "button", tabindex: "-1" });
    if (this.page.wall) made.title = clockText(this.page, ms, "exact") + " · " + offsetText(ms - this.page.first) + " after the beginning";
    return made;
  }

  text(item, flags) {
    const made = element("p", "text");
    if (flags & RECOVERED) made.append(element("span", "tag", "recovered"), " ");
    if (flags & INTERIM) made.append(element("span", "tag", "interim"), " ");
    appendPieces(made, this.model, this.model.textOf(item));
    if (flags & CUT) made.append(element("span", "tag", "cut: the log has the whole text"));
    return made;
  }

  mark() {
    for (const [place, node] of this.nodes) this.markOne(node, this.model.items[place]);
  }

  markOne(node, item) {
    const isChosen = item >= 0 && item === this.model.chosen;
    node.classList.toggle("chosen", isChosen);
    if (isChosen) node.setAttribute("aria-current", "true"); else node.removeAttribute("aria-current");
    const { at, length } = this.page.rows;
    const { now } = this.model;
    node.classList.toggle("now", item >= 0 && at[item] <= now && now <= at[item] + Math.max(length[item], 1000));
  }

  // Scrolls to the moment, or to the chosen event if that is where the moment is.
  reveal() {
    const { model } = this;
    if (!model.items.length) return;
    const isChosen = model.chosen >= 0 && this.page.rows.at[model.chosen] === model.now;
    const chosen = isChosen ? model.placeOfRow(model.chosen) : -1;
    this.scrollTo(chosen >= 0 ? chosen : model.placeOf(model.now));
  }

  scrollTo(place) {
    const { scroller, heights } = this;
    for (let turn = 0; turn < 3; turn++) {
      const top = heights.before(place), bottom = top + heights.each[place];
      const isSeen = top >= scroller.scrollTop + 30 && bottom <= scroller.scrollTop + scroller.clientHeight - 30;
      if (isSeen && turn === 0) break;
      const wanted = Math.max(0, top - scroller.clientHeight * 0.35);
      if (Math.abs(scroller.scrollTop - wanted) < 1) break;
      scroller.scrollTop = wanted;
      this.render();
    }
    this.mark();
  }

  click(event) {
    const node = event.target.closest(".row");
    if (!node || String(getSelection())) return;
    this.take(this.model.items[node.getAttribute("aria-posinset") - 1]);
  }

  take(item) {
    if (item === undefined) return;
    if (item < 0) this.model.go(this.page.gaps[~item][0], "list"); else this.model.choose(item, "list");
  }

  key(event) {
    const { model } = this;
    if (event.ctrlKey || event.metaKey || event.altKey || !["ArrowDown", "ArrowUp", "j", "k", "Home", "End"].includes(event.key)) return;
    event.preventDefault();
    let place = model.chosen >= 0 ? model.placeOfRow(model.chosen) : -1;
    if (place < 0) place = model.placeOf(model.now);
    const step = event.key === "ArrowDown" || event.key === "j" ? 1 : -1;
    if (event.key === "Home") place = 0;
    else if (event.key === "End") place = model.items.length - 1;
    else if (model.chosen >= 0) place += step;
    // Gaps are not chosen: go on to the event behind.
    while (model.items[place] < 0 && place >= 0 && place < model.items.length) place += event.key === "Home" ? 1 : event.key === "End" ? -1 : step;
    if (model.items[place] === undefined) return;
    this.take(model.items[place]);
    this.scrollTo(place);
  }

  // Paper shows no part of a list: the first events of the present filter are written out.
  print(isPrinting) {
    this.isPrinting = isPrinting;
    if (!isPrinting) { this.reset(); return; }
    for (const node of this.nodes.values()) node.remove();
    this.nodes.clear();
    this.body.style.height = "auto";
    const count = Math.min(this.model.items.length, PRINTED);
    for (let place = 0; place < count; place++) {
      const node = this.node(place);
      this.nodes.set(place, node);
      this.body.append(node);
    }
    if (this.model.items.length > count) {
      const left = element("div", "row", "… and " + grouped(this.model.items.length - count) + " more events: narrow the search or the rows to print them.", { role: "listitem" });
      this.nodes.set(-1, left);
      this.body.append(left);
    }
  }
}

// Appends a text with its matches marked; web addresses become links.
function appendPieces(parent, model, text) {
  for (const part of text.split(/(https?:\/\/[^\s<>"'`]+)/)) {
    if (!part) continue;
    let target = parent;
    if (/^https?:\/\//.test(part) && URL.canParse(part) && /^https?:$/.test(new URL(part).protocol)) {
      target = element("a", "", undefined, { href: part, target: "_blank", rel: "noopener noreferrer", tabindex: "-1" });
      parent.append(target);
    }
    for (const [piece, isMatch] of model.pieces(part)) target.append(isMatch ? element("mark", "", piece) : piece);
  }
}
