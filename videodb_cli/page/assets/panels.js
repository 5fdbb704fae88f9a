// What stands beside the list: the numbers above, alerts and life cycle, what was on screen, counts and rates.
const SHOWN_MOMENTS = 200, BEFORE_MS = 60000;

function showFacts(page) {
  const alerts = page.lanes.filter(lane => lane.slug === "alert").reduce((sum, lane) => sum + lane.count, 0);
  const recovered = page.lanes.reduce((sum, lane) => sum + lane.recovered, 0);
  const lost = page.gaps.reduce((sum, [from, to]) => sum + to - from, 0);
  const span = page.last - page.first;
  const facts = [[grouped(page.events), page.events === 1 ? "event" : "events"], [spanText(span), "long"]];
  if (span > 0 && page.events > 1) facts.push([rateText(page.events, span), "a minute"]);
  if (alerts) facts.push([grouped(alerts), alerts === 1 ? "alert" : "alerts", "alert"]);
  if (page.gaps.length) facts.push([grouped(page.gaps.length), (page.gaps.length === 1 ? "gap" : "gaps") + ", " + spanText(lost), "gap"]);
  else if (page.wall) facts.push(["no", "gaps"]);
  if (recovered) facts.push([grouped(recovered), "recovered"]);
  for (const [number, word, name] of facts) {
    const item = element("li", name ? "fact " + name : "fact");
    item.append(element("b", "", number), " " + word);
    $("facts").append(item);
  }
}

// Signs of what the page does not have are not explained.
function showLegend(page) {
  const has = {
    gap: page.gaps.length > 0, recovered: page.lanes.some(lane => lane.recovered), alert: page.lanes.some(lane => lane.slug === "alert"),
    life: page.lanes.some(lane => lane.slug === "capture_session" || lane.slug === "videodb_cli"),
  };
  for (const item of document.querySelectorAll("[data-sign]")) item.hidden = !has[item.dataset.sign];
}

function rateText(count, ms) {
  const rate = count / (ms / 60000);
  return rate >= 100 ? grouped(Math.round(rate)) : rate.toFixed(1);
}

function showNumbers(page) {
  const table = element("table");
  const head = element("tr");
  for (const [name, isNumber] of [["Row"], ["Events", 1], ["Share", 1], ["A minute", 1], ["Recovered", 1]]) head.append(element("th", isNumber ? "number" : "", name, { scope: "col" }));
  table.append(element("caption", "hidden", "Events of each row"), element("thead"), element("tbody"));
  table.tHead.append(head);
  const add = (name, kind, slug, count, recovered) => {
    const line = element("tr");
    const cell = element("th", "c-" + slug, undefined, { scope: "row" });
    cell.append(element("span", "dot", "", { "aria-hidden": "true" }), name, kind ? " " : "", element("span", "kind", kind));
    const share = page.events ? (100 * count / page.events).toFixed(1) + " %" : "";
    line.append(cell, ...[grouped(count), share, rateText(count, page.last - page.first), recovered ? grouped(recovered) : "–"].map(text => element("td", "number", text)));
    table.tBodies[0].append(line);
  };
  for (const lane of page.lanes) add(lane.label, lane.label === lane.kind ? "" : lane.kind, lane.slug, lane.count, lane.recovered);
  if (page.lanes.length > 1) add("all", "", "other", page.events, page.lanes.reduce((sum, lane) => sum + lane.recovered, 0));
  $("numbers").append(table);
}

// The last final transcript before a moment: what was said just before an alert.
function saidBefore(model, at) {
  let best = -1;
  for (const lane of model.page.lanes) {
    if (lane.channel !== "transcript") continue;
    const place = lowerBound(lane.rows.length, k => model.rows.at[lane.rows[k]], at + 1);
    const row = lane.rows[place - 1];
    if (row !== undefined && (best < 0 || model.rows.at[row] > model.rows.at[best])) best = row;
  }
  return best >= 0 && at - model.rows.at[best] <= BEFORE_MS ? best : -1;
}

