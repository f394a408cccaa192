"use strict";
// The viewer of a page: every slice and phase of a measured cine, with its contours.
// It reads the JSON beside it (opencmr/report/viewer.py) and nothing else.
(() => {
const FULL = 255;
const CLOSEST = 8;              // greatest zoom
const ZOOM_STEP = 1.25;
const WHEEL_PX = 40;            // of turning, until the next slice
const SWIPE_PX = 14;            // of a finger, until the next slice or phase
const WINDOW_PX = 400;          // of dragging, over the whole range of values
const BARS_MM = [5, 10, 20, 50, 100];
const BAR_SHARE = 0.3;          // of the picture's width, at most
const STEPS_A_MM = 10;          // contours come in tenths of a millimetre
const CHART = {left: 34, right: 294, top: 8, bottom: 92};

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const fixed = (value, digits) => value.toFixed(digits).replace("-", "−");

// A line of SVG through points [x, y].
const path = points => points.map(([x, y], i) => `${i ? "L" : "M"}${x} ${y}`).join("");

// The contours of one kind as one SVG path in millimetres.
function contour(polygons = []) {
  return polygons.map(flat => {
    const points = [];
    for (let i = 0; i < flat.length; i += 2) points.push([flat[i] / STEPS_A_MM, flat[i + 1] / STEPS_A_MM]);
    return path(points) + "Z";
  }).join("");
}

function view(root, number) {
  const cine = JSON.parse(root.querySelector("script").textContent);
  const find = selector => root.querySelector(selector);
  const stage = find(".stage"), canvas = find("canvas"), status = find(".status");
  const lines = find(".stage svg"), paths = [...lines.querySelectorAll("path")];
  const boxes = [...root.querySelectorAll("[data-shows]")];
  const sliders = Object.fromEntries(
    ["slice", "phase", "level", "width"].map(name => [name, find(`[data-sets=${name}]`)]));
  const phases = cine.slices[0].outlines.length;
  const range = cine.window;
  const whole = range.high - range.low;
  const times = cine.timesMs ?? Array.from({length: phases}, (_, t) => t * cine.beatMs / phases);
  // Where phases are stated beyond the stated beat, none of them is left out.
  const beatMs = Math.max(cine.beatMs, (times.at(-1) - times[0]) * phases / (phases - 1));
  const first = {
    slice: Math.floor((cine.slices.length - 1) / 2), phase: cine.firstPhase,
    level: (range.black + range.white) / 2, width: range.white - range.black,
    zoom: 1, x: cine.widthMm / 2, y: cine.heightMm / 2,
  };
  let now = {...first};
  let playing = 0;              // when phase 0 began, on the clock of the frames; 0: still
  let shownSlice = -1;

  // One small picture in stored pixels, on which the window is applied.
  const raw = document.createElement("canvas");
  raw.width = cine.widthPx;
  raw.height = cine.heightPx;
  const pixels = raw.getContext("2d", {willReadFrequently: true});
  const paper = canvas.getContext("2d");
  const sheets = cine.slices.map(() => null);

  function sheet(slice) {
    if (!sheets[slice]) {
      sheets[slice] = new Image();
      sheets[slice].onload = draw;
      sheets[slice].src = cine.slices[slice].picture;
    }
    return sheets[slice];
  }

  const greyOf = stored => {
    const value = range.low + stored / FULL * whole;
    return clamp(FULL * ((value - now.level) / now.width + 0.5), 0, FULL);
  };

  // What of the picture is seen, in millimetres.
  function seen() {
    const width = cine.widthMm / now.zoom, height = cine.heightMm / now.zoom;
    return {left: now.x - width / 2, top: now.y - height / 2, width, height};
  }

  function drawPicture() {
    const source = sheet(now.slice);
    if (!source.complete) return;
    const {widthPx, heightPx, cellPx, across} = cine;
    const column = now.phase % across, row = Math.floor(now.phase / across);
    pixels.drawImage(source, column * cellPx[0], row * cellPx[1], widthPx, heightPx, 0, 0, widthPx, heightPx);
    const held = pixels.getImageData(0, 0, widthPx, heightPx);
    const table = Uint8ClampedArray.from({length: FULL + 1}, (_, stored) => greyOf(stored));
    for (let i = 0; i < held.data.length; i += 4)
      held.data[i] = held.data[i + 1] = held.data[i + 2] = table[held.data[i]];
    pixels.putImageData(held, 0, 0);
    const part = seen(), x = widthPx / cine.widthMm, y = heightPx / cine.heightMm;
    paper.imageSmoothingQuality = "high";
    paper.drawImage(raw, part.left * x, part.top * y, part.width * x, part.height * y,
      0, 0, canvas.width, canvas.height);
  }

  function drawContours() {
    const part = seen(), drawn = cine.slices[now.slice].outlines[now.phase];
    lines.setAttribute("viewBox", `${part.left} ${part.top} ${part.width} ${part.height}`);
    for (const line of paths) line.setAttribute("d", contour(drawn[line.dataset.contour]));
  }

  function drawScale() {
    const part = seen();
    const bar = BARS_MM.findLast(mm => mm <= part.width * BAR_SHARE) ?? BARS_MM[0];
    find(".scale-bar i").style.width = `${100 * bar / part.width}%`;
    find(".scale-bar b").textContent = `${bar} mm`;
  }

  function drawLetters() {
    for (const edge of ["top", "right", "bottom", "left"])
      find(`[data-edge=${edge}]`).textContent = cine.slices[now.slice].letters[edge] ?? "";
  }

  const when = phase => `phase ${phase + 1} of ${phases}` +
    (cine.timesMs ? `, ${fixed(times[phase], 0)} ms` : "");

  function told() {
    const from = cine.baseKnown ? "from the base" : "as stacked";
    return `Slice ${cine.slices[now.slice].number}: ${now.slice + 1} of ${cine.slices.length} ` +
      `${from}; ${when(now.phase)}`;
  }

  function drawControls() {
    sliders.slice.value = now.slice;
    sliders.phase.value = now.phase;
    sliders.level.value = now.level;
    sliders.width.value = now.width;
    const texts = {
      slice: `${now.slice + 1} of ${cine.slices.length}`, phase: when(now.phase).slice(6),
      level: fixed(now.level, digits), width: fixed(now.width, digits),
    };
    for (const [name, input] of Object.entries(sliders)) {
      input.setAttribute("aria-valuetext", texts[name]);
      input.previousElementSibling.textContent = texts[name];
    }
    // A reader's voice says where one is, but not thirty times a second.
    status.setAttribute("aria-live", playing ? "off" : "polite");
    status.textContent = told();
    stage.setAttribute("aria-label", "Short-axis cine. " + told());
    find("[data-do=play]").textContent = playing ? "Pause" : "Play";
  }

  function draw() {
    drawPicture();
    drawContours();
    drawScale();
    drawControls();
    if (shownSlice !== now.slice) {
      drawLetters();
      chart.drawCurves();
    }
    shownSlice = now.slice;
    chart.drawCursor(now.phase);
  }

  function set(changes) {
    now = {...now, ...changes};
    now.slice = clamp(now.slice, 0, cine.slices.length - 1);
    now.phase = (now.phase + phases) % phases;
    now.level = clamp(now.level, range.low, range.high);
    now.width = clamp(now.width, whole / FULL, whole);
    now.zoom = clamp(now.zoom, 1, CLOSEST);
    const halfX = cine.widthMm / now.zoom / 2, halfY = cine.heightMm / now.zoom / 2;
    now.x = clamp(now.x, halfX, cine.widthMm - halfX);
    now.y = clamp(now.y, halfY, cine.heightMm - halfY);
    draw();
  }

  const still = () => { playing = 0; };
  const toSlice = slice => set({slice});
  const toPhase = phase => { still(); set({phase}); };

  // The beat at its own rate: the clock says which phase it is, however slow the machine.
  function beat(clock) {
    if (!playing) return;
    const time = (clock - playing) % beatMs;
    const phase = Math.max(times.findLastIndex(one => one - times[0] <= time), 0);
    if (phase !== now.phase) set({phase});
    requestAnimationFrame(beat);
  }

  function play() {
    if (playing) still();
    else {
      playing = performance.now() - (times[now.phase] - times[0]);
      requestAnimationFrame(beat);
    }
    draw();
  }

  // Closer or farther, the point (x, y) in mm staying where it is.
  function zoom(factor, x = now.x, y = now.y) {
    const next = clamp(now.zoom * factor, 1, CLOSEST), share = now.zoom / next;
    set({zoom: next, x: x + (now.x - x) * share, y: y + (now.y - y) * share});
  }

  function showContours() {
    for (const box of boxes)
      paths.find(line => line.dataset.contour === box.dataset.shows).toggleAttribute("hidden", !box.checked);
  }

  function toggleContours() {
    const on = boxes.some(box => box.checked);
    for (const box of boxes) box.checked = !on;
    showContours();
  }

  const reset = () => { still(); set({...first, slice: now.slice, phase: now.phase}); };

  const KEYS = {
    ArrowUp: () => toSlice(now.slice - 1), ArrowDown: () => toSlice(now.slice + 1),
    ArrowLeft: () => toPhase(now.phase - 1), ArrowRight: () => toPhase(now.phase + 1),
    Home: () => toSlice(0), End: () => toSlice(cine.slices.length - 1),
    " ": play, c: toggleContours, "+": () => zoom(ZOOM_STEP), "=": () => zoom(ZOOM_STEP),
    "-": () => zoom(1 / ZOOM_STEP), 0: reset,
  };
  stage.addEventListener("keydown", event => {
    const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });

  let turned = 0;
  stage.addEventListener("wheel", event => {
    if (event.ctrlKey) {
      event.preventDefault();
      const at = place(event);
      zoom(event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, at.x, at.y);
      return;
    }
    const way = Math.sign(event.deltaY);
    const next = now.slice + way;
    if (!way || next < 0 || next >= cine.slices.length) return; // at an end the page goes on
    event.preventDefault();
    turned = Math.sign(turned) === way ? turned + event.deltaY : event.deltaY;
    if (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL && Math.abs(turned) < WHEEL_PX) return;
    turned = 0;
    toSlice(next);
  }, {passive: false});

  // Where in the picture a pointer is, in millimetres.
  function place(event) {
    const box = stage.getBoundingClientRect(), part = seen();
    return {
      x: part.left + (event.clientX - box.left) / box.width * part.width,
      y: part.top + (event.clientY - box.top) / box.height * part.height,
    };
  }

  const pointers = new Map();   // where each finger, or the mouse, was last
  let swiped = {x: 0, y: 0};

  function move(dx, dy) {
    const mm = seen().width / stage.clientWidth;
    set({x: now.x - dx * mm, y: now.y - dy * mm});
  }

  function swipe(dx, dy) {
    swiped = {x: swiped.x + dx, y: swiped.y + dy};
    const upright = Math.abs(swiped.y) >= Math.abs(swiped.x);
    const steps = Math.trunc((upright ? swiped.y : swiped.x) / SWIPE_PX);
    if (!steps) return;
    swiped = {x: 0, y: 0};
    if (upright) toSlice(now.slice - steps);
    else toPhase(now.phase - steps);
  }

  function pinch(event, was) {
    const other = [...pointers.entries()].find(([id]) => id !== event.pointerId)[1];
    const apart = from => Math.hypot(from.clientX - other.clientX, from.clientY - other.clientY);
    const middle = place({
      clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2,
    });
    zoom(apart(event) / Math.max(apart(was), 1), middle.x, middle.y);
    move((event.clientX - was.clientX) / 2, (event.clientY - was.clientY) / 2);
  }

  stage.addEventListener("pointerdown", event => {
    if (event.button) return;
    stage.focus({preventScroll: true});
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
    swiped = {x: 0, y: 0};
  });
  stage.addEventListener("pointermove", event => {
    const was = pointers.get(event.pointerId);
    if (!was) return;
    const dx = event.clientX - was.clientX, dy = event.clientY - was.clientY;
    if (pointers.size > 1) pinch(event, was);
    else if (event.pointerType === "touch") swipe(dx, dy);
    else if (event.shiftKey) move(dx, dy);
    else set({width: now.width + dx / WINDOW_PX * whole, level: now.level + dy / WINDOW_PX * whole});
    pointers.set(event.pointerId, event);
  });
  for (const end of ["pointerup", "pointercancel"])
    stage.addEventListener(end, event => pointers.delete(event.pointerId));

  const DO = {play, reset, closer: () => zoom(ZOOM_STEP), farther: () => zoom(1 / ZOOM_STEP)};
  for (const button of root.querySelectorAll("[data-do]"))
    button.addEventListener("click", DO[button.dataset.do]);
  for (const box of boxes) box.addEventListener("change", showContours);

  const digits = whole < 10 ? 2 : 0;
  const limits = {
    slice: [0, cine.slices.length - 1, 1], phase: [0, phases - 1, 1],
    level: [range.low, range.high, whole / FULL], width: [whole / FULL, whole, whole / FULL],
  };
  for (const [name, input] of Object.entries(sliders)) {
    [input.min, input.max, input.step] = limits[name];
    input.addEventListener("input", () => {
      if (name === "phase") still();
      set({[name]: Number(input.value)});
    });
  }

  const chart = areas(find(".areas"), cine, times, () => now.slice, when, toPhase);
  const help = find(".keys-told");
  help.id = `viewer-keys-${number}`;
  stage.setAttribute("aria-describedby", help.id);
  stage.style.aspectRatio = `${cine.widthMm} / ${cine.heightMm}`;
  stage.style.setProperty("--ratio", cine.widthMm / cine.heightMm);
  root.hidden = false;
  new ResizeObserver(() => {
    canvas.width = Math.round(stage.clientWidth * devicePixelRatio);
    canvas.height = Math.round(stage.clientHeight * devicePixelRatio);
    draw();
  }).observe(stage);
  draw();
}

// The area of each chamber on the slice that is shown, over the beat, and a cursor in it.
function areas(figure, cine, times, slice, when, toPhase) {
  const names = Object.keys(cine.chambers), svg = figure.querySelector("svg");
  const readout = figure.querySelector(".readout");
  const most = Math.max(1, ...cine.slices.flatMap(one => names.flatMap(name => one.areasMm2[name])));
  const x = t => CHART.left + (CHART.right - CHART.left) * (times[t] - times[0]) / (times.at(-1) - times[0]);
  const y = mm2 => CHART.bottom - (CHART.bottom - CHART.top) * mm2 / most;
  const add = (kind, attributes, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.textContent = text;
    svg.append(made);
    return made;
  };
  if (!names.length) return {drawCurves() {}, drawCursor() {}};
  figure.hidden = false;
  figure.querySelector("figcaption").textContent = "Area of this slice over the beat, cm²";
  const step = [1, 2, 5, 10, 20, 50].find(cm2 => most / 100 / cm2 <= 4) ?? 100;
  for (let cm2 = 0; cm2 * 100 <= most; cm2 += step) {
    add("path", {class: "grid", d: path([[CHART.left, y(cm2 * 100)], [CHART.right, y(cm2 * 100)]])});
    add("text", {x: CHART.left - 6, y: y(cm2 * 100) + 4, "text-anchor": "end"}, cm2);
  }
  const end = cine.timesMs ? `${fixed(times.at(-1), 0)} ms` : "% of the beat";
  add("text", {x: CHART.right, y: CHART.bottom + 16, "text-anchor": "end"}, end);
  const curves = names.map(name => add("path", {class: "area", stroke: cine.chambers[name]}));
  const cursor = add("path", {class: "cursor"});

  function tell(phase) {
    const {areasMm2, extentMm} = cine.slices[slice()];
    const one = name => `${name} ${fixed(areasMm2[name][phase] / 100, 1)} cm²` + // mm² to cm²
      (extentMm ? `, ${fixed(areasMm2[name][phase] * extentMm / 1000, 1)} mL` : ""); // mm³ to mL
    readout.textContent = `At ${when(phase)}: ${names.map(one).join("; ")}`;
  }

  // The phase nearest to a pointer.
  function under(event) {
    const box = svg.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    return times.reduce((best, _, t) => Math.abs(x(t) - at) < Math.abs(x(best) - at) ? t : best, 0);
  }
  let shown = 0;
  svg.addEventListener("pointermove", event => event.buttons ? toPhase(under(event)) : tell(under(event)));
  svg.addEventListener("pointerdown", event => toPhase(under(event)));
  svg.addEventListener("pointerleave", () => tell(shown));
  return {
    drawCurves() {
      names.forEach((name, i) => curves[i].setAttribute("d",
        path(cine.slices[slice()].areasMm2[name].map((mm2, t) => [x(t).toFixed(1), y(mm2).toFixed(1)]))));
    },
    drawCursor(phase) {
      shown = phase;
      cursor.setAttribute("d", path([[x(phase), CHART.top], [x(phase), CHART.bottom]]));
      tell(phase);
    },
  };
}

// A paragraph is copied by its button; the text stays selected, for who copies by hand.
function copies(button) {
  const text = button.closest("section").querySelector(".copied");
  button.hidden = false;
  button.addEventListener("click", () => {
    getSelection().selectAllChildren(text);
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected: copy by hand";
  });
}

document.querySelectorAll(".viewer").forEach(view);
document.querySelectorAll(".copies").forEach(copies);
})();
