"use strict";
// Plays an MP4 as it is, HLS natively where the browser can, and fragmented-MP4 HLS through Media Source elsewhere.
const video = document.getElementById("video");
const note = document.getElementById("note");
const HLS = "application/vnd.apple.mpegurl";

function fail(reason) {
  note.textContent = "This recording cannot be played here: " + reason;
  document.documentElement.dataset.state = "failed";
}

function indexOf(bytes, word) {
  outer: for (let i = 0; i + word.length <= bytes.length; i++) {
    for (let j = 0; j < word.length; j++) if (bytes[i + j] !== word.charCodeAt(j)) continue outer;
    return i;
  }
  return -1;
}

// The codecs of an initialisation segment: profile and level stand in the avcC box, right behind its version byte.
function codecsOf(init) {
  const found = [];
  const avc = indexOf(init, "avcC");
  if (avc >= 0) found.push("avc1." + [5, 6, 7].map(k => init[avc + k].toString(16).padStart(2, "0")).join(""));
  if (indexOf(init, "mp4a") >= 0) found.push("mp4a.40.2");
  return found.join(", ");
}

function parse(text, base) {
  const list = { map: null, segments: [], ended: text.includes("#EXT-X-ENDLIST") };
  for (const line of text.split("\n").map(part => part.trim())) {
    const map = line.match(/^#EXT-X-MAP:.*URI="([^"]+)"/);
    if (map) list.map = new URL(map[1], base).href;
    else if (line && !line.startsWith("#")) list.segments.push(new URL(line, base).href);
  }
  return list;
}

async function bytesOf(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(url + " answered " + answer.status);
  return new Uint8Array(await answer.arrayBuffer());
}

const pause = ms => new Promise(done => setTimeout(done, ms));

function append(buffer, data) {
  return new Promise((done, failed) => {
    buffer.addEventListener("updateend", done, { once: true });
    buffer.addEventListener("error", () => failed(new Error("a segment was refused")), { once: true });
    buffer.appendBuffer(data);
  });
}

async function playSegments(address) {
  const base = new URL(address, location.href);
  const load = async () => parse(new TextDecoder().decode(await bytesOf(base)), base);
  let list = await load();
  while (!list.map || !list.segments.length) {
    if (list.ended) throw new Error("it is empty");
    await pause(1000);
    list = await load();
  }
  const media = new MediaSource();
  video.src = URL.createObjectURL(media);
  await new Promise(done => media.addEventListener("sourceopen", done, { once: true }));
  const init = await bytesOf(list.map);
  const type = 'video/mp4; codecs="' + codecsOf(init) + '"';
  if (!MediaSource.isTypeSupported(type)) throw new Error("this browser does not play " + type);
  const buffer = media.addSourceBuffer(type);
  await append(buffer, init);
  let next = 0;
  for (;;) {
    for (; next < list.segments.length; next++) {
      await append(buffer, await bytesOf(list.segments[next]));
      // A part of a longer recording keeps its times: begin where it begins.
      if (next === 0 && buffer.buffered.length && video.currentTime < buffer.buffered.start(0))
        video.currentTime = buffer.buffered.start(0);
    }
    if (list.ended) { media.endOfStream(); return; }
    await pause(1000);
    list = await load();
  }
}

video.addEventListener("error", () => fail(video.error ? video.error.message : "unknown"));
video.addEventListener("playing", () => { document.documentElement.dataset.state = "playing"; });
if (video.dataset.mp4) video.src = video.dataset.mp4;
else if (window.MediaSource) playSegments(video.dataset.hls).catch(error => fail(error.message));
else if (video.canPlayType(HLS)) video.src = video.dataset.hls;
else fail("this browser has no Media Source Extensions");
