/* The page of `geoinv app`: photos come in, the head goes on the stage, and the controls act on it. */
(function (geoinv) {
  "use strict";

  const { at, isSmall, element, slider, group, collapsiblePanel, messages, shortcuts, download } = geoinv.controls;
  const { Photos, wordsOf } = geoinv.photos;

  const REACH = 2; // strengths to both sides
  const SIDE_DEG = 35;
  const DOWNLOAD_ICON = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 4v11M7 10.5l5 5 5-5M5 20h14"/></svg>';

  const say = messages(at("message"), 3200);
  let info = null;
  let photos = null;
  let shown = null; // the photo on the stage
  let head = null;
  let panel = null;
  const sliders = new Map();

  /** `light-left` as `Light left`. */
  function labelOf(name) {
    return sentence(name.replace(/[-_]/g, " "));
  }

  function showOnly(id) {
    for (const part of ["start", "wait", "trouble", "canvas"]) at(part).hidden = part !== id;
    at("foot").hidden = id !== "canvas";
    at("new-button").hidden = photos === null || photos.all.length === 0 || id === "start";
    at("panel-button").hidden = photos === null || photos.all.length === 0;
  }

  /** A line of the app as a sentence. */
  function sentence(text) {
    return text.charAt(0).toUpperCase() + text.slice(1);
  }

  function showTrouble(error) {
    at("trouble-text").textContent = sentence(error.message || String(error));
    at("trouble-hint").textContent = sentence(error.hint || "");
    showOnly("trouble");
  }

  // -- photos --------------------------------------------------------------------------------------------------------

  function takePhotos(files) {
    if (files.length === 0) return;
    show(photos.add(files));
  }

  function show(photo) {
    shown = photo;
    head.hide();
    if (photo.state === "done") showHead(photo);
    else showWait(photo);
    listPhotos();
  }

  function showWait(photo) {
    if (photo.state === "failed") {
      showTrouble(photo);
      return;
    }
    const words = wordsOf(photo);
    const progress = photo.state === "sending" ? 0.1 * photo.fraction : 0.1 + 0.9 * photo.progress;
    at("wait-photo").hidden = !photo.thumbnail;
    if (photo.thumbnail && at("wait-photo").getAttribute("src") !== photo.thumbnail) at("wait-photo").src = photo.thumbnail;
    at("wait-title").textContent = sentence(words);
    at("wait-note").textContent = info.is_ready ? "" : "The models are being made ready. This happens once, after the app was started.";
    at("wait-bar").firstElementChild.style.width = `${100 * progress}%`;
    at("wait-bar").setAttribute("aria-valuenow", String(Math.round(100 * progress)));
    showOnly("wait");
  }

  function showHead(photo) {
    showOnly("canvas");
    resetEdits();
    head.show(photo.id);
    head.introduce();
    showWarnings(photo);
    at("summary").textContent = "Drag to turn";
    panel.set(!isSmall());
  }

  function photoChanged(photo) {
    if (photo === shown) {
      if (photo.isRemoved) {
        shown = null;
        head.hide();
        const next = photos.all.find((other) => other.state === "done") || photos.all[0];
        if (next) show(next);
        else showStart();
      } else if (photo.state === "done") showHead(photo);
      else {
        showWait(photo);
        if (!info.is_ready && photo.state !== "sending") refreshInfo();
      }
    }
    listPhotos();
  }

  async function refreshInfo() {
    info = await geoinv.api.info().catch(() => info);
  }

  function listPhotos() {
    at("photos").replaceChildren(photos.list(shown, show));
  }

  function showWarnings(photo) {
    at("warnings").replaceChildren(...photo.warnings.map((text) => element("p", {}, sentence(text))));
    at("warnings").hidden = photo.warnings.length === 0;
  }

  function showStart() {
    panel.set(false);
    at("summary").textContent = "One face photo becomes a 3D head";
    showOnly("start");
  }

  function listenForPhotos() {
    const input = at("file");
    const choose = () => input.click();
    input.addEventListener("change", () => {
      takePhotos([...input.files]);
      input.value = "";
    });
    at("choose-button").addEventListener("click", choose);
    at("new-button").addEventListener("click", showStart);
    at("again-button").addEventListener("click", showStart);
    geoinv.offerCamera(at("camera-button"), (photo) => takePhotos([photo]));

    let depth = 0; // dragenter and dragleave come for every element on the way
    const hasFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
    const sign = (change) => {
      depth = change === 0 ? 0 : depth + change;
      at("drop-sign").hidden = depth <= 0;
    };
    document.addEventListener("dragenter", (event) => hasFiles(event) && sign(1));
    document.addEventListener("dragleave", (event) => hasFiles(event) && sign(-1));
    document.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      sign(0);
      takePhotos([...event.dataTransfer.files]);
    });
    document.addEventListener("paste", (event) => takePhotos([...event.clipboardData.files]));
  }

  // -- edits ---------------------------------------------------------------------------------------------------------

  function edits() {
    const set = [...sliders].map(([name, one]) => [name, Number(one.input.value)]);
    return Object.fromEntries(set.filter(([, strength]) => strength !== 0));
  }

  function editsChanged(isMoving) {
    const now = edits();
    const isEdited = Object.keys(now).length > 0;
    at("reset-button").disabled = !isEdited;
    at("compare-button").hidden = !isEdited;
    for (const row of document.querySelectorAll("[data-needs-edits]")) row.hidden = !isEdited;
    head.setEdits(now, isMoving);
    at("compare-button").setAttribute("aria-pressed", String(head.isComparing));
  }

  function editControls() {
    const made = info.attributes.map(({ name, about }) => {
      const isShape = about.startsWith("shape:");
      const one = slider({
        label: labelOf(name),
        min: -REACH,
        max: REACH,
        step: 0.05,
        name,
        onInput: () => editsChanged(true),
      });
      one.element.title = isShape ? "" : about;
      one.element.addEventListener("dblclick", () => {
        one.set(0);
        editsChanged(false);
      });
      sliders.set(name, one);
      return { isShape, element: one.element };
    });
    const looks = made.filter(({ isShape }) => !isShape).map((one) => one.element);
    const shapes = made.filter(({ isShape }) => isShape).map((one) => one.element);
    const groups = [];
    if (looks.length) groups.push(group("Change", looks.length, true, ...looks));
    if (shapes.length) groups.push(group("Shape", shapes.length, false, ...shapes));
    return groups;
  }

  function resetEdits() {
    for (const one of sliders.values()) one.set(0);
    editsChanged(false);
  }

  function compare() {
    if (at("compare-button").hidden) return;
    head.setComparing(!head.isComparing);
    at("compare-button").setAttribute("aria-pressed", String(head.isComparing));
  }

  // -- files ---------------------------------------------------------------------------------------------------------

  function fileRow({ name, about, needs_edits: needsEdits }) {
    const icon = element("template", {});
    icon.innerHTML = DOWNLOAD_ICON; // a constant of this file
    const output = element("output", { hidden: true });
    const bar = element("span", { class: "progress", hidden: true }, element("span", {}));
    const row = element(
      "button",
      { class: "file", type: "button", "data-file": name, "data-needs-edits": needsEdits, hidden: needsEdits },
      element("strong", {}, name),
      element("span", { class: "note" }, about),
      icon.content.firstElementChild,
      output,
      bar,
    );
    const tell = (fraction) => {
      output.textContent = `${Math.round(100 * fraction)} %`;
      bar.firstElementChild.style.width = `${100 * fraction}%`;
    };
    row.addEventListener("click", async () => {
      const photo = shown;
      row.disabled = true;
      for (const part of [output, bar]) part.hidden = false;
      row.querySelector("svg").style.display = "none";
      tell(0);
      const watch = setInterval(async () => {
        const status = await geoinv.api.job(photo.id).catch(() => null);
        if (status && name in status.making) tell(status.making[name]);
      }, 400);
      try {
        download(await geoinv.api.file(photo.id, name, edits()), name);
        say(`Saved ${name}`);
      } catch (error) {
        say(`${name}: ${error.message}`);
      } finally {
        clearInterval(watch);
        row.disabled = false;
        for (const part of [output, bar]) part.hidden = true;
        row.querySelector("svg").style.display = "";
      }
    });
    return row;
  }

  function fileControls() {
    const groups = [...new Set(info.files.map((file) => file.group))];
    const rows = groups.flatMap((name) => [
      element("h3", { class: "file-group" }, name),
      ...info.files.filter((file) => file.group === name).map(fileRow),
    ]);
    return group("Download", null, false, ...rows);
  }

  async function savePicture() {
    if (!shown || shown.state !== "done") return;
    try {
      const look = { ...head.look, draft: false };
      const { blob } = await geoinv.api.view(shown.id, look, edits(), { suffix: "png" });
      download(blob, "head.png");
      say("Saved head.png");
    } catch (error) {
      say(error.message);
    }
  }

  // -- beginning -----------------------------------------------------------------------------------------------------

  function listenForKeys() {
    const whenShown = (action) => () => !at("canvas").hidden && action();
    shortcuts({
      r: whenShown(() => head.front()),
      b: whenShown(compare),
      s: whenShown(savePicture),
      n: () => photos.all.length > 0 && showStart(),
      c: () => photos.all.length > 0 && panel.toggle(),
      "+": whenShown(() => head.zoom(1.15)),
      "=": whenShown(() => head.zoom(1.15)),
      "-": whenShown(() => head.zoom(1 / 1.15)),
      "?": () => at("help").showModal(),
    });
    at("help-button").addEventListener("click", () => at("help").showModal());
    at("front-button").addEventListener("click", () => head.front());
    at("left-button").addEventListener("click", () => head.turnTo(-SIDE_DEG, 0));
    at("right-button").addEventListener("click", () => head.turnTo(SIDE_DEG, 0));
    at("compare-button").addEventListener("click", compare);
    at("picture-button").addEventListener("click", savePicture);
    at("reset-button").addEventListener("click", resetEdits);
  }

  function sayWhereItStays() {
    const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
    const kept = `It is removed ${Math.round(info.keep_minutes)} minutes after its last use.`;
    at("privacy").textContent = isHere ? "The photo stays on this machine." : "The photo goes to the machine that runs geoinv.";
    at("help-note").textContent = `${at("privacy").textContent} ${kept} Model: ${info.model}.`;
  }

  async function start() {
    head = new geoinv.ShownHead(at("canvas"), {
      onProblem: (error) => (error.status === 404 ? showTrouble(error) : say(error.message)),
      onNotes: say,
    });
    info = await geoinv.api.info();
    photos = new Photos({ onChange: photoChanged, limit: info.max_upload_bytes });
    panel = collapsiblePanel(document.querySelector(".page"), at("panel-button"));
    const warnings = element("div", { class: "warnings", id: "warnings", hidden: true });
    const list = element("div", { id: "photos" });
    at("controls").append(warnings, group("Photos", null, true, list), ...editControls(), fileControls());
    sayWhereItStays();
    at("wait-photo").addEventListener("error", () => (at("wait-photo").hidden = true)); // what is no picture
    listenForPhotos();
    listenForKeys();
    editsChanged(false);
    showStart();
    await photos.restore();
    const ready = photos.all.find((photo) => photo.state === "done") || photos.all[0];
    if (ready) show(ready);
    geoinv.app = { head, photos, sliders }; // for the browser's console, and for tests
  }

  start().catch(showTrouble);
})((window.geoinv = window.geoinv || {}));
