// SPDX-License-Identifier: Apache-2.0
// What stands beside the grid, the switches above it, and the start.
function row(list, name, content) {
  const dd = make("dd");
  dd.append(content);
  list.append(make("dt", "", name), dd);
}

function tokenRow(view, cell, i) {
  const token = view.plane.top[i], tr = make("tr");
  const word = make("td"), p = make("td", "number"), pin = make("td");
  word.append(isolated(text(token)));
  word.title = text(token) + " (#" + data.ids[token] + ")";
  p.textContent = percent(view.plane.p[i], 1);
  const button = make("button", "", slotOf(token) < 0 ? "pin" : "unpin");
  button.type = "button";
  button.setAttribute("aria-label", (slotOf(token) < 0 ? "pin " : "unpin ") + text(token));
  button.dataset.token = token;
  button.addEventListener("click", () => {
    state.shown = state.chosen;
    togglePin(token);
    focusButton("cell", token);
  });
  pin.append(button);
  tr.append(word, p, pin);
  paint(p, styleColour("--panel"), styleColour("--ramp"), view.plane.p[i]);
  return tr;
}

// Buttons are made anew with what stands around them; the focus goes to the one in the same place.
function focusButton(box, token) {
  const buttons = Array.from(byId(box).querySelectorAll("button"));
  const same = buttons.find(b => b.dataset.token === String(token)) || buttons[0];
  if (same) same.focus();
}

// The panel and the charts are about the cell under the pointer, else the chosen one.
function showCell(at) {
  state.shown = at;
  const box = byId("cell");
  if (!at) return box.replaceChildren(make("p", "", "Nothing was read."));
  const {view} = at, prompt = data.prompts[view.prompt], cell = view.cellOf(at.row, at.column);
  const position = prompt.positions[at.column], list = make("dl"), first = listAt(view.plane, cell);
  const heading = make("h2", "", "Layer " + view.layers[at.row] + ", position " + position);
  if (data.prompts.length > 1) row(list, "prompt", isolated(at.view.prompt + 1 + ": " + prompt.text));
  row(list, "after", isolated(text(prompt.tokens[position])));
  const final = prompt.finals[at.column];
  row(list, "final token", isolated(text(final)));
  if (first < 0) {
    row(list, "here", "not finite: NaN or infinity");
    box.replaceChildren(heading, list);
  } else {
    if (view.plane.rank[cell] > 0) row(list, "its rank", String(view.plane.rank[cell]));
    if (view.plane.entropy[cell] >= 0) row(list, "entropy", (view.plane.entropy[cell] / 100).toFixed(2));
    const table = make("table", "tokens"), body = make("tbody");
    for (let i = first; i < first + data.k && view.plane.top[i] >= 0; ++i)
      body.append(tokenRow(view, cell, i));
    table.append(body);
    table.setAttribute("aria-label", "Likeliest tokens");
    box.replaceChildren(heading, list, table);
  }
  showPins(at);
}

function showPins(at) {
  const {view} = at, prompt = data.prompts[view.prompt], cell = view.cellOf(at.row, at.column);
  const list = byId("pins");
  list.replaceChildren();
  for (const pin of state.pins) {
    const item = make("li"), button = make("button", "", "\u00d7");
    button.type = "button";
    button.setAttribute("aria-label", "unpin " + text(pin.token));
    button.addEventListener("click", () => {
      togglePin(pin.token);
      focusButton("pins", null);
    });
    item.append(swatch(pin.slot), isolated(text(pin.token)),
                make("span", "number", percent(probability(view.plane, cell, pin.token), leastFollowed)),
                button);
    item.title = text(pin.token) + " (#" + data.ids[pin.token] + ")";
    list.append(item);
  }
  if (state.pins.length === 0) list.append(make("li", "", "none: Enter or a click on a cell pins its token"));
  const over = cellAt => state.pins.map(pin => ({slot: pin.slot, values: cellAt(pin.token)}));
  const position = prompt.positions[at.column], layer = view.layers[at.row];
  const told = caption => caption + state.pins.map(pin => ", " + text(pin.token)).join("");
  byId("layers-caption").textContent = "Probability through the layers at position " + position;
  drawChart(byId("layers-chart"), told(byId("layers-caption").textContent),
            over(token => view.layers.map((l, i) =>
                probability(view.plane, view.cellOf(i, at.column), token))),
            view.layers.map(String), at.row);
  byId("positions-caption").textContent = "Probability through the positions at layer " + layer;
  drawChart(byId("positions-chart"), told(byId("positions-caption").textContent),
            over(token => prompt.positions.map((p, i) =>
                probability(view.plane, view.cellOf(at.row, i), token))),
            prompt.positions.map(String), at.column);
}

// --- switches ---------------------------------------------------------------------------------------------

function showViews() {
  const before = state.chosen;
  const layer = before && before.view.layers[before.row], beside = byId("beside").value;
  state.chosen = state.shown = null;
  state.views = [Number(byId("prompt").value)].concat(beside === "" ? [] : [Number(beside)]).map(makeView);
  byId("views").replaceChildren(...state.views.map(v => v.box));
  for (const v of state.views)
    if (v.cells[0].length > 0) {
      const last = v.cells[v.cells.length - 1][v.cells[0].length - 1];
      stopAt(v, last);
      bringIntoSight(v, last);
    }
  const view = state.views.find(v => v.cells[0].length > 0);
  if (view) {
    const found = before ? view.layers.indexOf(layer) : -1, n = view.cells[0].length;
    choose({view, row: found < 0 ? view.layers.length - 1 : found,
            column: before ? Math.min(before.column, n - 1) : n - 1}, false);
    bringIntoSight(view, view.cells[state.chosen.row][state.chosen.column]);
  }
  paintAll();
}

function option(value, content) {
  const made = make("option", "", content);
  made.value = value;
  return made;
}

function fillSwitches() {
  data.lenses.forEach((lens, i) => {
    const label = make("label"), input = make("input");
    input.type = "radio";
    input.name = "lens";
    input.checked = i === 0;
    input.addEventListener("change", () => {
      state.lens = i;
      showViews();
    });
    label.append(input, " " + lens.label);
    byId("lenses").append(label);
  });
  byId("lenses").hidden = data.lenses.length < 2;
  byId("beside").append(option("", "nothing"));
  data.prompts.forEach((prompt, i) => {
    const name = i + 1 + ": " + (prompt.model ? prompt.model + ": " : "") + prompt.text.slice(0, 60);
    byId("prompt").append(option(String(i), name));
    byId("beside").append(option(String(i), name));
  });
  for (const label of document.querySelectorAll(".prompt-choice")) label.hidden = data.prompts.length < 2;
  for (const id of ["prompt", "beside"]) byId(id).addEventListener("change", showViews);
  for (const input of document.querySelectorAll("input[name=colour]"))
    input.addEventListener("change", () => setColour(input.value));
}

function followTheme() {
  document.documentElement.dataset.theme = theme();
  paintAll();
}

byId("title").textContent = "What " + data.model + " would say after each layer";
byId("about").textContent = (data.lenses.length > 1 ? "Lenses " : "Lens ") +
    data.lenses.map(l => l.label).join(", ") + (data.layers > 0 ? "; " + data.layers + " blocks" : "") +
    "; depthlens " + data.version;
fillSwitches();
document.documentElement.dataset.theme = theme();
if (data.prompts.length === 2) byId("beside").value = "1";
state.pins = data.pinned.slice(0, mostPins).map((token, slot) => ({token, slot}));
showViews();
setColour("guess");
byId("theme").addEventListener("change", followTheme);
system.addEventListener("change", followTheme);
