"use strict";
const MAX_BYTES = 25e6;
const $ = (id) => document.getElementById(id);
let demo = null;      // What /models says.
let result = null;    // What /segment says of the image shown.
let panels = [];      // One for each model.
let file = null;
let request = null;   // Aborts the one under way.
let view = "Overlay";

// An element with attributes and children; text is never read as HTML.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function swatch([red, green, blue]) {
  const element = make("span", { class: "swatch", "aria-hidden": "true" });
  element.style.background = `rgb(${red} ${green} ${blue})`;
  return element;
}

// Rows of text, the first of each its heading; numbers are on the right.
function table(head, rows, kind) {
  const cells = (row, scope) => row.map((text, i) => {
    const tag = scope === "col" || !i ? "th" : "td";
    const attributes = tag === "th" ? { scope } : {};
    const example = scope === "col" ? rows[0][i] : text;
    if (i && /^[\d.]+( %)?$/.test(example)) attributes.class = "number";
    return make(tag, attributes, text);
  });
  return make("table", { class: kind },
    make("thead", {}, make("tr", {}, ...cells(head, "col"))),
    make("tbody", {}, ...rows.map((row) =>
      make("tr", {}, ...cells(row, "row")))));
}

function showModels() {
  const names = demo.models.map((model) => model.name);
  $("about").textContent = names.join(" and ");
  document.title = `${names.join(", ")}: segmentation demo`;
  $("about-models").textContent = names.length > 1
    ? "What the models say about themselves"
    : "What the model says about itself";
  $("notes").replaceChildren(...demo.notes.map((note) =>
    make("p", { class: "warning" }, note)));
  $("models").replaceChildren(...demo.models.map((model) => {
    const chips = model.classes.map(({ name, color }, i) =>
      make("li", {}, swatch(color), `${i} ${name}`));
    const facts = model.facts.map(([key, text]) => make("tr", {},
      make("th", { scope: "row" }, key), make("td", {}, text)));
    const article = make("article", {}, make("h3", {}, model.name),
      make("table", { class: "facts" }, make("tbody", {}, ...facts)));
    if (model.metrics.rows.length) {
      article.append(make("div", { class: "scroll" },
        table(model.metrics.head, model.metrics.rows, "metrics")));
    }
    article.append(make("ul", { class: "chips", "aria-label": "Classes" },
      ...chips), make("details", {},
      make("summary", {}, "The whole description"),
      make("pre", { tabindex: "0" },
        JSON.stringify(model.description, null, 2))));
    return article;
  }));
}

function fail(message) {
  $("error").textContent = message;
  $("error").hidden = !message;
  if (message) $("status").textContent = "";
}

// The answer to a request, or an error whose message is a sentence.
async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The demo does not answer; is the command that started " +
      "it still running?");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

async function segment(chosen) {
  if (!chosen) return;
  request?.abort();
  const mine = request = new AbortController();
  fail("");
  const name = chosen.name || "the image";
  try {
    if (chosen.size > MAX_BYTES) {
      throw new Error(`${name} has ${(chosen.size / 1e6).toFixed(1)} MB; at ` +
        "most 25 MB are taken: choose a smaller one.");
    }
    $("status").textContent = `Segmenting ${name} ...`;
    $("again").disabled = true;
    const answer = await ask("/segment", {
      method: "POST", body: chosen, signal: mine.signal,
      headers: { "Content-Type": "application/octet-stream" },
    });
    const labels = await Promise.all(answer.models.map(inflate));
    const preview = new Image();
    preview.src = answer.preview;
    await preview.decode();
    if (mine !== request) return;
    file = chosen;
    result = answer;
    show(labels, preview);
    $("status").textContent =
      `${name}, ${result.width} x ${result.height} pixels.`;
  } catch (error) {
    if (mine === request && error.name !== "AbortError") fail(error.message);
  } finally {
    if (mine === request) $("again").disabled = false;
  }
}

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

