// Puts the page together: header, tools, links to a moment, keys, theme, print.
function showHeader(page) {
  const first = page.wall ? clockText(page, page.first, "day") + ", " + clockText(page, page.first) : "";
  const last = (page.hasDays ? clockText(page, page.last, "day") + ", " : "") + clockText(page, page.last);
  $("when").textContent = first && first + " – " + last;
  for (const note of page.notes) $("notes").append(element("li", "", note));
}

function showTools(model) {
  const { page } = model;
  for (const channel of [...new Set(page.lanes.map(lane => lane.channel))]) {
    const slug = channel in NAMES ? channel : "other";
    const chip = element("button", "chip c-" + slug, NAMES[channel] || channel.replace(/_/g, " "), { type: "button", "aria-pressed": "true", title: channel });
    chip.addEventListener("click", () => {
      const isOff = model.channelsOff.delete(channel) || !model.channelsOff.add(channel);
      chip.setAttribute("aria-pressed", String(isOff));
      model.filter();
    });
    $("channels").append(chip);
  }
  for (const stream of [...new Set(page.lanes.map(lane => lane.stream).filter(Boolean))].sort()) $("stream").append(element("option", "", shortStream(stream), { value: stream }));
  $("stream").hidden = $("stream").options.length < 3;
  $("stream").addEventListener("change", () => { model.stream = $("stream").value; model.filter(); });
  $("only").addEventListener("change", () => { model.only = $("only").checked; model.filter(); });
  $("follow").parentElement.hidden = !page.videos.length;
  let due = 0;
  $("search").addEventListener("input", () => { clearTimeout(due); due = setTimeout(() => find(model, $("search").value), 60); });
  $("search").addEventListener("keydown", event => {
    if (event.key === "Enter") { event.preventDefault(); if (due) { clearTimeout(due); find(model, $("search").value); } model.nextHit(event.shiftKey ? -1 : 1); }
  });
  $("next").addEventListener("click", () => model.nextHit(1));
  $("previous").addEventListener("click", () => model.nextHit(-1));
  model.on("filter", () => tellFound(model));
  model.on("choice", () => tellFound(model));
  tellFound(model);
}

function find(model, text) {
  if (model.searched === text) return;
  model.searched = text;
  model.search(text);
}

function tellFound(model) {
  const { page, hits } = model;
  let text = "";
  if (model.isHit) {
    const place = lowerBound(hits.length, k => hits[k], model.chosen);
    const isOn = hits[place] === model.chosen;
    text = hits.length ? (isOn ? grouped(place + 1) + " of " : "") + grouped(hits.length) + (hits.length === 1 ? " match" : " matches") : "no match";
  } else {
    const listed = model.items.filter(item => item >= 0).length;
    text = listed === page.events ? grouped(listed) + (listed === 1 ? " event" : " events") : grouped(listed) + " of " + grouped(page.events) + " events listed";
  }
  $("found").textContent = text;
  $("next").disabled = $("previous").disabled = !hits.length;
}

// ---- links to a moment: #t=12:03 (since the beginning), #t=723, #t=2026-03-02T10:15:30Z, with &q=words ----------------
function readLink(page, hash) {
  const found = new URLSearchParams(hash.replace(/^#/, ""));
  const at = found.get("t") || "";
  const query = found.get("q");
  const parts = /^(?:(\d+):)?(?:(\d+):)?(\d+(?:\.\d+)?)s?$/.exec(at);
  let ms = null;
  if (parts) {
    const [, a, b, seconds] = parts;
    const minutes = b === undefined ? Number(a || 0) : Number(a) * 60 + Number(b);
    ms = (page.wall ? page.first : 0) + (minutes * 60 + Number(seconds)) * 1000;
  } else if (page.wall && at && !isNaN(Date.parse(at))) ms = Date.parse(at) - page.zero * 1000;
  return { ms, query };
}

function followLink(model) {
  const { ms, query } = readLink(model.page, location.hash);
  if (query !== null) { $("search").value = query; find(model, query); }
  if (ms !== null) model.go(ms, "link");
}

function keepLink(model) {
  let due = 0;
  model.on("moment", () => {
    if (model.by === "video" || model.by === "link") return;
    clearTimeout(due);
    due = setTimeout(() => {
      const base = model.page.wall ? model.page.first : 0;
      const query = model.searched ? "&q=" + encodeURIComponent(model.searched) : "";
      history.replaceState(null, "", "#t=" + offsetText(Math.floor((model.now - base) / 1000) * 1000) + query);
    }, 250);
  });
  window.addEventListener("hashchange", () => followLink(model));
}

function listenToKeys(model, player) {
  document.addEventListener("keydown", event => {
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape" && event.target.id === "search") { $("search").value = ""; find(model, ""); return; }
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") { event.preventDefault(); $("search").focus(); $("search").select(); }
    else if (event.key === "n") model.nextHit(1);
    else if (event.key === "N" || event.key === "p") model.nextHit(-1);
    else if (event.key === " " && !/^(BUTTON|A|VIDEO)$/.test(event.target.tagName) && player.toggle()) event.preventDefault();
  });
}

function listenToTheme(timeline) {
  const root = document.documentElement;
  const wish = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : wish.matches;
  const tell = () => { $("theme").setAttribute("aria-label", isDark() ? "Use the light theme" : "Use the dark theme"); timeline.redraw(); };
  $("theme").addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; tell(); });
  wish.addEventListener("change", tell);
  tell();
}

function listenToPrint(list, timeline) {
  const root = document.documentElement;
  let before;
  const begin = () => {
    if (list.isPrinting) return;
    before = root.dataset.theme;
    root.dataset.theme = "light";
    list.print(true);
    timeline.drawing.readColors();
    timeline.drawing.paint(timeline.view, timeline.model);
    timeline.mapPicture = null;
    timeline.drawMap();
  };
  const end = () => {
    if (!list.isPrinting) return;
    if (before) root.dataset.theme = before; else delete root.dataset.theme;
    list.print(false);
    timeline.redraw();
  };
  window.addEventListener("beforeprint", begin);
  window.addEventListener("afterprint", end);
}

async function main() {
  let page;
  try {
    page = await readPage();
  } catch (error) {
    $("list").append(element("p", "", "This page cannot be read: " + error.message + ". It needs a browser of 2023 or newer.", { role: "listitem" }));
    throw error;
  }
  const model = new Model(page);
  showHeader(page);
  showFacts(page);
  showLegend(page);
  showTools(model);
  showNumbers(page);
  showMoments(model);
  const timeline = new Timeline(model);
  const list = new List(model);
  const player = new Player(model);
  let seen = 0;
  const showsSeen = () => { if (!seen) seen = requestAnimationFrame(() => { seen = 0; showSeen(model); }); };
  for (const name of ["moment", "filter"]) model.on(name, showsSeen);
  showsSeen();
  timeline.tellValue();
  keepLink(model);
  listenToKeys(model, player);
  listenToTheme(timeline);
  listenToPrint(list, timeline);
  if (location.hash) followLink(model);
  document.documentElement.dataset.ready = "yes";
  // For tests of the page.
  document.documentElement.page = { model, timeline, list, player };
}
main();
