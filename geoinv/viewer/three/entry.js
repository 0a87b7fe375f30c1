// The part of three.js that the pages use, and fflate's gunzip for the head inside the page. `./build.sh` bundles it.
export {
  Box3,
  Color,
  DirectionalLight,
  HemisphereLight,
  NeutralToneMapping,
  PerspectiveCamera,
  Scene,
  Spherical,
  Vector3,
  WebGLRenderer,
} from "three";
export { OrbitControls } from "three/addons/controls/OrbitControls.js";
export { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
export { gunzipSync } from "three/addons/libs/fflate.module.js";
