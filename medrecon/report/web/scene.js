// The meshes in three dimensions: turned, seen through, cut open.
"use strict";

const VIEWS = {
  A: [[0, -1, 0], [0, 0, 1]], P: [[0, 1, 0], [0, 0, 1]],
  L: [[1, 0, 0], [0, 0, 1]], R: [[-1, 0, 0], [0, 0, 1]],
  S: [[0, 0, 1], [0, -1, 0]], I: [[0, 0, -1], [0, -1, 0]],
};

// 256 colours in linear light, as the renderer takes them, from stops in sRGB.
function linearTable(stops) {
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : Math.pow((c + 0.055) / 1.055, 2.4));
  return [...Array(256).keys()].map((code) => {
    const at = code / 255 * (stops.length - 1), n = Math.min(Math.floor(at), stops.length - 2);
    return stops[n].map((low, c) => linear((low + (at - n) * (stops[n + 1][c] - low)) / 255));
  });
}

class Scene3D {
  constructor(parts, root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.renderer = new THREE.WebGLRenderer({
      canvas: this.canvas, antialias: true, alpha: true, preserveDrawingBuffer: true,
    });
    this.renderer.localClippingEnabled = true;
    this.scene = new THREE.Scene();
    this.plane = new THREE.Plane(new THREE.Vector3(0, 0, -1), 0);
    this.clip = { axis: -1, flip: false };
    this.camera = new THREE.OrthographicCamera(-1, 1, 1, -1, 0.1, 10);
    this.light();
    this.addParts(parts);
    this.canvas.addEventListener("focus", () => { this.controls.enableZoom = true; });
    this.canvas.addEventListener("blur", () => { this.controls.enableZoom = false; });
    this.canvas.addEventListener("pointerdown", () => this.canvas.focus({ preventScroll: true }));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    this.look("A");
  }

  light() {
    this.scene.add(new THREE.HemisphereLight(0xffffff, 0x8d8579, 1.1), this.camera);
    for (const [strength, x, y, z] of [[2.1, -0.5, 0.8, 1], [0.7, 0.9, -0.2, 0.6]]) {
      const lamp = new THREE.DirectionalLight(0xffffff, strength);
      lamp.position.set(x, y, z);
      this.camera.add(lamp, lamp.target);
    }
  }

  addParts(parts) {
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    for (const part of parts) {
      const shape = new THREE.BufferGeometry();
      shape.setAttribute("position", new THREE.BufferAttribute(part.positions, 3));
      shape.setIndex(new THREE.BufferAttribute(part.indices, 1));
      shape.computeVertexNormals();
      shape.computeBoundingBox();
      const box = shape.boundingBox;
      [box.min, box.max].forEach((p) => p.toArray().forEach((v, axis) => {
        low[axis] = Math.min(low[axis], v);
        high[axis] = Math.max(high[axis], v);
      }));
      part.material = new THREE.MeshStandardMaterial({
        color: part.color, roughness: 0.62, metalness: 0, side: THREE.DoubleSide,
      });
      part.mesh = new THREE.Mesh(shape, part.material);
      part.mesh.name = part.name;
      this.scene.add(part.mesh);
    }
    this.low = low;
    this.high = high;
    this.middle = new THREE.Vector3(...low).add(new THREE.Vector3(...high)).multiplyScalar(0.5);
    this.reach = new THREE.Vector3(...high).distanceTo(new THREE.Vector3(...low)) / 2 || 1;
    this.parts = parts;
    for (const part of parts) this.show(part);
  }

  show(part) {
    part.mesh.visible = part.visible && part.opacity > 0;
    part.material.opacity = part.opacity;
    part.material.transparent = part.opacity < 1;
    part.material.depthWrite = part.opacity >= 1;
    part.material.side = part.opacity < 1 ? THREE.FrontSide : THREE.DoubleSide;
    part.mesh.renderOrder = part.opacity < 1 ? 1 + this.parts.length - part.rank : 0;
    part.material.needsUpdate = true;
    this.ask();
  }

  // By a scale's values where a part has them, bare where it has none; without a scale by structure.
  colourBy(scale) {
    const table = scale ? linearTable(scale.stops) : null;
    for (const part of this.parts) {
      const codes = scale && part.values[scale.kind];
      if (codes) {
        const colours = new Float32Array(3 * codes.length);
        for (let n = 0; n < codes.length; n++) colours.set(table[codes[n]], 3 * n);
        part.mesh.geometry.setAttribute("color", new THREE.BufferAttribute(colours, 3));
      }
      part.material.vertexColors = Boolean(codes);
      part.material.color.set(codes ? "#ffffff" : scale ? "#b8b8b8" : part.color);
      part.material.needsUpdate = true;
    }
    this.ask();
  }

