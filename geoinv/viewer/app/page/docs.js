/* The REST interface for people, from its OpenAPI description. */
(function (geoinv) {
  "use strict";

  const { at, element } = geoinv.controls;

  /** Text in which names stand between backticks. */
  function marked(text) {
    return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
  }

  /** `number, -180 to 180, by default 0` */
  function kindOf(schema) {
    const parts = [schema.enum ? schema.enum.map(String).join(", ") : schema.type === "array" ? "text, several times" : schema.type];
    if ("minimum" in schema) parts.push(`${schema.minimum} to ${schema.maximum}`);
    if ("default" in schema && !Array.isArray(schema.default)) parts.push(`by default ${schema.default}`);
    return parts.join(", ");
  }

  function facts(title, rows) {
    if (rows.length === 0) return [];
    const list = element("dl", { class: "facts" });
    for (const [name, text] of rows) list.append(element("dt", {}, name), element("dd", {}, ...marked(text)));
    return [element("h3", {}, title), list];
  }

  function operation(address, method, described) {
    const form = ((described.requestBody || {}).content || {})["multipart/form-data"];
    const fields = form ? Object.entries(form.schema.properties) : [];
    const parameters = [
      ...fields.map(([name, schema]) => [name, `file of the form. ${schema.description}`]),
      ...(described.parameters || []).map((one) => [one.name, `${kindOf(one.schema)}. ${one.description || ""}`]),
    ];
    const answers = Object.entries(described.responses).map(([status, one]) => [status, one.description]);
    return element(
      "section",
      { class: "card" },
      element("h2", {}, element("span", { class: "method" }, method.toUpperCase()), element("code", {}, address)),
      element("p", {}, ...marked(described.description || described.summary)),
      ...facts("Takes", parameters),
      ...facts("Answers", answers),
    );
  }

  function example(origin) {
    return [
      `id=$(curl -sF photo=@me.jpg ${origin}/api/jobs | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')`,
      `curl -s ${origin}/api/jobs/$id                                    # until "state" is "done"`,
      `curl -so me.png "${origin}/api/jobs/$id/view.png?yaw=30&edit=smile:1"`,
      `curl -so me.glb ${origin}/api/jobs/$id/files/head.glb`,
    ].join("\n");
  }

  async function start() {
    const api = await (await fetch("/openapi.json")).json();
    at("about").append(...marked(api.info.description));
    at("example").textContent = example(location.origin);
    for (const [address, methods] of Object.entries(api.paths)) {
      for (const [method, described] of Object.entries(methods)) {
        at("operations").append(operation(address, method, described));
      }
    }
  }

  start();
})((window.geoinv = window.geoinv || {}));
