// What is shown at present: the filters, the search, the chosen event, the moment. Views listen to its changes.
class Model {
  constructor(page) {
    this.page = page;
    this.rows = page.rows;
    this.texts = page.texts;
    this.words = [];
    this.only = false;
    this.channelsOff = new Set();
    this.stream = "";
    this.now = page.first;      // the moment, in milliseconds since zero
    this.chosen = -1;           // a row
    this.items = [];            // what the list shows: a row, or ~g for gap g
    this.hits = new Uint32Array(0);
    this.isHit = null;          // for each text, whether it matches
    this.listeners = {};
    this.lower = null;
    this.filter();
  }

  on(name, listener) { (this.listeners[name] ||= []).push(listener); }
  tell(name) { for (const listener of this.listeners[name] || []) listener(); }

  textOf(row) { return this.texts[this.rows.said[row]]; }
  laneOf(row) { return this.page.lanes[this.rows.lane[row]]; }
  atOf(item) { return item < 0 ? this.page.gaps[~item][0] : this.rows.at[item]; }
  shows(lane) {
    return lane.shown && !this.channelsOff.has(lane.channel) && (!this.stream || lane.stream === this.stream);
  }

  search(text) {
    this.words = text.toLowerCase().split(/\s+/).filter(Boolean);
    this.isHit = null;
    if (this.words.length) {
      this.lower ||= this.texts.map(one => one.toLowerCase());
      this.isHit = this.lower.map(one => this.words.every(word => one.includes(word)));
    }
    this.filter();
  }

  filter() {
    const { rows, page } = this;
    const shown = page.lanes.map(lane => this.shows(lane));
    const items = [], hits = [];
    let gap = 0;
    const gaps = page.gaps;
    const hides = this.only && this.isHit;
    for (let row = 0; row < rows.count; row++) {
      while (!hides && gap < gaps.length && gaps[gap][0] <= rows.at[row]) items.push(~gap++);
      if (!shown[rows.lane[row]]) continue;
      const hit = this.isHit !== null && this.isHit[rows.said[row]];
      if (hit) hits.push(row);
      if (hit || !hides) items.push(row);
    }
    while (!hides && gap < gaps.length) items.push(~gap++);
    this.items = items;
    this.hits = Uint32Array.from(hits);
    this.tell("filter");
  }

  // The place in the list of the last item that is not after the moment.
  placeOf(ms) {
    return Math.max(0, lowerBound(this.items.length, k => this.atOf(this.items[k]), ms + 0.5) - 1);
  }

  placeOfRow(row) {
    const at = this.rows.at[row];
    let place = lowerBound(this.items.length, k => this.atOf(this.items[k]), at);
    while (place < this.items.length && this.atOf(this.items[place]) === at) {
      if (this.items[place] === row) return place;
      place++;
    }
    return -1;
  }

  // `by` says who asks: "list", "timeline", "video", "search", "link"; views do not answer themselves.
  go(ms, by) {
    this.now = Math.min(Math.max(ms, this.page.first), this.page.last);
    this.by = by;
    this.tell("moment");
  }

  choose(row, by) {
    this.chosen = row;
    this.tell("choice");
    this.go(this.rows.at[row], by);
  }

  nextHit(step) {
    const { hits } = this;
    if (!hits.length) return;
    const from = this.chosen >= 0 ? this.chosen : lowerBound(this.rows.count, i => this.rows.at[i], this.now) - (step > 0 ? 1 : 0);
    let place = lowerBound(hits.length, k => hits[k], step > 0 ? from + 1 : from);
    if (step < 0) place--;
    this.choose(hits[(place + hits.length) % hits.length], "search");
  }

  // The pieces of a text: [text, whether it is a match].
  pieces(text) {
    if (!this.words.length) return [[text, false]];
    const pattern = this.words.map(word => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
    return text.split(new RegExp("(" + pattern + ")", "giu")).map((piece, k) => [piece, k % 2 === 1]).filter(([piece]) => piece);
  }
}
