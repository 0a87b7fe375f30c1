// The part of three.js that the pages use, and fflate's gunzip for the head inside the page. `./build.sh` bundles it.
export {
  BackSide,
  Box3,
  BoxGeometry,
  BufferAttribute,
  Color,
  DirectionalLight,
  Mesh,
  MeshBasicMaterial,
  NeutralToneMapping,
  PerspectiveCamera,
  PMREMGenerator,
  Scene,
  SphereGeometry,
  Spherical,
  Vector3,
  WebGLRenderer,
} from "three";
export { OrbitControls } from "three/addons/controls/OrbitControls.js";
export { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
export { gunzipSync } from "three/addons/libs/fflate.module.js";