async function inflate({ labels }) {
  const stream = new Blob([bytes(labels)]).stream()
    .pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function show(labels, preview) {
  for (const panel of panels) URL.revokeObjectURL(panel.url);
  panels = labels.map((ids, i) => panelOf(i, ids, preview));
  $("panels").replaceChildren(...panels.map((panel) => panel.figure));
  $("panels").classList.toggle("one", panels.length === 1);
  const choices = ["Overlay", "Boundaries", "Classes"];
  const { agreement } = result;
  if (agreement !== null) choices.push("Differences");
  if (!choices.includes(view)) view = choices[0];
  $("views").replaceChildren($("views").firstElementChild,
    ...choices.map((name) => {
      const radio = make("input", { type: "radio", name: "view", value: name });
      radio.checked = name === view;
      return make("label", {}, radio, name);
    }));
  $("agreement").hidden = panels.length < 2;
  $("agreement").textContent = agreement === null
    ? "The models have different classes, so their labels are not compared."
    : `The models agree in ${(100 * agreement).toFixed(2)} % of the pixels.`;
  showTimes();
  $("result").hidden = false;
  $("again").hidden = false;
  $("drop").classList.add("small");
  draw();
}

function panelOf(index, ids, preview) {
  const model = demo.models[index];
  const { naturalWidth: width, naturalHeight: height } = preview;
  const canvas = make("canvas", { width, height });
  const found = make("p", { class: "found", "aria-live": "polite" },
    "Point at a pixel to see its class.");
  const probe = make("div", { class: "probe" });
  probe.hidden = true;
  const stage = make("div", { class: "stage", tabindex: "0",
    role: "application", "aria-label": `${file.name || "image"} segmented by ` +
      `${model.name}; the arrow keys move the point whose class is told` },
  preview.cloneNode(), canvas, make("div", { class: "edge" }), probe);
  stage.querySelector("img").alt = "";
  // A tall image fits the window's height.
  stage.style.maxWidth = `${85 * width / height}vh`;
  const blob = new Blob([bytes(result.models[index].png)],
    { type: "image/png" });
  const url = URL.createObjectURL(blob);
  const stem = (file.name || "image").replace(/\.[^.]*$/, "");
  const figure = make("figure", {},
    make("div", {}, make("figcaption", {}, model.name), stage, found),
    make("div", {}, legend(model, ids), make("a", { href: url,
      download: `${stem}_${model.name.replace(/\W+/g, "_")}_labels.png` },
    "Download the labels"), make("p", { class: "soft" },
      "A grey PNG of the image's size; its values are the class ids.")));
  const panel = { model, ids, small: shrink(ids, width, height), canvas,
    found, probe, figure, url };
  const point = (event) => {
    const box = stage.getBoundingClientRect();
    locate(Math.floor((event.clientX - box.left) / box.width * result.width),
      Math.floor((event.clientY - box.top) / box.height * result.height));
  };
  stage.addEventListener("pointermove", point);
  stage.addEventListener("pointerdown", point);
  stage.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1],
      ArrowDown: [0, 1] }[event.key];
    if (!steps) return;
    event.preventDefault();
    const size = event.shiftKey ? 1
      : Math.ceil(Math.max(result.width, result.height) / 100);
    const [x, y] = panel.at ?? [result.width >> 1, result.height >> 1];
    locate(x + size * steps[0], y + size * steps[1]);
  });
  return panel;
}

// The labels at the size of the canvas: the nearest pixel of each.
function shrink(ids, width, height) {
  const small = new Uint8Array(width * height);
  for (let y = 0, i = 0; y < height; y++) {
    const row = Math.floor((y + 0.5) * result.height / height) * result.width;
    for (let x = 0; x < width; x++, i++) {
      small[i] = ids[row + Math.floor((x + 0.5) * result.width / width)];
    }
  }
  return small;
}

// Names the class of a pixel in every panel.
function locate(x, y) {
  x = Math.min(Math.max(x, 0), result.width - 1);
  y = Math.min(Math.max(y, 0), result.height - 1);
  for (const panel of panels) {
    const id = panel.ids[y * result.width + x];
    const { name, color } = panel.model.classes[id];
    panel.at = [x, y];
    panel.probe.hidden = false;
    panel.probe.style.left = `${100 * (x + 0.5) / result.width}%`;
    panel.probe.style.top = `${100 * (y + 0.5) / result.height}%`;
    panel.found.replaceChildren(swatch(color), make("strong", {}, name),
      ` at column ${x}, row ${y}`);
  }
}

