"use strict";
// Plays a finished MP4 as it is, and one that still grows through Media Source, or as HLS where there is none.
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

const pause = ms => new Promise(done => setTimeout(done, ms));

function append(buffer, data) {
  return new Promise((done, failed) => {
    buffer.addEventListener("updateend", done, { once: true });
    buffer.addEventListener("error", () => failed(new Error("a part was refused")), { once: true });
    buffer.appendBuffer(data);
  });
}

// The bytes from an offset on, at most a megabyte; none if the file has not grown beyond it.
async function more(address, offset) {
  const answer = await fetch(address, { headers: { Range: "bytes=" + offset + "-" + (offset + 1048575) }, cache: "no-store" });
  if (answer.status === 416) return new Uint8Array(0);
  if (!answer.ok) throw new Error("the recording answered " + answer.status);
  return new Uint8Array(await answer.arrayBuffer());
}

// A fragmented MP4 that still grows can be handed on in pieces of any size.
async function playGrowing(recording, playlist) {
  const media = new MediaSource();
  video.src = URL.createObjectURL(media);
  await new Promise(done => media.addEventListener("sourceopen", done, { once: true }));
  let buffer = null;
  let offset = 0;
  let head = new Uint8Array(0);
  for (;;) {
    const ended = (await (await fetch(playlist, { cache: "no-store" })).text()).includes("#EXT-X-ENDLIST");
    const part = await more(recording, offset);
    offset += part.length;
    if (!part.length) {
      if (ended) break;
      await pause(1000);
    } else if (buffer) {
      await append(buffer, part);
    } else {
      head = new Uint8Array([...head, ...part]);
      if (indexOf(head, "moof") < 0) continue;
      const type = 'video/mp4; codecs="' + codecsOf(head) + '"';
      if (!MediaSource.isTypeSupported(type)) throw new Error("this browser does not play " + type);
      buffer = media.addSourceBuffer(type);
      await append(buffer, head);
      // A viewer wants what happens now, not what happened when the stream began.
      if (!ended) video.addEventListener("playing", () => { live(); }, { once: true });
    }
  }
  media.endOfStream();
}

function live() {
  const end = video.buffered.length ? video.buffered.end(video.buffered.length - 1) : 0;
  if (end - video.currentTime > 6) video.currentTime = end - 3;
}

// Several spans one after the other: [address, first second, last second] each.
function playParts(parts) {
  let at = 0;
  const next = () => {
    video.src = parts[at][0] + "#t=" + parts[at][1] + "," + parts[at][2];
    if (at) video.play();
  };
  const done = () => { if (at + 1 < parts.length) { at++; next(); } };
  // A browser pauses at the end of the fragment; the file itself goes on.
  video.addEventListener("pause", () => { if (video.currentTime >= parts[at][2] - 0.1) done(); });
  video.addEventListener("ended", done);
  next();
}

video.addEventListener("error", () => fail(video.error ? video.error.message : "unknown"));
video.addEventListener("playing", () => { document.documentElement.dataset.state = "playing"; });
if (video.dataset.parts) playParts(JSON.parse(video.dataset.parts));
else if (video.dataset.mp4) video.src = video.dataset.mp4;
else if (window.MediaSource) playGrowing(video.dataset.live, video.dataset.hls).catch(error => fail(error.message));
else if (video.canPlayType(HLS)) video.src = video.dataset.hls;
else fail("this browser has no Media Source Extensions");
