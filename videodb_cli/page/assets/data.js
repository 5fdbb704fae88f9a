// Reads the data of the page: JSON, compressed, in base64. See payload.py for its form.
const RECOVERED = 1, INTERIM = 2, CUT = 4;
const NAMES = {
  transcript: "speech", visual_index: "screen", audio_index: "sound", alert: "alert",
  capture_session: "session", videodb_cli: "listener",
};
const $ = id => document.getElementById(id);

async function unpack(id) {
  const text = $(id).textContent;
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

// One element with a class, a text and attributes. Text is always text, never markup.
function element(name, className, text, attributes = {}) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// The columns as typed arrays; `said` are numbers of texts.
function readColumns(page) {
  const count = page.t.length;
  const rows = {
    count,
    at: new Float64Array(count), length: new Float64Array(count), lane: new Uint16Array(count),
    said: new Uint32Array(count), flags: new Uint8Array(count),
  };
  let at = 0, fresh = 0;
  for (let i = 0; i < count; i++) {
    at += page.t[i];
    rows.at[i] = at;
    rows.length[i] = page.d[i];
    rows.lane[i] = page.l[i];
    rows.said[i] = page.s[i] ? fresh - page.s[i] : fresh++;
    rows.flags[i] = page.f[i];
  }
  return rows;
}

// Where each lane's events stand in time, and how many of them there are in each bin.
function readLanes(page, rows) {
  const sizes = new Uint32Array(page.lanes.length);
  for (let i = 0; i < rows.count; i++) sizes[rows.lane[i]]++;
  const lanes = page.lanes.map((lane, number) => {
    const count = lane.bins.length / 2;
    const starts = new Float64Array(count), counts = new Float64Array(count);
    let place = 0, max = 1;
    for (let k = 0; k < count; k++) {
      place += lane.bins[2 * k];
      starts[k] = lane.first + place * page.bin;
      counts[k] = lane.bins[2 * k + 1];
      if (counts[k] > max) max = counts[k];
    }
    const kind = NAMES[lane.channel] || lane.channel.replace(/_/g, " ");
    return {
      ...lane, number, starts, counts, max, kind, shown: true, rows: new Uint32Array(sizes[number]), filled: 0, longest: 0,
      label: lane.stream ? shortStream(lane.stream) : kind, slug: lane.channel in NAMES ? lane.channel : "other",
    };
  });
  for (let i = 0; i < rows.count; i++) {
    const lane = lanes[rows.lane[i]];
    lane.rows[lane.filled++] = i;
    if (rows.length[i] > lane.longest) lane.longest = rows.length[i];
  }
  return lanes;
}

function shortStream(name) {
  return name.length > 40 ? name.slice(0, 39) + "…" : name;
}

async function readPage() {
  const page = JSON.parse(await unpack("data"));
  const rows = readColumns(page);
  const lanes = readLanes(page, rows);
  let first = page.first === null ? Infinity : page.first, last = page.last === null ? -Infinity : page.last;
  for (const gap of page.gaps) { first = Math.min(first, gap[0]); last = Math.max(last, gap[1]); }
  if (rows.count) last = Math.max(last, rows.at[rows.count - 1] + Math.min(rows.length[rows.count - 1], 60000));
  if (!(last > first)) { first = isFinite(first) ? first : 0; last = first + 60000; }
  const day = ms => new Date(page.zero * 1000 + ms).toDateString();
  return { ...page, rows, lanes, first, last, hasDays: page.wall && day(first) !== day(last) };
}

// ---- times ---------------------------------------------------------------------------------------------------------
const two = number => String(number).padStart(2, "0");

// Minutes and seconds since the beginning, as in links: 12:03, 1:02:03.
function offsetText(ms, exact) {
  const sign = ms < 0 ? "-" : "";
  const all = Math.abs(ms);
  const seconds = Math.floor(all / 1000);
  const hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60) % 60;
  const tail = exact && all % 1000 ? "." + String(Math.floor(all % 1000)).padStart(3, "0") : "";
  return sign + (hours ? hours + ":" + two(minutes) : String(minutes)) + ":" + two(seconds % 60) + tail;
}

function clockText(page, ms, parts = "seconds") {
  if (!page.wall) return offsetText(ms, parts === "exact");
  const date = new Date(page.zero * 1000 + ms);
  if (isNaN(date)) return "?";
  if (parts === "day") return date.toLocaleDateString(undefined, { weekday: "short", year: "numeric", month: "short", day: "numeric" });
  const clock = two(date.getHours()) + ":" + two(date.getMinutes());
  if (parts === "minutes") return clock;
  const seconds = clock + ":" + two(date.getSeconds());
  return parts === "exact" ? seconds + "." + String(date.getMilliseconds()).padStart(3, "0") : seconds;
}

// With the day, on a page of several days.
function momentText(page, ms) {
  const clock = clockText(page, ms);
  if (!page.hasDays) return clock;
  const date = new Date(page.zero * 1000 + ms);
  return date.toLocaleDateString(undefined, { month: "short", day: "numeric" }) + " " + clock;
}

function spanText(ms) {
  const seconds = ms / 1000;
  if (seconds < 10) return seconds.toFixed(1).replace(/\.0$/, "") + " s";
  if (seconds < 120) return Math.round(seconds) + " s";
  if (seconds < 7200) return Math.round(seconds / 60) + " min";
  if (seconds < 172800) return Math.floor(seconds / 3600) + " h " + two(Math.round(seconds / 60) % 60) + " min";
  return Math.round(seconds / 86400) + " days";
}
const grouped = number => number.toLocaleString("en");

// The first place in a sorted array at which `value` fits; `get` reads one.
function lowerBound(count, get, value) {
  let low = 0, high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (get(middle) < value) low = middle + 1; else high = middle;
  }
  return low;
}
