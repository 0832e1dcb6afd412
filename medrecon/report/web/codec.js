// From the page's text blocks to numbers: gunzip, byte planes, differences, frames.
"use strict";

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let n = 0; n < text.length; n++) bytes[n] = text.charCodeAt(n);
  return bytes;
}

function blockText(id) {
  return document.getElementById(id).textContent.trim();
}

async function gunzip(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// One mesh: positions in LPS mm (three per vertex) and corner indices.
async function unpackMesh(header, base64) {
  const bytes = await gunzip(bytesOf(base64));
  const n = header.vertices, m = header.triangles;
  const positions = new Float32Array(3 * n);
  for (let axis = 0; axis < 3; axis++) {
    const low = 2 * n * axis, high = low + n;
    for (let v = 0, grid = 0; v < n; v++) {
      grid = (grid + bytes[low + v] + 256 * bytes[high + v]) & 65535;
      positions[3 * v + axis] = header.low[axis] + header.step[axis] * grid;
    }
  }
  const at = (column, t) => {
    const start = 6 * n + 4 * m * column + t;
    return (bytes[start] | (bytes[start + m] << 8) | (bytes[start + 2 * m] << 16) |
      (bytes[start + 3 * m] << 24)) | 0;
  };
  const indices = new Uint32Array(3 * m);
  for (let t = 0, first = 0; t < m; t++) {
    first += at(0, t);
    indices[3 * t] = first;
    indices[3 * t + 1] = first + at(1, t);
    indices[3 * t + 2] = first + at(2, t);
  }
  return { positions, indices };
}

// One byte for each vertex, from 0 at the scale's low end to 255 at its high one.
async function unpackValues(base64) {
  const codes = await gunzip(bytesOf(base64));
  for (let n = 1; n < codes.length; n++) codes[n] = (codes[n] + codes[n - 1]) & 255;
  return codes;
}

// Values of the 256 grey levels, from the curve's nodes (value, level).
function valuesOfLevels(curve) {
  const values = new Float32Array(256);
  for (let level = 0, n = 0; level < 256; level++) {
    while (n < curve.length - 2 && level > curve[n + 1][1]) n++;
    const [v0, l0] = curve[n], [v1, l1] = curve[n + 1];
    values[level] = v0 + (v1 - v0) * (level - l0) / (l1 - l0);
  }
  return values;
}

// Frames into one array of grey levels, i fastest; the middle first, then outwards.
async function unpackSlices(header, base64, whenSome) {
  const [width, height, depth] = header.shape;
  const bytes = bytesOf(base64);
  const starts = [0];
  for (const length of header.lengths) starts.push(starts[starts.length - 1] + length);
  const levels = new Uint8Array(width * height * depth);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const order = [...Array(depth).keys()];
  const middle = depth >> 1;
  order.sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle) || a - b);
  for (let n = 0; n < depth; n++) {
    const k = order[n];
    const blob = new Blob([bytes.subarray(starts[k], starts[k + 1])], { type: "image/jpeg" });
    const picture = await createImageBitmap(blob, { colorSpaceConversion: "none" });
    pen.drawImage(picture, 0, 0);
    picture.close();
    const pixels = pen.getImageData(0, 0, width, height).data;
    const start = k * width * height;
    for (let p = 0; p < width * height; p++) levels[start + p] = pixels[4 * p];
    if (n % 24 === 0 || n === depth - 1) whenSome(levels, (n + 1) / depth);
  }
  return levels;
}