// The classes of the image, the largest first.
function legend(model, ids) {
  const counts = new Uint32Array(256);
  for (const id of ids) counts[id]++;
  const present = model.classes.map((one, id) => [counts[id], one])
    .filter(([count]) => count).sort(([a], [b]) => b - a);
  return make("ul", { class: "chips", "aria-label": "Classes in the image" },
    ...present.map(([count, { name, color }]) => make("li", {}, swatch(color),
      `${name} ${(100 * count / ids.length).toFixed(1)} %`)));
}

function showTimes() {
  const times = result.models.map(({ milliseconds }) =>
    demo.phases.map((phase) => milliseconds[phase]));
  const totals = times.map((row) => row.reduce((a, b) => a + b));
  const names = demo.models.map((model) => model.name);
  const rows = [...demo.phases, "total"].map((phase, i) => {
    const values = times.map((row, k) => row[i] ?? totals[k]);
    const cells = values.map((time) => time.toFixed(time < 10 ? 2 : 1));
    if (values.length > 1) cells.push((values[1] / values[0]).toFixed(2));
    return [phase, ...cells];
  });
  const head = ["ms", ...names];
  if (names.length > 1) head.push("ratio");
  $("times").replaceChildren(table(head, rows, "times"));
  document.querySelectorAll(".times tbody th").forEach((cell, i) => {
    if (i < demo.phases.length) cell.prepend(dot(i));
  });
  $("bars").replaceChildren(...times.flatMap((row, k) => {
    const parts = row.map((time, i) => {
      const part = make("span", { class: `p${i}` });
      part.style.width = `${100 * time / Math.max(...totals)}%`;
      return part;
    });
    return [make("p", { class: "soft" }, names[k]),
      make("div", { class: "bar" }, ...parts)];
  }));
}

const dot = (i) => make("span", { class: `swatch p${i}` });

// One word of RGBA, as the canvas holds it on this machine.
const rgba = (...values) =>
  new Uint32Array(new Uint8ClampedArray(values).buffer)[0];

function draw() {
  for (const { model, small, canvas } of panels) {
    const { width, height } = canvas;
    const context = canvas.getContext("2d");
    const picture = context.createImageData(width, height);
    const pixels = new Uint32Array(picture.data.buffer);
    if (view === "Boundaries") {
      drawBoundaries(small, pixels, width, height);
    } else if (view === "Differences") {
      const [one, other] = panels.map((panel) => panel.small);
      const dim = rgba(0, 0, 0, 150), differ = rgba(255, 66, 54, 235);
      for (let i = 0; i < pixels.length; i++) {
        pixels[i] = one[i] === other[i] ? dim : differ;
      }
    } else {
      const alpha = view === "Classes" ? 255 : 140;
      const colors = model.classes.map(({ color }) => rgba(...color, alpha));
      for (let i = 0; i < pixels.length; i++) pixels[i] = colors[small[i]];
    }
    context.putImageData(picture, 0, 0);
  }
}

// White lines between classes, on the image dimmed.
function drawBoundaries(ids, pixels, width, height) {
  pixels.fill(rgba(0, 0, 0, 130));
  const white = rgba(255, 255, 255, 255);
  const half = Math.max(1, Math.round(Math.max(width, height) / 700));
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (x + 1 < width && ids[i] !== ids[i + 1]) {
        const end = Math.min(x + half, width - 1) - x;
        for (let k = Math.max(1 - half, -x); k <= end; k++) {
          pixels[i + k] = white;
        }
      }
      if (y + 1 < height && ids[i] !== ids[i + width]) {
        const end = Math.min(y + half, height - 1) - y;
        for (let k = Math.max(1 - half, -y); k <= end; k++) {
          pixels[i + k * width] = white;
        }
      }
    }
  }
}

function cut() {
  $("panels").style.setProperty("--cut", `${$("cut").value}%`);
}

$("cut").addEventListener("input", cut);
$("views").addEventListener("change", (event) => {
  view = event.target.value;
  draw();
});
$("file").addEventListener("change", () => {
  segment($("file").files[0]);
  $("file").value = "";  // So that the same file can be chosen again.
});
$("again").addEventListener("click", () => segment(file));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  $("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  segment(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) =>
  segment(event.clipboardData.files[0]));
cut();
ask("/models").then((answer) => {
  demo = answer;
  showModels();
}).catch((error) => fail(error.message));
