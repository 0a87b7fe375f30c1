/* Sliders, switches, groups, the panel, keys and short messages of geoinv's pages. Shared by `view` and `app`.
 *
 * Plain scripts, not modules: browsers load no modules from file://. All is under `window.geoinv`.
 * Text always goes in as text, never as HTML.
 */
(function (geoinv) {
  "use strict";

  let lastId = 0;

  const at = (id) => document.getElementById(id);

  /** Whether the system asks for pages that do not move by themselves. */
  const isCalm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  /** Whether the panel is a sheet beneath the head, as layout.css has it on narrow windows. */
  const isSmall = () => window.matchMedia("(max-width: 760px)").matches;

  /** An element with attributes and children; strings become text. */
  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children);
    return made;
  }

  function freshId(prefix) {
    lastId += 1;
    return `${prefix}-${lastId}`;
  }

  /**
   * A labelled slider.
   *
   * @param options label, min, max, step, value; `rest`: the value at rest, 0 if left out; `show(value)`: its text;
   *   `name`: its name in `data-name`, and what pointing at the label tells; `onInput(value)`: called as it is moved.
   * @returns {{element, input, set(value)}} `set` moves the slider without calling `onInput`.
   */
  function slider(options) {
    const { label, min = 0, max = 1, step = 0.01, value = 0, rest = 0, show = (number) => number.toFixed(2) } = options;
    const id = freshId("slider");
    const input = element("input", { type: "range", id, min, max, step, "data-name": options.name });
    const output = element("output", { for: id });
    const whole = element("div", { class: "slider" }, element("label", { for: id, title: options.name || label }, label), output, input);

    function paint() {
      const number = Number(input.value);
      const text = show(number);
      if (output.textContent !== text) {
        output.textContent = text;
        input.setAttribute("aria-valuetext", text);
      }
      const ends = [Math.max(min, Math.min(max, 0)), number].sort((a, b) => a - b); // from 0, where 0 is within
      input.style.setProperty("--from", `${(100 * (ends[0] - min)) / (max - min)}%`);
      input.style.setProperty("--to", `${(100 * (ends[1] - min)) / (max - min)}%`);
      whole.classList.toggle("is-moved", Math.abs(number - rest) > step / 2);
    }

    function set(number) {
      input.value = number;
      paint();
    }

    input.addEventListener("input", () => {
      paint();
      options.onInput(Number(input.value));
    });
    set(value);
    return { element: whole, input, set };
  }

  /**
   * A labelled switch.
   *
   * @param options label, onChange(checked); `why`: the reason why it cannot be used, which disables it.
   */
  function toggle(options) {
    const id = freshId("switch");
    const noteId = `${id}-note`;
    const input = element("input", {
      type: "checkbox",
      role: "switch",
      id,
      disabled: Boolean(options.why),
      "aria-describedby": options.why ? noteId : null,
    });
    const whole = element("label", { class: "switch", for: id }, element("span", {}, options.label), input);
    if (options.why) whole.append(element("span", { class: "note", id: noteId }, options.why));

    function set(checked) {
      if (input.disabled || input.checked === checked) return;
      input.checked = checked;
      options.onChange(checked);
    }

    input.addEventListener("change", () => options.onChange(input.checked));
    return { element: whole, input, set };
  }

  /** A group that opens and closes: title, how many controls it has (null: not told), and the controls. */
  function group(title, count, isOpen, ...children) {
    const summary = element("summary", {}, title);
    if (count !== null) summary.append(element("span", { class: "group-count", "aria-hidden": "true" }, String(count)));
    return element(
      "details",
      { class: "group", open: isOpen },
      summary,
      element("div", { class: "group-body", role: "group", "aria-label": title }, ...children),
    );
  }

  /** Let a button open and close the panel of a `.page`; on small screens it begins closed. */
  function collapsiblePanel(page, button) {
    const panel = page.querySelector(".panel");

    function set(isOpen) {
      page.dataset.panel = isOpen ? "open" : "closed";
      button.setAttribute("aria-expanded", String(isOpen));
      if (!isOpen && panel.contains(document.activeElement)) button.focus();
    }

    const flip = () => set(page.dataset.panel !== "open");

    button.setAttribute("aria-controls", panel.id);
    button.addEventListener("click", flip);
    set(!isSmall());
    return { set, toggle: flip };
  }

  /** A function that shows a short message in an element with `role="status"`, which screen readers read out. */
  function messages(place, milliseconds = 2200) {
    let timer = 0;
    return (text) => {
      place.textContent = text;
      place.classList.add("is-shown");
      clearTimeout(timer);
      timer = setTimeout(() => place.classList.remove("is-shown"), milliseconds);
    };
  }

  const isForBrowser = (event) => event.ctrlKey || event.altKey || event.metaKey;

  /**
   * Call functions by keys: `{w: toggleWires, "?": showHelp}`, by `KeyboardEvent.key` in lower case.
   *
   * Keys with Ctrl, Alt or Meta belong to the browser, and those typed into a field of text belong to the field.
   */
  function shortcuts(table) {
    document.addEventListener("keydown", (event) => {
      if (isForBrowser(event) || event.defaultPrevented) return;
      if (event.target.closest("textarea, select, [contenteditable], input:not([type=range]):not([type=checkbox])")) return;
      const action = table[event.key.toLowerCase()];
      if (!action || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      action();
    });
  }

  /** Call `turn(aside, up)` by arrow keys while a place has the focus: (1, 0) for the right one, (0, 1) for the upper. */
  function arrowKeys(place, turn) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    place.addEventListener("keydown", (event) => {
      if (!ways[event.key] || isForBrowser(event)) return;
      event.preventDefault();
      turn(...ways[event.key]);
    });
  }

  /** Offer bytes as a download under a name. */
  function download(blob, name) {
    const url = URL.createObjectURL(blob);
    const link = element("a", { href: url, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }

  geoinv.controls = {
    at,
    isCalm,
    isSmall,
    element,
    slider,
    toggle,
    group,
    collapsiblePanel,
    messages,
    shortcuts,
    arrowKeys,
    download,
  };
})((window.geoinv = window.geoinv || {}));
