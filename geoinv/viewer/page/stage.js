/* The head on its stage: three.js' scene, camera, light, wireframe, and what the photo has shown of it. */
(function (geoinv) {
  "use strict";

  const FIELD_OF_VIEW_DEG = 26; // a portrait lens: faces look natural
  const ROOM = 1.06; // of the stage's height over that of the head
  const BARS_PX = 130; // which the bars above and below take of it
  const BUST_ASPECT = 0.72; // width over height of a bust that must be in sight: shoulders may be cut
  const STEP_RAD = Math.PI / 18;
  const GUESSED = 0x963cdc; // the violet of geoinv's pictures of what was seen

  /** Let a material be tinted where the vertex attribute `_seen` is below 1, by as much as `tint.value` says. */
  function tintGuessed(material, tint) {
    material.onBeforeCompile = (shader) => {
      shader.uniforms.guessedTint = tint;
      shader.uniforms.guessedColor = { value: new THREE.Color(GUESSED) };
      shader.vertexShader = shader.vertexShader.replace("void main() {", "attribute float _seen;\nvarying float vSeen;\nvoid main() {\n  vSeen = _seen;");
      shader.fragmentShader = shader.fragmentShader
        .replace("void main() {", "uniform float guessedTint;\nuniform vec3 guessedColor;\nvarying float vSeen;\nvoid main() {")
        .replace(
          "#include <opaque_fragment>",
          "#include <opaque_fragment>\n" +
            "  gl_FragColor.rgb = mix(gl_FragColor.rgb, guessedColor, guessedTint * (1.0 - clamp(vSeen, 0.0, 1.0)));",
        );
    };
  }

  class Stage {
    /**
     * @param canvas Where the head is drawn.
     * @param onFrame Called before each frame with the time in seconds; returns whether another frame must follow.
     * @throws Error where the browser has no WebGL 2.
     */
    constructor(canvas, onFrame) {
      this.canvas = canvas;
      this.onFrame = onFrame;
      this.meshes = [];
      this._scheduled = false;
      this._guessedTint = { value: 0 };
      this._size = new THREE.Vector3(1, 1, 1);
      this._centre = new THREE.Vector3();

      this.renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true });
      this.renderer.toneMapping = THREE.NeutralToneMapping; // keeps the colours of skin as the texture has them
      this.scene = new THREE.Scene();
      // Soft light from all around, more from above. A picture of a room would light it too, and give reflections, but
      // costs seconds to prepare where no graphics card is.
      this.softLight = new THREE.HemisphereLight(0xffffff, 0xc8beb4, 1);
      this.lamp = new THREE.DirectionalLight(0xfff6ec, 1);
      this.scene.add(this.softLight, this.lamp, this.lamp.target);

      this.camera = new THREE.PerspectiveCamera(FIELD_OF_VIEW_DEG, 1, 0.01, 100);
      this.controls = new THREE.OrbitControls(this.camera, canvas);
      this.controls.enableDamping = !geoinv.controls.isCalm();
      this.controls.dampingFactor = 0.12;
      this.controls.addEventListener("change", () => this.invalidate());
      new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    }

    /** Read a GLB's bytes and put its scene on the stage. */
    async load(bytes) {
      const model = await new THREE.GLTFLoader().parseAsync(bytes, "");
      this.asset = model.asset;
      this.scene.add(model.scene);
      model.scene.updateMatrixWorld(true);
      model.scene.traverse((part) => {
        if (!part.isMesh) return;
        part.frustumCulled = false; // bounds of skinned and morphed meshes lag behind
        this.meshes.push(part);
        if (part.geometry.attributes._seen) {
          part.material = part.material.clone(); // others may share it and have no such attribute
          tintGuessed(part.material, this._guessedTint);
        }
      });
      const box = new THREE.Box3().setFromObject(model.scene, true);
      if (box.isEmpty()) throw new Error("it holds no mesh");
      box.getSize(this._size);
      box.getCenter(this._centre);
      this.resetView();
      this.resize();
    }

    /** Names of all morph targets, each once, in the order of the file. */
    get morphNames() {
      return [...new Set(this.meshes.flatMap((mesh) => Object.keys(mesh.morphTargetDictionary || {})))];
    }

    get hasSeen() {
      return this.meshes.some((mesh) => mesh.geometry.attributes._seen);
    }

    /** Names of the meshes of which the file does not say what was seen. */
    get notTold() {
      return this.meshes.filter((mesh) => !mesh.geometry.attributes._seen).map((mesh) => mesh.name || "a mesh");
    }

    /** Width, height and depth in metres, and how much there is to draw. */
    get facts() {
      let vertices = 0;
      let triangles = 0;
      for (const { geometry } of this.meshes) {
        vertices += geometry.attributes.position.count;
        triangles += (geometry.index ? geometry.index.count : geometry.attributes.position.count) / 3;
      }
      return { size: this._size.toArray(), vertices, triangles };
    }

    setWeight(name, weight) {
      for (const mesh of this.meshes) {
        const index = (mesh.morphTargetDictionary || {})[name];
        if (index !== undefined) mesh.morphTargetInfluences[index] = weight;
      }
      this.invalidate();
    }

    /** Light: `azimuth` and `height` of the lamp in degrees (0, 0 is before the face), `strength`, and `soft` light. */
    setLight({ azimuth, height, strength, soft }) {
      const [aside, up] = [(azimuth * Math.PI) / 180, (height * Math.PI) / 180];
      const distance = 10 * this._size.length();
      this.lamp.target.position.copy(this._centre);
      this.lamp.position
        .set(Math.sin(aside) * Math.cos(up), Math.sin(up), Math.cos(aside) * Math.cos(up))
        .multiplyScalar(distance)
        .add(this._centre);
      this.lamp.intensity = Math.PI * strength; // a white surface that faces a lamp of strength 1 is white
      this.softLight.intensity = Math.PI * soft;
      this.invalidate();
    }

    setWireframe(isOn) {
      for (const mesh of this.meshes) mesh.material.wireframe = isOn;
      this.invalidate();
    }

    /** Tint what the photo did not show. */
    showGuessed(isOn) {
      this._guessedTint.value = isOn ? 0.5 : 0;
      this.invalidate();
    }

    /** Look at the whole head from the front. */
    resetView() {
      this._stopGliding();
      const half = Math.tan((FIELD_OF_VIEW_DEG * Math.PI) / 360);
      const distance = (ROOM * this._size.y) / 2 / half + this._size.z / 2;
      const reach = this._size.length();
      this.camera.near = reach / 100;
      this.camera.far = distance + 20 * reach;
      this.controls.minDistance = 0.6 * reach;
      this.controls.maxDistance = 8 * reach;
      this.controls.target.copy(this._centre);
      this.camera.position.set(this._centre.x, this._centre.y, this._centre.z + distance);
      this.controls.update();
      this.invalidate();
    }

    /** Turn by whole steps about the head, for keys. */
    turn(stepsAside, stepsUp) {
      this._stopGliding();
      const arm = this.camera.position.clone().sub(this.controls.target);
      const place = new THREE.Spherical().setFromVector3(arm);
      place.theta += stepsAside * STEP_RAD;
      place.phi -= stepsUp * STEP_RAD;
      place.makeSafe();
      this.camera.position.setFromSpherical(place).add(this.controls.target);
      this.controls.update();
      this.invalidate();
    }

    /** Come nearer (factor below 1) or go back. */
    zoom(factor) {
      this._stopGliding();
      const arm = this.camera.position.clone().sub(this.controls.target).multiplyScalar(factor);
      this.camera.position.copy(this.controls.target).add(arm);
      this.controls.update(); // keeps to the distances allowed
      this.invalidate();
    }

    /** Take the rest of the last movement away: it would move a camera that has been put in place. */
    _stopGliding() {
      const { enableDamping } = this.controls;
      this.controls.enableDamping = false;
      this.controls.update();
      this.controls.enableDamping = enableDamping;
    }

    resize() {
      const { clientWidth, clientHeight } = this.canvas.parentElement;
      if (clientWidth === 0 || clientHeight === 0) return;
      this.renderer.setPixelRatio(Math.min(window.devicePixelRatio || 1, 2));
      this.renderer.setSize(clientWidth, clientHeight, false);
      this.camera.aspect = clientWidth / clientHeight;
      // The head keeps clear of the bars, and on a narrow stage its width decides.
      const clear = clientHeight / Math.max(clientHeight - BARS_PX, 0.6 * clientHeight);
      const isBust = this.morphNames.length > 0;
      const wide = (this._size.x / this._size.y) * ROOM;
      const narrow = (isBust ? Math.min(wide, BUST_ASPECT) : wide) / this.camera.aspect;
      const half = Math.tan((FIELD_OF_VIEW_DEG * Math.PI) / 360) * Math.max(clear, narrow);
      this.camera.fov = (Math.atan(half) * 360) / Math.PI;
      this.camera.updateProjectionMatrix();
      this._draw(); // at once: setting the size has emptied the canvas
    }

    /** Ask for a frame; nothing is drawn while nothing moves. */
    invalidate() {
      if (this._scheduled) return;
      this._scheduled = true;
      requestAnimationFrame(() => {
        this._scheduled = false;
        this._draw();
      });
    }

    /** The picture as it is seen, over a CSS colour, as a PNG. */
    async screenshot(background) {
      this._draw();
      const { width, height } = this.canvas;
      const copy = document.createElement("canvas");
      copy.width = width;
      copy.height = height;
      const context = copy.getContext("2d");
      context.fillStyle = background;
      context.fillRect(0, 0, width, height);
      context.drawImage(this.canvas, 0, 0);
      return new Promise((done) => copy.toBlob(done, "image/png"));
    }

    _draw() {
      const goesOn = this.onFrame(performance.now() / 1000);
      const isGliding = this.controls.update();
      this.renderer.render(this.scene, this.camera);
      if (goesOn || isGliding) this.invalidate();
    }
  }

  geoinv.Stage = Stage;
})((window.geoinv = window.geoinv || {}));
