// Ways to play a recording: a finished MP4, spans of several, one that still grows, HLS. Each has start(), position()
// and seek(), in seconds of the recording.
const HLS_TYPE = "application/vnd.apple.mpegurl";
const later = ms => new Promise(done => setTimeout(done, ms));

function sourceOf(video, found) {
  if (found.parts.length) return new PartsSource(video, found.parts);
  if (found.mp4) return new FileSource(video, found.mp4);
  if (found.growing && window.MediaSource) return new GrowingSource(video, found.growing, found.hls);
  return new HlsSource(video, found.hls);
}

class FileSource {
  constructor(video, address) { this.video = video; this.address = address; }
  async start() { this.video.src = this.address; }
  position() { return this.video.currentTime; }
  seek(seconds) { this.video.currentTime = seconds; }
  stop() { this.video.removeAttribute("src"); this.video.load(); }
}

// Several spans one after the other: [address, first second, last second] each.
class PartsSource extends FileSource {
  constructor(video, parts) {
    super(video, "");
    this.parts = parts;
    this.place = 0;
    // A browser pauses at the end of the fragment; the file itself goes on.
    this.ends = () => { if (this.video.currentTime >= this.parts[this.place][2] - 0.1) this.next(); };
    video.addEventListener("pause", this.ends);
    video.addEventListener("ended", this.ends);
  }

  async start() { this.open(0); }

  open(place, at) {
    this.place = place;
    const [address, first, last] = this.parts[place];
    this.video.src = address + "#t=" + (at === undefined ? first : at) + "," + last;
  }

  next() {
    if (this.place + 1 >= this.parts.length) return;
    this.open(this.place + 1);
    this.video.play();
  }

  position() {
    let before = 0;
    for (let k = 0; k < this.place; k++) before += this.parts[k][2] - this.parts[k][1];
    return before + Math.max(0, this.video.currentTime - this.parts[this.place][1]);
  }

  seek(seconds) {
    for (let place = 0; place < this.parts.length; place++) {
      const [, first, last] = this.parts[place];
      if (seconds < last - first || place + 1 === this.parts.length) {
        const at = Math.min(first + seconds, last);
        if (place === this.place) this.video.currentTime = at; else this.open(place, at);
        return;
      }
      seconds -= last - first;
    }
  }

  stop() {
    this.video.removeEventListener("pause", this.ends);
    this.video.removeEventListener("ended", this.ends);
    super.stop();
  }
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
class GrowingSource extends FileSource {
  constructor(video, recording, playlist) {
    super(video, recording);
    this.playlist = playlist;
  }

  async start() {
    const media = new MediaSource();
    this.video.src = URL.createObjectURL(media);
    await new Promise(done => media.addEventListener("sourceopen", done, { once: true }));
    let buffer = null, offset = 0, head = new Uint8Array(0);
    while (!this.isStopped) {
      const ended = (await (await fetch(this.playlist, { cache: "no-store" })).text()).includes("#EXT-X-ENDLIST");
      const part = await more(this.address, offset);
      offset += part.length;
      if (!part.length) {
        if (ended) break;
        await later(1000);
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
        if (!ended) this.video.addEventListener("playing", () => this.goLive(), { once: true });
      }
    }
    if (!this.isStopped) media.endOfStream();
  }

  goLive() {
    const { buffered } = this.video;
    const end = buffered.length ? buffered.end(buffered.length - 1) : 0;
    if (end - this.video.currentTime > 6) this.video.currentTime = end - 3;
  }

  stop() { this.isStopped = true; super.stop(); }
}

class HlsSource extends FileSource {
  async start() {
    if (!$("hls").textContent.trim()) { this.playItself(); return; }
    if (!window.Hls) {
      // The policy of the page allows this script by its hash.
      document.head.append(element("script", "", await unpack("hls")));
    }
    if (!window.Hls || !window.Hls.isSupported()) { this.playItself(); return; }
    await new Promise((done, failed) => {
      this.hls = new window.Hls({ enableWorker: false });
      this.hls.on(window.Hls.Events.MANIFEST_PARSED, done);
      this.hls.on(window.Hls.Events.ERROR, (_event, error) => { if (error.fatal) failed(new Error(this.reason(error))); });
      this.hls.loadSource(this.address);
      this.hls.attachMedia(this.video);
    });
  }

  reason(error) {
    const status = error.response && error.response.code;
    return status ? "it answered " + status : error.type === "networkError" ? "it cannot be reached" : error.details;
  }

  playItself() {
    if (!this.video.canPlayType(HLS_TYPE)) throw new Error("this browser does not play HLS");
    this.video.src = this.address;
  }

  stop() { if (this.hls) this.hls.destroy(); super.stop(); }
}
