/* The head on the stage: drag, pinch and keys turn it; the app draws it, small while it moves and then in full.
 *
 * One request is under way at a time, and the next one asks for the newest state: nothing piles up, however slow the app.
 */
(function (geoinv) {
  "use strict";

  const { isCalm, arrowKeys } = geoinv.controls;
  const DEGREES_PER_PIXEL = 0.35;
  const YAW_STEP = 6; // degrees by a key
  const PITCH_STEP = 4;
  const MAX_YAW = 75;
  const MAX_PITCH = 35;
  const ZOOMS = [0.7, 3];
  const REST_MS = 160; // without movement, before the full picture is asked for

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  class ShownHead {
    /**
     * @param canvas where it is drawn.
     * @param onProblem called with an error.
     * @param onNotes called with what the app did otherwise than asked for.
     */
    constructor(canvas, { onProblem, onNotes }) {
      this.canvas = canvas;
      this.onProblem = onProblem;
      this.onNotes = onNotes;
      this.job = null;
      this.look = { yaw: 0, pitch: 0, zoom: 1 };
      this.edits = {};
      this.isComparing = false;
      this.split = 0.5; // of the picture's width, left of which it is shown as it was before
      this.pictures = { after: null, before: null };
      this.frames = { draft: 0, full: 0 }; // drawn so far; for tests
      this.listen();
    }

    /** Show the head of a job from the front: in small first, as it is about to be introduced. */
    show(job) {
      this.job = job;
      this.edits = {};
      this.isComparing = false;
      this.pictures = { after: null, before: null };
      this.stopGlide();
      this.look = { yaw: 0, pitch: 0, zoom: 1 };
      this.paint();
      this.change(true);
    }

    hide() {
      this.job = null;
      this.stopGlide();
    }

    setEdits(edits, isMoving) {
      this.edits = edits;
      if (Object.keys(edits).length === 0) this.isComparing = false;
      this.change(isMoving);
    }

    setComparing(isComparing) {
      this.isComparing = isComparing;
      this.pictures.before = null;
      this.change(false);
    }

    front() {
      this.turnTo(0, 0);
    }

    /** Glide to a view. */
    turnTo(yaw, pitch) {
      this.glideThrough([[yaw, pitch]], 450);
    }

    /** Show that it is a head and not a picture: once to both sides. */
    introduce() {
      this.glideThrough([[-22, 0], [22, 4], [0, 0]], 700);
    }

    glideThrough(views, milliseconds) {
      this.stopGlide();
      if (!this.job) return;
      if (isCalm()) {
        const [yaw, pitch] = views[views.length - 1];
        Object.assign(this.look, { yaw, pitch });
        this.change(false);
        return;
      }
      let from = { ...this.look };
      let start = performance.now();
      const step = (now) => {
        const [yaw, pitch] = views[0];
        const time = clamp((now - start) / milliseconds, 0, 1);
        const eased = time * time * (3 - 2 * time);
        this.look.yaw = from.yaw + eased * (yaw - from.yaw);
        this.look.pitch = from.pitch + eased * (pitch - from.pitch);
        this.change(true);
        if (time === 1) {
          views.shift();
          from = { ...this.look };
          start = now;
        }
        this.glide = views.length ? requestAnimationFrame(step) : 0;
      };
      this.glide = requestAnimationFrame(step);
    }

    stopGlide() {
      cancelAnimationFrame(this.glide || 0);
      this.glide = 0;
    }

    turn(yaw, pitch) {
      this.stopGlide();
      this.look.yaw = clamp(this.look.yaw + yaw, -MAX_YAW, MAX_YAW);
      this.look.pitch = clamp(this.look.pitch + pitch, -MAX_PITCH, MAX_PITCH);
      this.change(true);
    }

    zoom(factor) {
      this.look.zoom = clamp(this.look.zoom * factor, ...ZOOMS);
      this.change(true);
    }

    /** Something is to be seen otherwise: soon and small if it moves, and in full once it rests. */
    change(isMoving) {
      if (!this.job) return;
      this.wantsDraft = isMoving;
      this.wantsFull = true;
      this.fullAt = performance.now() + (isMoving ? REST_MS : 0);
      if (isMoving && this.fullUnderWay) this.fullUnderWay.abort();
      clearTimeout(this.timer);
      this.work();
    }

    /** Whether what is seen is the full picture of what was asked for. */
    get isResting() {
      return !this.glide && !this.isWorking && !this.wantsDraft && !this.wantsFull && this.pictures.after !== null;
    }

    async work() {
      if (this.isWorking) return;
      this.isWorking = true;
      try {
        while (this.job) {
          if (this.wantsDraft) {
            this.wantsDraft = false;
            await this.draw(true);
          } else if (this.wantsFull && performance.now() >= this.fullAt) {
            this.wantsFull = false;
            await this.draw(false);
          } else break;
        }
      } catch (error) {
        this.wantsDraft = this.wantsFull = false;
        this.onProblem(error);
      } finally {
        this.isWorking = false;
      }
      if (this.job && this.wantsFull) this.timer = setTimeout(() => this.work(), Math.max(this.fullAt - performance.now(), 1));
    }

    async draw(isDraft) {
      const { job, look, edits } = { job: this.job, look: { ...this.look, draft: isDraft }, edits: { ...this.edits } };
      const canceller = isDraft ? null : (this.fullUnderWay = new AbortController());
      const options = { signal: canceller ? canceller.signal : undefined };
      const rounded = { ...look, yaw: look.yaw.toFixed(2), pitch: look.pitch.toFixed(2), zoom: look.zoom.toFixed(3) };
      try {
        const [after, before] = await Promise.all([
          geoinv.api.view(job, rounded, edits, options),
          this.isComparing ? geoinv.api.view(job, rounded, {}, options) : null,
        ]);
        const bitmaps = await Promise.all([createImageBitmap(after.blob), before && createImageBitmap(before.blob)]);
        if (job !== this.job) return;
        [this.pictures.after, this.pictures.before] = bitmaps;
        this.frames[isDraft ? "draft" : "full"] += 1;
        this.paint();
        if (!isDraft && after.notes) this.onNotes(after.notes);
      } catch (error) {
        if (error.name !== "AbortError") throw error;
        this.wantsFull = true;
      } finally {
        if (canceller) this.fullUnderWay = null;
      }
    }

    paint() {
      const { canvas, pictures } = this;
      const scale = window.devicePixelRatio || 1;
      const width = Math.round(canvas.clientWidth * scale);
      const height = Math.round(canvas.clientHeight * scale);
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      const pen = canvas.getContext("2d");
      pen.clearRect(0, 0, width, height);
      if (!pictures.after) return;
      const side = this.side * scale;
      const left = (width - side) / 2;
      const top = (height - side) / 2;
      pen.imageSmoothingQuality = "high";
      const draw = (picture, from, to) => {
        pen.save();
        pen.beginPath();
        pen.rect(from, 0, to - from, height);
        pen.clip();
        pen.drawImage(picture, left, top, side, side);
        pen.restore();
      };
      const at = left + this.split * side;
      const isSplit = this.isComparing && pictures.before;
      if (isSplit) draw(pictures.before, 0, at);
      draw(pictures.after, isSplit ? at : 0, width);
      this.fadeEdges(pen, left, top, side);
      if (isSplit) this.paintDivider(pen, at, height, scale);
    }

    /** Let shoulders end softly where the picture ends; a hard edge would hang in the air. */
    fadeEdges(pen, left, top, side) {
      const [right, bottom] = [left + side, top + side];
      const [beside, below] = [0.07 * side, 0.12 * side];
      const edges = [
        { line: [left + 2, 0, left + beside, 0], strip: [left - 2, top, beside + 2, side] },
        { line: [right - 2, 0, right - beside, 0], strip: [right - beside, top, beside + 2, side] },
        { line: [0, bottom - 2, 0, bottom - below], strip: [left - 2, bottom - below, side + 4, below + 2] },
      ];
      pen.save();
      pen.globalCompositeOperation = "destination-out";
      for (const { line, strip } of edges) {
        const fade = pen.createLinearGradient(...line);
        fade.addColorStop(0, "black");
        fade.addColorStop(1, "transparent");
        pen.fillStyle = fade;
        pen.fillRect(...strip);
      }
      pen.restore();
    }

    paintDivider(pen, at, height, scale) {
      const style = getComputedStyle(this.canvas);
      pen.fillStyle = style.getPropertyValue("--accent");
      pen.fillRect(at - scale, 0, 2 * scale, height);
      pen.beginPath();
      pen.arc(at, height / 2, 15 * scale, 0, 2 * Math.PI);
      pen.fill();
      pen.strokeStyle = style.getPropertyValue("--accent-ink");
      pen.lineWidth = 2 * scale;
      pen.lineCap = pen.lineJoin = "round";
      for (const way of [-1, 1]) {
        pen.beginPath();
        pen.moveTo(at + 4 * way * scale, height / 2 - 4 * scale);
        pen.lineTo(at + 8 * way * scale, height / 2);
        pen.lineTo(at + 4 * way * scale, height / 2 + 4 * scale);
        pen.stroke();
      }
    }

    /** Side of the square picture in pixels of the page; on narrow screens shoulders are cut. */
    get side() {
      const { clientWidth: width, clientHeight: height } = this.canvas;
      return Math.min(height, 1.35 * width);
    }

    /** Where the divider stands, in pixels of the page from the canvas's left edge. */
    get dividerAt() {
      return (this.canvas.clientWidth - this.side) / 2 + this.split * this.side;
    }

    listen() {
      const { canvas } = this;
      const fingers = new Map();
      let isSplitting = false;

      const spread = () => {
        const [one, two] = [...fingers.values()];
        return Math.hypot(one.x - two.x, one.y - two.y);
      };
      const isAtDivider = (event) =>
        this.isComparing && Math.abs(event.offsetX - this.dividerAt) < (event.pointerType === "touch" ? 28 : 16);

      canvas.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        this.stopGlide();
        canvas.setPointerCapture(event.pointerId);
        fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
        isSplitting = fingers.size === 1 && isAtDivider(event);
      });
      canvas.addEventListener("pointermove", (event) => {
        const finger = fingers.get(event.pointerId);
        if (!finger) {
          canvas.style.cursor = isAtDivider(event) ? "ew-resize" : "";
          return;
        }
        const before = fingers.size === 2 ? spread() : 0;
        const [x, y] = [event.clientX - finger.x, event.clientY - finger.y];
        Object.assign(finger, { x: event.clientX, y: event.clientY });
        if (fingers.size === 2) this.zoom(spread() / Math.max(before, 1));
        else if (isSplitting) {
          this.split = clamp(this.split + x / this.side, 0.02, 0.98);
          this.paint();
        } else this.turn(-DEGREES_PER_PIXEL * x, DEGREES_PER_PIXEL * y);
      });
      for (const name of ["pointerup", "pointercancel"]) {
        canvas.addEventListener(name, (event) => fingers.delete(event.pointerId));
      }
      canvas.addEventListener(
        "wheel",
        (event) => {
          event.preventDefault();
          this.zoom(Math.exp(-0.0015 * clamp(event.deltaY, -200, 200)));
        },
        { passive: false },
      );
      arrowKeys(canvas, (aside, up) => this.turn(-YAW_STEP * aside, -PITCH_STEP * up));
      new ResizeObserver(() => this.paint()).observe(canvas);
    }
  }

  geoinv.ShownHead = ShownHead;
})((window.geoinv = window.geoinv || {}));
