/* The photos of this visit: sent one after another, watched until their heads are there, listed in the panel. */
(function (geoinv) {
  "use strict";

  const KEY = "geoinv-photos";
  const WATCH_MS = 300;
  const { element } = geoinv.controls;

  /** `2nd`, `3rd`, ... */
  function ordinal(number) {
    const last = number % 100 > 10 && number % 100 < 14 ? 0 : number % 10;
    return `${number}${["th", "st", "nd", "rd"][last] || "th"}`;
  }

  /** What is happening to a photo, in words. */
  function wordsOf(photo) {
    if (photo.state === "sending") return photo.fraction > 0 ? `sending, ${Math.round(100 * photo.fraction)} %` : "waiting to be sent";
    if (photo.state === "waiting") return photo.position > 1 ? `${ordinal(photo.position)} in the queue` : "next in the queue";
    if (photo.state === "working") return photo.stage;
    if (photo.state === "done") return "ready";
    return photo.message;
  }

  /** A small picture of a photo; an empty place where it is no picture, or one that browsers cannot show. */
  function thumbnailOf(photo) {
    const none = element("span", { class: "photo-none", "aria-hidden": "true" });
    if (!photo.thumbnail) return none;
    const picture = element("img", { src: photo.thumbnail, alt: "" });
    picture.addEventListener("error", () => {
      photo.thumbnail = "";
      picture.replaceWith(none);
    });
    return picture;
  }

  class Photos {
    /** @param onChange called with the photo whenever something about one changed; @param limit bytes of the largest. */
    constructor({ onChange, limit }) {
      this.onChange = onChange;
      this.limit = limit;
      this.all = [];
      this.sending = Promise.resolve();
    }

    /** Take up what an earlier look at the page sent. */
    async restore() {
      let kept = [];
      try {
        kept = JSON.parse(sessionStorage.getItem(KEY)) || [];
      } catch {
        // somebody else's entry
      }
      for (const id of kept) {
        try {
          const status = await geoinv.api.job(String(id));
          const photo = { ...status, thumbnail: status.state === "done" ? `/api/jobs/${status.id}/files/aligned.png` : "" };
          this.all.push(photo);
          this.onChange(photo);
          this.watch(photo);
        } catch (error) {
          if (error.status !== 404) throw error;
        }
      }
      this.remember();
    }

    remember() {
      sessionStorage.setItem(KEY, JSON.stringify(this.all.filter((photo) => photo.id).map((photo) => photo.id)));
    }

    /** Send files; returns the first one's photo. */
    add(files) {
      const added = [...files].map((file) => ({
        id: null,
        state: "sending",
        fraction: 0,
        progress: 0,
        warnings: [],
        thumbnail: URL.createObjectURL(file),
        file,
      }));
      this.all.push(...added);
      for (const photo of added) {
        this.sending = this.sending.then(() => this.send(photo));
        this.onChange(photo);
      }
      return added[0];
    }

    async send(photo) {
      if (photo.isRemoved) return;
      try {
        if (photo.file.size > this.limit) {
          throw new geoinv.api.Refusal(413, `the photo is larger than ${this.limit / 1e6} MB`, "scale it down first");
        }
        const status = await geoinv.api.send(photo.file, (fraction) => {
          photo.fraction = fraction;
          this.onChange(photo);
        });
        Object.assign(photo, status);
        this.remember();
        this.watch(photo);
      } catch (error) {
        Object.assign(photo, { state: "failed", message: error.message, hint: error.hint || "" });
      }
      photo.file = null;
      this.onChange(photo);
    }

    async watch(photo) {
      while (!photo.isRemoved && (photo.state === "waiting" || photo.state === "working")) {
        await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
        try {
          Object.assign(photo, await geoinv.api.job(photo.id));
        } catch (error) {
          Object.assign(photo, { state: "failed", message: error.message, hint: error.hint || "" });
        }
        if (!photo.isRemoved) this.onChange(photo);
      }
    }

    remove(photo) {
      photo.isRemoved = true;
      this.all = this.all.filter((other) => other !== photo);
      this.remember();
      if (photo.id) geoinv.api.remove(photo.id).catch(() => {}); // it expires anyway
      this.onChange(photo);
    }

    /** The list, as it stands. */
    list(shown, onShow) {
      const items = this.all.map((photo, index) => {
        const words = element("span", { class: photo.state === "failed" ? "note is-trouble" : "note" }, wordsOf(photo));
        const show = element(
          "button",
          { class: "photo-show", type: "button", "aria-current": photo === shown ? "true" : null },
          thumbnailOf(photo),
          element("span", { class: "photo-text" }, element("span", {}, `Photo ${index + 1}`), words),
        );
        const close = element(
          "button",
          { class: "button button-icon", type: "button", "aria-label": `Remove photo ${index + 1}`, title: "Remove" },
          "×",
        );
        show.addEventListener("click", () => onShow(photo));
        close.addEventListener("click", () => this.remove(photo));
        return element("li", { class: "photo" }, show, close);
      });
      return element("ul", { class: "photos" }, ...items);
    }
  }

  geoinv.photos = { Photos, wordsOf };
})((window.geoinv = window.geoinv || {}));
