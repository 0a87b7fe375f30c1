/* Expressions of a face by the names of its morph targets: groups of sliders, presets, blinking and talking.
 *
 * Nothing here knows of three.js or of the page: names and numbers go in, numbers come out, `step` by `step`.
 * ARKit's 52 units and Oculus' 15 visemes are known by name; any other morph target is a slider among "Other".
 */
(function (geoinv) {
  "use strict";

  const GROUPS = [
    ["Eyes", /^eye/],
    ["Brows", /^brow/],
    ["Jaw", /^jaw/],
    ["Mouth", /^mouth/],
    ["Cheeks", /^cheek/],
    ["Nose", /^nose/],
    ["Tongue", /^tongue/],
    ["Visemes", /^viseme_/],
    ["Other", /^/],
  ];

  const POSES = {
    smile: {
      mouthSmileLeft: 0.85,
      mouthSmileRight: 0.85,
      mouthDimpleLeft: 0.2,
      mouthDimpleRight: 0.2,
      cheekSquintLeft: 0.55,
      cheekSquintRight: 0.55,
      eyeSquintLeft: 0.3,
      eyeSquintRight: 0.3,
      browInnerUp: 0.1,
    },
    surprise: {
      jawOpen: 0.5,
      mouthFunnel: 0.15,
      eyeWideLeft: 0.9,
      eyeWideRight: 0.9,
      browInnerUp: 0.9,
      browOuterUpLeft: 0.8,
      browOuterUpRight: 0.8,
    },
  };

  const BLINK = ["eyeBlinkLeft", "eyeBlinkRight"];
  const BLINK_SECONDS = { close: 0.09, hold: 0.05, open: 0.16 };

  /* "Hello, nice to meet you.": Oculus' names of visemes, and seconds. */
  const PHRASE = [
    ["sil", 0.25],
    ["kk", 0.06],
    ["E", 0.12],
    ["nn", 0.08],
    ["O", 0.2],
    ["sil", 0.22],
    ["nn", 0.09],
    ["aa", 0.14],
    ["I", 0.09],
    ["SS", 0.13],
    ["DD", 0.06],
    ["U", 0.1],
    ["PP", 0.1],
    ["I", 0.15],
    ["DD", 0.06],
    ["kk", 0.06],
    ["U", 0.26],
    ["sil", 0.7],
  ];
  const BLEND_SECONDS = 0.06; // how far neighbouring visemes run into each other

  /* What visemes are made of where a head has ARKit's units alone. */
  const VISEME_UNITS = {
    PP: { mouthPressLeft: 0.5, mouthPressRight: 0.5, mouthRollLower: 0.3 },
    SS: { jawOpen: 0.05, mouthStretchLeft: 0.4, mouthStretchRight: 0.4 },
    DD: { jawOpen: 0.12, mouthUpperUpLeft: 0.15, mouthUpperUpRight: 0.15 },
    kk: { jawOpen: 0.18, mouthStretchLeft: 0.15, mouthStretchRight: 0.15 },
    nn: { jawOpen: 0.1, mouthUpperUpLeft: 0.1, mouthUpperUpRight: 0.1 },
    aa: { jawOpen: 0.55 },
    E: { jawOpen: 0.3, mouthStretchLeft: 0.35, mouthStretchRight: 0.35 },
    I: { jawOpen: 0.15, mouthStretchLeft: 0.4, mouthStretchRight: 0.4 },
    O: { jawOpen: 0.4, mouthFunnel: 0.6 },
    U: { jawOpen: 0.15, mouthPucker: 0.8 },
  };

  /** `[[title, [name, ...]], ...]` of morph targets, without empty groups, each in the order of the file. */
  function groupsOf(names) {
    const found = GROUPS.map(([title]) => [title, []]);
    for (const name of names) {
      found[GROUPS.findIndex(([, pattern]) => pattern.test(name))][1].push(name);
    }
    return found.filter(([, members]) => members.length > 0);
  }

  /** "Blink left" for `eyeBlinkLeft` in the group "Eyes"; names of other kinds stay as they are. */
  function labelOf(name) {
    if (name.startsWith("viseme_")) return name.slice("viseme_".length);
    const words = name.match(/^(?:eye|brow|jaw|mouth|cheek|nose|tongue)([A-Z].*)$/);
    if (!words) return name;
    const text = words[1].replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
    return text[0].toUpperCase() + text.slice(1);
  }

  function smooth(from, to, time) {
    const x = Math.min(1, Math.max(0, (time - from) / (to - from)));
    return x * x * (3 - 2 * x);
  }

  /** How far the lids are closed, 0 to 1, so many seconds after a blink began; null when it is over. */
  function lidsAfter(seconds) {
    const { close, hold, open } = BLINK_SECONDS;
    if (seconds >= close + hold + open) return null;
    return smooth(0, close, seconds) * (1 - smooth(close + hold, close + hold + open, seconds));
  }

  /** Visemes and their weights, so many seconds into the phrase, which begins again and again. */
  function visemesAt(seconds) {
    const whole = PHRASE.reduce((sum, [, length]) => sum + length, 0);
    const time = seconds % whole;
    const weights = {};
    let start = 0;
    for (const [viseme, length] of PHRASE) {
      const end = start + length;
      const weight =
        smooth(start - BLEND_SECONDS, start + BLEND_SECONDS, time) *
        (1 - smooth(end - BLEND_SECONDS, end + BLEND_SECONDS, time));
      if (weight > 0) weights[viseme] = Math.min(1, (weights[viseme] || 0) + weight);
      start = end;
    }
    return weights;
  }

  /** The weights of a face's morph targets: set one by one, led to a pose, with blinks and speech on top. */
  class Face {
    /**
     * @param names The morph targets that the head has.
     * @param onWeight Called with name and weight whenever a weight changes.
     */
    constructor(names, onWeight) {
      this.names = names;
      this.onWeight = onWeight;
      this.pose = null; // name of the preset that the face shows, until a slider is moved
      this._has = new Set(names);
      this._set = new Map(names.map((name) => [name, 0]));
      this._shown = new Map(this._set);
      this._way = null; // {from, to, start, seconds} while the face moves to a pose
      this._blinkStart = null;
      this._talkStart = null;
    }

    get isTalking() {
      return this._talkStart !== null;
    }

    get isMoving() {
      return this._way !== null || this._blinkStart !== null || this.isTalking;
    }

    weight(name) {
      return this._shown.get(name);
    }

    /** Whether the head can do a preset: a pose needs a half of its units, as heads with fewer units lack some. */
    can(preset) {
      if (preset === "neutral") return this.names.length > 0;
      if (preset === "blink") return BLINK.some((name) => this._has.has(name));
      if (preset === "talk") return this._has.has("viseme_aa") || this._has.has("jawOpen");
      const needed = Object.keys(POSES[preset]);
      return needed.filter((name) => this._has.has(name)).length * 2 >= needed.length;
    }

    /** Set one weight, as a slider does. */
    set(name, value) {
      this._way = null;
      this.pose = null;
      this._set.set(name, value);
      this._show(performance.now() / 1000);
    }

    /** Move to a pose in so many seconds: all weights that it does not name go to 0. */
    goTo(pose, seconds) {
      const now = performance.now() / 1000;
      const to = new Map(this.names.map((name) => [name, (POSES[pose] || {})[name] || 0]));
      this.pose = pose;
      this._way = { from: new Map(this._set), to, start: now, seconds: Math.max(seconds, 1e-3) };
    }

    blink() {
      this._blinkStart = performance.now() / 1000;
    }

    talk(isOn) {
      this._talkStart = isOn ? performance.now() / 1000 : null;
      this._show(performance.now() / 1000);
    }

    /** Bring the weights to the present time, in seconds; returns whether the face goes on moving. */
    step(now) {
      if (this._way !== null) {
        const { from, to, start, seconds } = this._way;
        const part = smooth(0, seconds, now - start);
        for (const name of this.names) this._set.set(name, from.get(name) + part * (to.get(name) - from.get(name)));
        if (part >= 1) this._way = null;
      }
      this._show(now);
      return this.isMoving;
    }

    _show(now) {
      const added = this._addedAt(now);
      for (const [name, weight] of this._set) {
        // At most 1, but what a slider was set to stays: others' morph targets may go beyond.
        const shown = name in added ? Math.max(weight, Math.min(1, weight + added[name])) : weight;
        if (shown === this._shown.get(name)) continue;
        this._shown.set(name, shown);
        this.onWeight(name, shown);
      }
    }

    _addedAt(now) {
      const added = {};
      const add = (name, weight) => {
        if (this._has.has(name)) added[name] = (added[name] || 0) + weight;
      };
      if (this._blinkStart !== null) {
        const closed = lidsAfter(now - this._blinkStart);
        if (closed === null) this._blinkStart = null;
        else BLINK.forEach((name) => add(name, closed));
      }
      if (this._talkStart !== null) {
        for (const [viseme, weight] of Object.entries(visemesAt(now - this._talkStart))) {
          if (this._has.has("viseme_aa")) add(`viseme_${viseme}`, weight);
          else Object.entries(VISEME_UNITS[viseme] || {}).forEach(([name, part]) => add(name, part * weight));
        }
      }
      return added;
    }
  }

  geoinv.face = { Face, groupsOf, labelOf, lidsAfter, visemesAt };
})((window.geoinv = window.geoinv || {}));
