// The recording beside the events: they show the same moment. Reports load it only when they are asked to.
class Player {
  constructor(model) {
    this.model = model;
    this.page = model.page;
    this.video = $("video");
    this.nudge = 0;
    if (!this.page.videos.length) return;
    $("stage").hidden = false;
    // On a wide screen the recording of a report stands beside the list, and scrolls with what else is there.
    if (!this.page.player && matchMedia("(min-width: 900px)").matches) $("side").firstElementChild.after($("stage"));
    this.page.videos.forEach((one, number) => $("videos").append(element("option", "", one.title, { value: number })));
    $("videos").hidden = this.page.videos.length < 2;
    $("videos").addEventListener("change", () => this.take(Number($("videos").value)));
    $("load").addEventListener("click", () => this.load(true));
    for (const button of document.querySelectorAll("[data-nudge]")) button.addEventListener("click", () => this.shift(Number(button.dataset.nudge)));
    const { video } = this;
    video.addEventListener("timeupdate", () => this.tick());
    video.addEventListener("playing", () => { document.documentElement.dataset.state = "playing"; });
    video.addEventListener("error", () => this.fail(video.error && video.error.message || "the browser gives no reason"));
    model.on("moment", () => { if (model.by !== "video") this.seek(); });
    this.take(0);
    if (this.page.player) this.load(false);
  }

  take(number) {
    if (this.source) { this.source.stop(); this.source = null; }
    this.found = this.page.videos[number];
    this.nudge = 0;
    const canPlay = this.found.hls || this.found.mp4 || this.found.growing || this.found.parts.length;
    $("video").hidden = true;
    $("load").hidden = !canPlay;
    $("load").parentElement.hidden = !canPlay;
    $("sync").hidden = true;
    $("note").textContent = canPlay ? (this.page.player ? "" : "Nothing is loaded before you press play; then it comes from " + this.host() + ".") : "The log names no stream of this recording that a page can play.";
    this.link("player", this.found.player);
    this.link("download", this.found.download);
  }

  host() { return URL.canParse(this.found.hls || this.found.mp4) ? new URL(this.found.hls || this.found.mp4).host : "this server"; }

  link(id, address) {
    $(id).hidden = !address;
    if (address) $(id).href = address;
  }

  async load(plays) {
    const { video } = this;
    $("load").hidden = true;
    video.hidden = false;
    this.addCaptions();
    const source = this.source = sourceOf(video, this.found);
    // The moment may have been chosen before anything of the recording was there: a link, or a click.
    if (!this.found.growing) video.addEventListener("loadedmetadata", () => { if (this.wanted() > 0.2) this.seek(); }, { once: true });
    if (plays) video.addEventListener("canplay", () => video.play().catch(() => {}), { once: true });
    $("sync").hidden = !this.found.estimated;
    $("note").textContent = this.found.estimated ? "The log does not say when the first second of the recording was. Here it is when the session became active." : "";
    try {
      await source.start();
    } catch (error) {
      if (this.source === source) this.fail(error.message);
    }
  }

  fail(reason) {
    if (!this.source) return;
    document.documentElement.dataset.state = "failed";
    $("note").textContent = "The recording cannot be played: " + reason + ". It may be gone, or this machine may not reach it. Everything else on the page works without it.";
    $("video").hidden = !this.page.player;
    $("load").hidden = this.page.player;
    $("load-text").textContent = "Try again";
  }

  // Where the moment is, in seconds of the recording.
  wanted() { return (this.model.now - this.found.start - this.nudge) / 1000; }

  seek() {
    if (!this.source || !this.video.readyState) return;
    const seconds = this.wanted();
    if (seconds >= 0 && !(this.video.duration < seconds && !this.found.parts.length)) this.source.seek(seconds);
  }

  tick() {
    if (!this.source || this.video.seeking || !this.video.readyState) return;
    const ms = this.found.start + this.nudge + this.source.position() * 1000;
    if (Math.abs(ms - this.model.now) > 80) this.model.go(ms, "video");
  }

  shift(ms) {
    this.nudge += ms;
    $("offset").textContent = (this.nudge > 0 ? "+" : "") + this.nudge / 1000 + " s";
    this.seek();
  }

  toggle() {
    if (!this.source) return false;
    if (this.video.paused) this.video.play().catch(() => {}); else this.video.pause();
    return true;
  }

  // What was said, as captions. Cue text is markup of its own: it is escaped.
  addCaptions() {
    if (this.track || !window.VTTCue) return;
    const { rows, lanes } = this.page;
    this.track = this.video.addTextTrack("captions", "What was said", "");
    for (const lane of lanes) {
      if (lane.channel !== "transcript") continue;
      const many = lanes.filter(one => one.channel === "transcript").length > 1;
      for (const row of lane.rows.subarray(0, 20000)) {
        const start = (rows.at[row] - this.found.start) / 1000;
        const text = (many ? lane.label + ": " : "") + this.model.textOf(row);
        const safe = text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
        if (start >= 0 && !(rows.flags[row] & INTERIM)) this.track.addCue(new VTTCue(start, start + Math.max(rows.length[row] / 1000, 1), safe));
      }
    }
    this.track.mode = "showing";
  }
}
