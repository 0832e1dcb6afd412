export {
  AmbientLight, BufferAttribute, BufferGeometry, CanvasTexture, Color, DirectionalLight, DoubleSide,
  FrontSide, Group, HemisphereLight, LinearFilter, Matrix4, Mesh, MeshBasicMaterial, MeshStandardMaterial,
  OrthographicCamera, Plane, Quaternion, SRGBColorSpace, Scene, Vector3, WebGLRenderer,
} from "three";
export { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