// The first events of each screen that differs from the one before: the chapters of a recording.
function chapters(model) {
  const found = [];
  for (const lane of model.page.lanes) {
    if (lane.channel !== "visual_index") continue;
    let before = "";
    for (const row of lane.rows) {
      const headline = model.textOf(row).trim().split(/\n|(?<=[.!?])\s/)[0].slice(0, 70);
      if (headline && headline !== before) found.push(row);
      before = headline;
    }
  }
  return found;
}

function showMoments(model) {
  const { page, rows } = model;
  const items = page.gaps.map((gap, number) => ({ at: gap[0], gap: number }));
  for (const lane of page.lanes) {
    if (lane.slug === "alert" || lane.slug === "capture_session") for (const row of lane.rows) items.push({ at: rows.at[row], row });
  }
  if (page.player) {
    $("alerts-title").textContent = "Chapters";
    for (const row of chapters(model)) items.push({ at: rows.at[row], row });
  }
  items.sort((a, b) => a.at - b.at);
  const list = $("moments");
  if (!items.length) list.append(element("li", "muted", page.player ? "No chapters: nothing was read on screen." : "No alerts, life cycle or gaps."));
  for (const one of items.slice(0, SHOWN_MOMENTS)) list.append(momentItem(model, one));
  if (items.length > SHOWN_MOMENTS) list.append(element("li", "muted", "and " + grouped(items.length - SHOWN_MOMENTS) + " more in the list of events"));
}

function momentItem(model, one) {
  const { page } = model;
  const item = element("li");
  const lane = one.row === undefined ? null : model.laneOf(one.row);
  const button = element("button", "moment " + (lane ? "c-" + lane.slug : "gap"), undefined, { type: "button" });
  const sign = !lane ? "▨" : lane.slug === "alert" ? "⚑" : lane.slug === "capture_session" ? "◆" : "▸";
  const kind = !lane ? "Gap" : lane.slug === "alert" ? "Alert" : lane.slug === "capture_session" ? "Session" : "";
  const text = lane ? model.textOf(one.row) : spanText(page.gaps[one.gap][1] - page.gaps[one.gap][0]) + ": nothing could be heard";
  button.append(element("span", "time", momentText(page, one.at).replace(/ (?=\d+:)/, "\n")), element("span", "sign-text", sign, { "aria-hidden": "true" }));
  const words = element("span", "words");
  words.append(element("b", "", kind ? kind + " " : ""), text.length > 140 ? text.slice(0, 139) + "…" : text);
  button.append(words);
  const said = lane && lane.slug === "alert" ? saidBefore(model, one.at) : -1;
  if (said >= 0) {
    const quote = model.textOf(said);
    words.append(element("span", "before", model.laneOf(said).label + ", " + spanText(Math.max(0, one.at - model.rows.at[said])) + " before: “" + (quote.length > 160 ? quote.slice(0, 159) + "…" : quote) + "”"));
  }
  button.addEventListener("click", () => { if (lane) model.choose(one.row, "panel"); else model.go(one.at, "panel"); });
  item.append(button);
  return item;
}

// What each screen showed at the moment.
function showSeen(model) {
  const { page, rows } = model;
  const parts = [];
  for (const lane of page.lanes) {
    if (lane.channel !== "visual_index" || !lane.rows.length) continue;
    const place = lowerBound(lane.rows.length, k => rows.at[lane.rows[k]], model.now + 1);
    const row = lane.rows[place - 1];
    const part = element("div", "screen-text");
    part.append(element("b", "", lane.label + " "), element("span", "muted", row === undefined ? "nothing yet" : clockText(page, rows.at[row])));
    if (row !== undefined) {
      const text = element("p");
      appendPieces(text, model, model.textOf(row));
      part.append(text);
    }
    parts.push(part);
  }
  if (!parts.length) parts.push(element("p", "muted", "Nothing was read on a screen."));
  $("seen").replaceChildren(...parts);
}
