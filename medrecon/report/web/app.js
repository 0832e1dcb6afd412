// Puts the page together: reads its blocks, joins controls to scene and slices.
"use strict";

const page = { ready: false, slicesReady: false };

async function readParts(list, scales) {
  const parts = [];
  for (const [rank, row] of list.entries()) {
    const geometry = await unpackMesh(row.packed, blockText(`mesh-${row.number}`));
    const values = {};
    for (const { kind } of scales) {
      const id = `values-${kind}-${row.number}`;
      if (document.getElementById(id)) values[kind] = await unpackValues(blockText(id));
    }
    parts.push({ ...row, ...geometry, values, rank, visible: true });
  }
  return parts;
}

function joinParts(parts, redraw) {
  for (const part of parts) {
    const row = document.querySelector(`[data-part="${part.number}"]`);
    const toggle = row.querySelector("input[type=checkbox]"), slider = row.querySelector("input[type=range]");
    toggle.addEventListener("change", () => { part.visible = toggle.checked; redraw(part); });
    slider.addEventListener("input", () => { part.opacity = Number(slider.value) / 100; redraw(part); });
  }
  const all = document.getElementById("all-parts");
  all.addEventListener("click", () => {
    const show = parts.some((part) => !part.visible);
    for (const part of parts) {
      part.visible = show;
      document.querySelector(`[data-part="${part.number}"] input[type=checkbox]`).checked = show;
      redraw(part);
    }
  });
}

function joinScene(scene) {
  for (const button of document.querySelectorAll("[data-view]"))
    button.addEventListener("click", () => scene.look(button.dataset.view));
  for (const button of document.querySelectorAll("[data-zoom]"))
    button.addEventListener("click", () => scene.zoom(Number(button.dataset.zoom)));
  const axis = document.getElementById("clip-axis"), at = document.getElementById("clip-at");
  const flip = document.getElementById("clip-flip"), told = document.getElementById("clip-told");
  const clip = () => {
    const mm = scene.setClip(Number(axis.value), Number(at.value) / 1000, flip.checked);
    at.disabled = flip.disabled = mm === null;
    told.textContent = mm === null ? "" : `${mm.toFixed(0)} mm`;
  };
  for (const control of [axis, at, flip]) control.addEventListener("input", clip);
  clip();
}

function joinColours(scene, scales) {
  const chosen = document.getElementById("colour-by");
  if (!chosen) return;
  const told = document.getElementById("scale");
  const [low, middle, high] = told.querySelectorAll(".ticks span");
  chosen.addEventListener("change", () => {
    const scale = scales.find(({ kind }) => kind === chosen.value) || null;
    scene.colourBy(scale);
    told.hidden = !scale;
    if (!scale) return;
    const stops = scale.stops.map((c) => `rgb(${c.join(" ")})`).join(", ");
    told.querySelector(".ramp").style.background = `linear-gradient(to right, ${stops})`;
    const mm = (v) => `${v > 0 && scale.low < 0 ? "+" : ""}${+v.toFixed(2)} mm`;
    low.textContent = mm(scale.low);
    middle.textContent = mm((scale.low + scale.high) / 2);
    high.textContent = mm(scale.high);
    told.querySelector("figcaption").textContent = scale.title;
  });
}

function joinSlices(slices) {
  const chosen = document.getElementById("window");
  slices.header.windows.forEach(([name, low, high], n) => {
    const unit = slices.header.hounsfield ? " HU" : "";
    chosen.add(new Option(`${name} (${Math.round(low)} to ${Math.round(high)}${unit})`, String(n)));
  });
  chosen.addEventListener("change", () => {
    slices.window = slices.header.windows[Number(chosen.value)];
    slices.draw();
  });
  const outlines = document.getElementById("outlines");
  outlines.addEventListener("change", () => { slices.outlines = outlines.checked; slices.draw(); });
  new ResizeObserver(() => slices.draw()).observe(slices.root);
}

function printWhole() {
  const opened = [];
  window.addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details:not([open])")) {
      part.open = true;
      opened.push(part);
    }
  });
  window.addEventListener("afterprint", () => {
    while (opened.length) opened.pop().open = false;
  });
}

async function start() {
  printWhole();
  const told = document.getElementById("told");
  if (!("DecompressionStream" in window)) {
    told.textContent = "This browser is too old for the 3-D scene and the slices; tables and picture are complete.";
    return;
  }
  const content = JSON.parse(blockText("content"));
  const parts = await readParts(content.parts, content.scales);
  page.parts = parts;
  const redraw = [];
  if (parts.length) joinParts(parts, (part) => redraw.forEach((draw) => draw(part)));
  if (parts.length) {
    try {
      page.scene = new Scene3D(parts, document.getElementById("scene"));
      joinScene(page.scene);
      joinColours(page.scene, content.scales);
      redraw.push((part) => page.scene.show(part));
      document.body.classList.add("has-scene");
      page.scene.resize();
    } catch (error) {
      told.textContent = "No WebGL here: the picture stands in for the 3-D scene.";
    }
  }
  if (content.slices) {
    document.body.classList.add("has-slices");
    page.slices = new Slices(content.slices, parts, document.getElementById("slices"));
    joinSlices(page.slices);
    redraw.push(() => page.slices.draw());
    await unpackSlices(content.slices, blockText("frames"), (levels) => {
      page.slices.levels = levels;
      page.slices.draw();
    });
    page.slicesReady = true;
  }
  page.ready = true;
  document.body.dataset.ready = "yes";
}

window.medreconPage = page;
start();