  look(name) {
    const [from, up] = VIEWS[name];
    this.camera.up.set(...up);
    this.camera.position.copy(this.middle).addScaledVector(new THREE.Vector3(...from), 3 * this.reach);
    this.camera.near = 0.1;
    this.camera.far = 6 * this.reach;
    this.camera.zoom = 1;
    this.camera.lookAt(this.middle);
    this.attachControls();
    this.resize();
  }

  // The controls turn about the camera's upward axis as it is when they are made. Only a
  // scene that was chosen zooms with the wheel: the page must scroll past any other.
  attachControls() {
    if (this.controls) this.controls.dispose();
    this.controls = new THREE.OrbitControls(this.camera, this.canvas);
    this.controls.enableZoom = document.activeElement === this.canvas;
    this.controls.addEventListener("change", () => this.ask());
    this.controls.target.copy(this.middle);
    this.controls.update();
  }

  // Turn by degrees to the side and upwards, about what is looked at.
  turn(sideways, upwards) {
    const arm = this.camera.position.clone().sub(this.controls.target);
    const up = this.camera.up.clone().normalize();
    arm.applyAxisAngle(up, sideways * Math.PI / 180);
    const side = new THREE.Vector3().crossVectors(up, arm).normalize();
    const tilted = arm.clone().applyAxisAngle(side, -upwards * Math.PI / 180);
    if (tilted.angleTo(up) > 0.05 && tilted.angleTo(up) < Math.PI - 0.05) arm.copy(tilted);
    this.camera.position.copy(this.controls.target).add(arm);
    this.controls.update();
    this.ask();
  }

  zoom(factor) {
    this.camera.zoom = Math.min(Math.max(this.camera.zoom * factor, 0.2), 40);
    this.camera.updateProjectionMatrix();
    this.ask();
  }

  key(event) {
    const turns = { ArrowLeft: [10, 0], ArrowRight: [-10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] };
    const zooms = { "+": 1.2, "=": 1.2, "-": 1 / 1.2 };
    const view = event.key.toUpperCase();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in turns) this.turn(...turns[event.key]);
    else if (event.key in zooms) this.zoom(zooms[event.key]);
    else if (view in VIEWS) this.look(view);
    else return;
    event.preventDefault();
  }

  setClip(axis, fraction, flip) {
    for (const part of this.parts) part.material.clippingPlanes = axis < 0 ? [] : [this.plane];
    if (axis >= 0) {
      const normal = [0, 0, 0];
      normal[axis] = flip ? 1 : -1;
      const cut = this.low[axis] + fraction * (this.high[axis] - this.low[axis]);
      this.plane.normal.set(...normal);
      this.plane.constant = flip ? -cut : cut;
    }
    this.clip = { axis, flip };
    this.ask();
    return axis < 0 ? null : this.low[axis] + fraction * (this.high[axis] - this.low[axis]);
  }

  resize() {
    const box = this.canvas.getBoundingClientRect();
    if (!box.width || !box.height) return;
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio || 1, 2));
    this.renderer.setSize(box.width, box.height, false);
    const aspect = box.width / box.height, half = 0.75 * this.reach / Math.min(1, aspect);
    Object.assign(this.camera, { left: -half * aspect, right: half * aspect, top: half, bottom: -half });
    this.camera.updateProjectionMatrix();
    this.ask();
  }

  ask() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.asked = false;
    this.renderer.render(this.scene, this.camera);
    this.marks();
  }

  marks() {
    const e = this.camera.matrixWorld.elements;
    const right = [e[0], e[1], e[2]], up = [e[4], e[5], e[6]];
    const minus = (v) => v.map((x) => -x);
    for (const [edge, direction] of [["right", right], ["left", minus(right)], ["top", up], ["bottom", minus(up)]])
      this.root.querySelector(`.mark.${edge}`).textContent = lettersOf(direction);
    const width = this.canvas.getBoundingClientRect().width;
    const perMm = width * this.camera.zoom / (this.camera.right - this.camera.left);
    const length = roundLength(120 / perMm), bar = this.root.querySelector(".bar");
    bar.style.width = `${100 * length * perMm / width}%`;
    bar.textContent = `${length} mm`;
  }
}
