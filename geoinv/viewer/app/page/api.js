/* The app's REST interface, as this page uses it. Scripts can do the same: see /docs. */
(function (geoinv) {
  "use strict";

  /** What the app refused, in its own words. */
  class Refusal extends Error {
    constructor(status, message, hint) {
      super(message);
      this.status = status;
      this.hint = hint || "";
    }
  }

  const GONE = "the app does not answer";
  const GONE_HINT = "start it again with `geoinv app`";

  function refusalOf(status, text) {
    try {
      const { message, hint } = JSON.parse(text);
      return new Refusal(status, message, hint);
    } catch {
      return new Refusal(status, `the app answers with ${status}`, "its terminal says more");
    }
  }

  async function ask(address, options) {
    let response;
    try {
      response = await fetch(address, options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refusal(0, GONE, GONE_HINT);
    }
    if (!response.ok) throw refusalOf(response.status, await response.text());
    return response;
  }

  function query(values, edits) {
    const search = new URLSearchParams(values);
    for (const [name, strength] of Object.entries(edits)) search.append("edit", `${name}:${strength}`);
    const text = search.toString();
    return text ? `?${text}` : "";
  }

  const info = async () => (await ask("/api")).json();
  const job = async (id) => (await ask(`/api/jobs/${id}`)).json();
  const remove = (id) => ask(`/api/jobs/${id}`, { method: "DELETE" });

  /** A picture of a head; `look` has yaw, pitch, zoom and draft. Gives its bytes and notes. */
  async function view(id, look, edits, { suffix = "webp", signal } = {}) {
    const response = await ask(`/api/jobs/${id}/view.${suffix}${query(look, edits)}`, { signal });
    return { blob: await response.blob(), notes: response.headers.get("geoinv-notes") || "" };
  }

  /** A file that is made of a head. */
  async function file(id, name, edits) {
    return (await ask(`/api/jobs/${id}/files/${name}${query({}, edits)}`)).blob();
  }

  /** Send a photo. XMLHttpRequest, because fetch does not tell how much has been sent. */
  function send(photo, onFraction) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const form = new FormData();
      form.append("photo", photo, "photo"); // the file's own name is nobody's business
      request.open("POST", "/api/jobs");
      request.upload.addEventListener("progress", (event) => event.lengthComputable && onFraction(event.loaded / event.total));
      request.addEventListener("load", () => {
        if (request.status === 202) resolve(JSON.parse(request.responseText));
        else reject(refusalOf(request.status, request.responseText));
      });
      request.addEventListener("error", () => reject(new Refusal(0, GONE, GONE_HINT)));
      request.send(form);
    });
  }

  geoinv.api = { Refusal, info, job, remove, view, file, send };
})((window.geoinv = window.geoinv || {}));
