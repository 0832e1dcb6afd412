// Three slices through the image, with the outlines of the meshes on them.
"use strict";

const PLANES = [
  { name: "axial", across: 0, down: 1, through: 2, flip: false },
  { name: "coronal", across: 0, down: 2, through: 1, flip: true },
  { name: "sagittal", across: 1, down: 2, through: 0, flip: true },
];

class Slices {
  constructor(header, parts, root) {
    this.header = header;
    this.parts = parts;
    this.root = root;
    this.spacing = [0, 1, 2].map((axis) =>
      Math.hypot(header.affine[axis], header.affine[4 + axis], header.affine[8 + axis]));
    this.values = valuesOfLevels(header.curve);
    this.window = header.windows[0];
    this.levels = null;
    this.outlines = true;
    this.at = header.shape.map((n) => n >> 1);
    this.whenMoved = () => {};
    this.panels = PLANES.map((plane) => this.panel(plane));
    for (const part of parts) part.grid = this.toGrid(part.positions);
  }

  toGrid(positions) {
    const m = invertAffine(this.header.affine), grid = new Float32Array(positions.length);
    for (let n = 0; n < positions.length; n += 3) {
      const x = positions[n], y = positions[n + 1], z = positions[n + 2];
      for (let axis = 0; axis < 3; axis++) {
        const r = 4 * axis;
        grid[n + axis] = m[r] * x + m[r + 1] * y + m[r + 2] * z + m[r + 3];
      }
    }
    return grid;
  }

  direction(axis, sign) {
    const a = this.header.affine;
    return [a[axis], a[4 + axis], a[8 + axis]].map((v) => sign * v / this.spacing[axis]);
  }

  panel(plane) {
    const figure = this.root.querySelector(`[data-plane="${plane.name}"]`);
    const canvas = figure.querySelector("canvas"), slider = figure.querySelector("input");
    const { shape } = this.header, width = shape[plane.across], height = shape[plane.down];
    const image = document.createElement("canvas");
    image.width = width;
    image.height = height;
    slider.max = shape[plane.through] - 1;
    slider.value = this.at[plane.through];
    canvas.style.aspectRatio =
      `${width * this.spacing[plane.across]} / ${height * this.spacing[plane.down]}`;
    const panel = { plane, figure, canvas, slider, image };
    slider.addEventListener("input", () => this.go(plane.through, Number(slider.value)));
    canvas.addEventListener("keydown", (event) => this.key(event, plane));
    canvas.addEventListener("wheel", (event) => {
      if (document.activeElement !== canvas) return;
      event.preventDefault();
      this.go(plane.through, this.at[plane.through] + Math.sign(event.deltaY));
    }, { passive: false });
    canvas.addEventListener("click", (event) => this.click(event, panel));
    return panel;
  }

