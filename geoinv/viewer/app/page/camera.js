/* A photo from the camera, taken in a dialog. Browsers give the camera to pages of this machine or over https alone. */
(function (geoinv) {
  "use strict";

  const { at } = geoinv.controls;

  function canUseCamera() {
    return Boolean(window.isSecureContext && navigator.mediaDevices && navigator.mediaDevices.getUserMedia);
  }

  function stop() {
    const stream = at("video").srcObject;
    if (stream) stream.getTracks().forEach((track) => track.stop());
    at("video").srcObject = null;
    at("shutter-button").disabled = true;
  }

  /** The picture that the camera sees now. It is not mirrored, unlike the view of it. */
  function shot() {
    const video = at("video");
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  }

  /** Make the button open the camera; `onPhoto` is called with a photo's bytes. */
  function offerCamera(button, onPhoto) {
    if (!canUseCamera()) return;
    button.hidden = false;
    at("camera").addEventListener("close", stop);
    at("shutter-button").addEventListener("click", async () => {
      const photo = await shot();
      at("camera").close();
      onPhoto(photo);
    });
    button.addEventListener("click", async () => {
      at("camera").showModal();
      try {
        const wanted = { width: { ideal: 1280 }, height: { ideal: 960 }, facingMode: "user" };
        const stream = await navigator.mediaDevices.getUserMedia({ video: wanted });
        if (!at("camera").open) {
          stream.getTracks().forEach((track) => track.stop());
          return;
        }
        at("video").srcObject = stream;
        await at("video").play();
        at("shutter-button").disabled = false;
        at("shutter-button").focus();
      } catch (error) {
        at("camera-note").textContent =
          error.name === "NotAllowedError" ? "The browser may not use the camera: allow it in the address bar." : "No camera answers.";
      }
    });
  }

  geoinv.offerCamera = offerCamera;
})((window.geoinv = window.geoinv || {}));
