/* The page of `geoinv view`: the head that is in the page goes on the stage, and the controls act on it. */
(function (geoinv) {
  "use strict";

  const { at, isCalm, element, slider, toggle, group, collapsiblePanel, messages, shortcuts, arrowKeys, download } = geoinv.controls;
  const { Face, groupsOf, labelOf } = geoinv.face;

  const LIGHT = { azimuth: 35, height: 30, strength: 0.25, soft: 0.85 }; // textures of photos have light in them already
  const NOT_SEEN = "This file does not say what the photo showed: its meshes have no _SEEN attribute.";
  const NO_MORPHS = "This file has no expressions: its meshes have no morph targets.";

  /** The head's bytes: in the page they stand packed (gzip) and in base64. */
  function headBytes() {
    const text = atob(at("glb").textContent);
    const packed = new Uint8Array(text.length);
    for (let index = 0; index < text.length; index += 1) packed[index] = text.charCodeAt(index);
    return THREE.gunzipSync(packed).buffer;
  }

  function degrees(number) {
    return `${Math.round(number)}°`;
  }

  /** Sliders of all morph targets in groups, and how to move them by name. */
  function expressionControls(face) {
    const sliders = new Map();
    const groups = groupsOf(face.names).map(([title, names]) => {
      const made = names.map((name) => {
        const one = slider({ label: labelOf(name), name, onInput: (weight) => face.set(name, weight) });
        sliders.set(name, one);
        return one.element;
      });
      return group(title, names.length, false, ...made);
    });
    return { groups, move: (name, weight) => sliders.get(name).set(weight) };
  }

  function lightControls(stage) {
    const light = { ...LIGHT };
    const change = (name) => (value) => {
      light[name] = value;
      stage.setLight(light);
    };
    const one = (label, name, min, max, step, show) =>
      slider({ label, min, max, step, show, value: LIGHT[name], rest: LIGHT[name], name, onInput: change(name) }).element;
    stage.setLight(light);
    return group(
      "Light",
      null,
      true,
      one("Direction", "azimuth", -180, 180, 1, degrees),
      one("Height", "height", -90, 90, 1, degrees),
      one("Strength", "strength", 0, 2, 0.01),
      one("Soft light", "soft", 0, 2, 0.01),
    );
  }

  function viewControls(stage, say) {
    if (stage.notTold.length > 0) at("legend-rest").textContent = `Not told of ${stage.notTold.join(", ")}.`;
    const wires = toggle({
      label: "Wireframe",
      onChange: (isOn) => {
        stage.setWireframe(isOn);
        say(isOn ? "Wireframe" : "Surface");
      },
    });
    const seen = toggle({
      label: "Seen and guessed",
      why: stage.hasSeen ? null : NOT_SEEN,
      onChange: (isOn) => {
        stage.showGuessed(isOn);
        at("legend").hidden = !isOn;
      },
    });
    return { wires, seen, group: group("View", null, true, wires.element, seen.element) };
  }

  /** Make the presets' buttons act; returns a function that does a preset by name. */
  function presetButtons(face, stage) {
    const buttons = [...at("presets").querySelectorAll("[data-preset]")];

    function show() {
      for (const button of buttons) {
        const preset = button.dataset.preset;
        if (!button.hasAttribute("aria-pressed")) continue;
        button.setAttribute("aria-pressed", String(preset === "talk" ? face.isTalking : face.pose === preset));
      }
    }

    function act(preset) {
      if (!face.can(preset)) return;
      if (preset === "talk") face.talk(!face.isTalking);
      else if (preset === "blink") face.blink();
      else {
        if (preset === "neutral") face.talk(false);
        face.goTo(face.pose === preset ? "neutral" : preset, isCalm() ? 0 : 0.35);
      }
      show();
      stage.invalidate();
    }

    buttons.forEach((button, index) => {
      const canDo = face.can(button.dataset.preset);
      button.disabled = !canDo;
      button.title = canDo ? `${button.textContent} (${index + 1})` : "This head lacks the morph targets for it.";
      button.addEventListener("click", () => act(button.dataset.preset));
    });
    return { act, show };
  }

  function showFacts(stage, face) {
    const { size, vertices, triangles } = stage.facts;
    const count = (number) => number.toLocaleString("en");
    const facts = {
      Size: `${size.map((side) => (side < 10 ? side.toFixed(2) : side.toFixed(0))).join(" × ")} m (width, height, depth)`,
      Mesh: `${count(vertices)} vertices, ${count(triangles)} triangles`,
      "Morph targets": face.names.length ? count(face.names.length) : "none",
      Licence: stage.asset.copyright || (stage.asset.extras || {}).licence || (stage.asset.extras || {}).license,
      "Made by": stage.asset.generator,
    };
    for (const [name, value] of Object.entries(facts)) {
      if (value) at("facts").append(element("dt", {}, name), element("dd", {}, String(value)));
    }
    const visemes = face.names.filter((name) => name.startsWith("viseme_")).length;
    const amounts = [
      [face.names.length - visemes, "expressions"],
      [visemes, "visemes"],
      [face.names.length ? 0 : triangles, "triangles"],
    ];
    at("summary").textContent = amounts
      .filter(([amount]) => amount > 0)
      .map(([amount, what]) => `${count(amount)} ${what}`)
      .join(" · ");
  }

  function showHelp() {
    at("help").showModal();
  }

  function canDraw() {
    return Boolean(document.createElement("canvas").getContext("webgl2"));
  }

  async function start() {
    if (!canDraw()) throw new Error("This browser draws no 3D here: WebGL 2 is missing or switched off.");
    const say = messages(at("message"));
    let face = null;
    const stage = new geoinv.Stage(at("canvas"), (now) => (face ? face.step(now) : false));
    await stage.load(headBytes());
    at("glb").remove(); // it is on the stage now

    let expressions = null;
    let presets = null;
    face = new Face(stage.morphNames, (name, weight) => {
      stage.setWeight(name, weight);
      expressions.move(name, weight);
    });
    expressions = expressionControls(face);
    presets = presetButtons(face, stage);
    const view = viewControls(stage, say);
    at("controls").append(view.group, lightControls(stage), ...expressions.groups);
    if (face.names.length === 0) at("controls").append(element("p", { class: "note" }, NO_MORPHS));
    at("controls").addEventListener("input", presets.show);
    showFacts(stage, face);

    async function screenshot() {
      const ground = getComputedStyle(document.body).backgroundColor;
      const name = `${at("name").textContent.replace(/[^\p{L}\p{N}._-]+/gu, "_")}.png`;
      download(await stage.screenshot(ground), name);
      say(`Saved ${name}`);
    }

    const panel = collapsiblePanel(document.querySelector(".page"), at("panel-button"));
    at("help-button").addEventListener("click", showHelp);
    at("front-button").addEventListener("click", () => stage.resetView());
    at("screenshot-button").addEventListener("click", screenshot);
    arrowKeys(at("canvas"), (aside, up) => stage.turn(aside, up));
    shortcuts({
      1: () => presets.act("neutral"),
      2: () => presets.act("smile"),
      3: () => presets.act("surprise"),
      4: () => presets.act("blink"),
      5: () => presets.act("talk"),
      w: () => view.wires.set(!view.wires.input.checked),
      g: () => (stage.hasSeen ? view.seen.set(!view.seen.input.checked) : say(NOT_SEEN)),
      s: screenshot,
      r: () => stage.resetView(),
      c: panel.toggle,
      "+": () => stage.zoom(0.9),
      "=": () => stage.zoom(0.9),
      "-": () => stage.zoom(1 / 0.9),
      "?": showHelp,
    });
    at("spinner").hidden = true;
    geoinv.view = { stage, face }; // for the browser's console, and for tests
  }

  start().catch((error) => {
    document.querySelector(".page").dataset.panel = "closed";
    for (const id of ["spinner", "canvas", "foot", "help-button", "panel-button"]) at(id).hidden = true;
    at("trouble").hidden = false;
    at("trouble-text").textContent = error instanceof Error ? error.message : String(error);
    console.error(error);
  });
})((window.geoinv = window.geoinv || {}));