  key(event, plane) {
    const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 };
    const last = this.header.shape[plane.through] - 1;
    const to = { Home: 0, End: last }[event.key];
    if (to === undefined && !(event.key in steps)) return;
    event.preventDefault();
    this.go(plane.through, to === undefined ? this.at[plane.through] + steps[event.key] : to);
  }

  click(event, { plane, canvas }) {
    const box = canvas.getBoundingClientRect(), { shape } = this.header;
    const u = (event.clientX - box.left) / box.width, v = (event.clientY - box.top) / box.height;
    this.at[plane.across] = this.within(plane.across, Math.floor(u * shape[plane.across]));
    const down = Math.floor((plane.flip ? 1 - v : v) * shape[plane.down]);
    this.go(plane.down, down);
  }

  within(axis, index) {
    return Math.min(Math.max(index, 0), this.header.shape[axis] - 1);
  }

  go(axis, index) {
    this.at[axis] = this.within(axis, index);
    this.draw();
    this.whenMoved();
  }

  // Where a slice lies along its axis, in LPS mm through the image's middle.
  millimetres(axis) {
    const a = this.header.affine, row = 4 * axis;
    const middle = this.header.shape.map((n) => (n - 1) / 2);
    middle[axis] = this.at[axis];
    return a[row] * middle[0] + a[row + 1] * middle[1] + a[row + 2] * middle[2] + a[row + 3];
  }

  grey() {
    const table = new Uint8ClampedArray(256), [, low, high] = this.window;
    for (let n = 0; n < 256; n++) table[n] = 255 * (this.values[n] - low) / (high - low);
    return table;
  }

  draw() {
    for (const panel of this.panels) {
      this.paint(panel);
      this.drawPanel(panel);
      panel.slider.value = this.at[panel.plane.through];
      const mm = this.millimetres(panel.plane.through).toFixed(1);
      const number = this.at[panel.plane.through] + 1, of = this.header.shape[panel.plane.through];
      panel.slider.setAttribute("aria-valuetext", `slice ${number} of ${of}`);
      panel.figure.querySelector("output").textContent = `${number} / ${of} · ${mm} mm`;
    }
  }

  paint({ plane, image }) {
    const { shape } = this.header, pen = image.getContext("2d");
    const width = image.width, height = image.height, pixels = pen.createImageData(width, height);
    const step = [1, shape[0], shape[0] * shape[1]], grey = this.grey();
    const start = this.at[plane.through] * step[plane.through];
    for (let row = 0; row < height; row++) {
      const line = start + (plane.flip ? height - 1 - row : row) * step[plane.down];
      for (let column = 0; column < width; column++) {
        const level = this.levels ? grey[this.levels[line + column * step[plane.across]]] : 0;
        const p = 4 * (row * width + column);
        pixels.data[p] = pixels.data[p + 1] = pixels.data[p + 2] = level;
        pixels.data[p + 3] = 255;
      }
    }
    pen.putImageData(pixels, 0, 0);
  }

  drawPanel({ plane, canvas, image }) {
    const ratio = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
    canvas.width = Math.max(1, Math.round(box.width * ratio));
    canvas.height = Math.max(1, Math.round(box.height * ratio));
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    const sx = canvas.width / image.width, sy = canvas.height / image.height;
    const x = (index) => (index + 0.5) * sx;
    const y = (index) => (plane.flip ? image.height - 0.5 - index : index + 0.5) * sy;
    if (this.outlines) for (const part of this.parts) this.outline(pen, part, plane, x, y, ratio);
    this.crosshair(pen, plane, x, y, ratio);
    this.marks(pen, plane, canvas, ratio);
  }

  // Where each triangle is cut by the slice: a segment between two of its sides.
  outline(pen, part, plane, x, y, ratio) {
    if (!part.visible) return;
    const { grid, indices } = part, a = plane.across, d = plane.down, t = plane.through;
    const cut = this.at[t] + 1e-4;
    pen.beginPath();
    for (let n = 0; n < indices.length; n += 3) {
      const p = 3 * indices[n], q = 3 * indices[n + 1], r = 3 * indices[n + 2];
      const above = (grid[p + t] > cut) + 2 * (grid[q + t] > cut) + 4 * (grid[r + t] > cut);
      if (above === 0 || above === 7) continue;
      const odd = above === 1 || above === 6 ? p : above === 2 || above === 5 ? q : r;
      const others = odd === p ? [q, r] : odd === q ? [p, r] : [p, q];
      others.forEach((o, side) => {
        const w = (cut - grid[odd + t]) / (grid[o + t] - grid[odd + t]);
        const px = x(grid[odd + a] + w * (grid[o + a] - grid[odd + a]));
        const py = y(grid[odd + d] + w * (grid[o + d] - grid[odd + d]));
        if (side) pen.lineTo(px, py); else pen.moveTo(px, py);
      });
    }
    pen.lineCap = "round";
    // A dark edge first: a bone's pale line is to be seen on white bone too.
    for (const [width, color] of [[3.4, "rgba(0, 0, 0, 0.6)"], [1.5, part.color]]) {
      pen.lineWidth = width * ratio;
      pen.strokeStyle = color;
      pen.stroke();
    }
  }

  crosshair(pen, plane, x, y, ratio) {
    const px = x(this.at[plane.across]), py = y(this.at[plane.down]);
    pen.lineWidth = ratio;
    pen.strokeStyle = "rgba(255, 255, 255, 0.28)";
    pen.beginPath();
    pen.moveTo(px, 0);
    pen.lineTo(px, pen.canvas.height);
    pen.moveTo(0, py);
    pen.lineTo(pen.canvas.width, py);
    pen.stroke();
  }

  marks(pen, plane, canvas, ratio) {
    const { width, height } = canvas, inset = 11 * ratio;
    pen.font = `600 ${13 * ratio}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineWidth = 3 * ratio;
    pen.strokeStyle = "rgba(0, 0, 0, 0.75)";
    pen.fillStyle = "#fff";
    const down = plane.flip ? -1 : 1;
    for (const [words, px, py] of [
      [lettersOf(this.direction(plane.across, -1)), inset, height / 2],
      [lettersOf(this.direction(plane.across, 1)), width - inset, height / 2],
      [lettersOf(this.direction(plane.down, -down)), width / 2, inset],
      [lettersOf(this.direction(plane.down, down)), width / 2, height - inset],
    ]) {
      pen.strokeText(words, px, py);
      pen.fillText(words, px, py);
    }
    const perMm = width / (this.header.shape[plane.across] * this.spacing[plane.across]);
    const length = roundLength(90 * ratio / perMm);
    pen.fillRect(8 * ratio, height - 10 * ratio, length * perMm, 3 * ratio);
    pen.textAlign = "left";
    pen.strokeText(`${length} mm`, 8 * ratio, height - 20 * ratio);
    pen.fillText(`${length} mm`, 8 * ratio, height - 20 * ratio);
  }
}
