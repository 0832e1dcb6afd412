// The patient's directions: L, P and S are +x, +y and +z.
"use strict";

const LETTERS = [["L", "R"], ["P", "A"], ["S", "I"]];

// Letters of an LPS direction, the strongest first: "L", or "LA" where it runs between.
function lettersOf(direction) {
  return [0, 1, 2]
    .map((axis) => [Math.abs(direction[axis]), LETTERS[axis][direction[axis] > 0 ? 0 : 1]])
    .filter(([size]) => size > 0.38)
    .sort((a, b) => b[0] - a[0])
    .map(([, letter]) => letter)
    .slice(0, 2)
    .join("");
}

// The longest round length that is no longer than the given one.
function roundLength(mm) {
  const step = Math.pow(10, Math.floor(Math.log10(mm)));
  return [5, 2, 1].map((n) => n * step).find((length) => length <= mm) || step;
}

function invertAffine(a) {
  const m = new THREE.Matrix4().set(...a).invert().elements;
  return [m[0], m[4], m[8], m[12], m[1], m[5], m[9], m[13], m[2], m[6], m[10], m[14]];
}
