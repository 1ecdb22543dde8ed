// SPDX-License-Identifier: Apache-2.0
// Line charts of pinned tokens: probability over layers, or over positions.
const chartSize = {width: 300, height: 130, left: 40, right: 8, top: 8, bottom: 20};

function svg(tag, attributes, content) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (content !== undefined) made.textContent = content;
  return made;
}

// How a pin is drawn.
function stroke(slot) {
  return {fill: "none", stroke: pinColour(slot), "stroke-width": 2, "stroke-dasharray": dashes[slot]};
}

// lines: [{slot, values}], null = not known there. names: of the places. at: the place that is marked.
function drawChart(box, label, lines, names, at) {
  const s = chartSize, n = names.length;
  const x = i => s.left + (n > 1 ? i / (n - 1) : 0.5) * (s.width - s.left - s.right);
  const y = p => s.top + (1 - p / 10000) * (s.height - s.top - s.bottom);
  const root = svg("svg", {viewBox: "0 0 " + s.width + " " + s.height, role: "img", "aria-label": label});
  for (const p of [0, 5000, 10000]) {
    root.append(svg("line", {x1: s.left, x2: s.width - s.right, y1: y(p), y2: y(p), stroke: "var(--line)"}));
    root.append(svg("text", {x: s.left - 4, y: y(p) + 3, "text-anchor": "end"}, p / 100 + " %"));
  }
  root.append(svg("line", {x1: x(at), x2: x(at), y1: s.top, y2: y(0), stroke: "var(--quiet)"}));
  for (const i of new Set([0, Math.floor((n - 1) / 2), n - 1]))
    root.append(svg("text", {x: x(i), y: s.height - 6, "text-anchor": i === 0 && n > 1 ? "start" :
                             i === n - 1 && n > 1 ? "end" : "middle"}, names[i]));
  for (const line of lines) {
    let path = "", open = false;
    line.values.forEach((p, i) => {
      if (p !== null) path += (open ? "L" : "M") + x(i).toFixed(1) + " " + y(p).toFixed(1);
      open = p !== null;
    });
    root.append(svg("path", Object.assign({d: path}, stroke(line.slot))));
    if (line.values[at] !== null && line.values[at] !== undefined)
      root.append(svg("circle", {cx: x(at), cy: y(line.values[at]), r: 3.5, fill: pinColour(line.slot)}));
  }
  box.replaceChildren(root);
}

function swatch(slot) {
  const root = svg("svg", {width: 28, height: 10, "aria-hidden": "true"});
  root.append(svg("path", Object.assign({d: "M0 5L28 5"}, stroke(slot))));
  return root;
}
