// SPDX-License-Identifier: Apache-2.0
// The page at work: one or two grids, the chosen cell, pins, and the switches. All texts of the model are put
// in as text, never as markup.
const state = {lens: 0, views: [], chosen: null, shown: null, pins: [], colour: "guess"};

// --- pins -------------------------------------------------------------------------------------------------

function slotOf(token) {
  const pin = state.pins.find(p => p.token === token);
  return pin ? pin.slot : -1;
}

// Pins a token, or lets it go; beyond the last colour the oldest pin makes room.
function togglePin(token) {
  if (token < 0) return;
  const held = state.pins.length;
  state.pins = state.pins.filter(p => p.token !== token);
  if (state.pins.length === held) {
    if (held === mostPins) state.pins.shift();
    const used = state.pins.map(p => p.slot);
    state.pins.push({token, slot: dashes.findIndex((d, i) => !used.includes(i))});
  }
  setColour(state.pins.length > 0 ? "pins" : "guess");
}

function setColour(how) {
  state.colour = how;
  for (const input of document.querySelectorAll("input[name=colour]")) {
    input.checked = input.value === how;
    if (input.value === "pins") input.disabled = state.pins.length === 0;
  }
  paintAll();
}

// --- grids ------------------------------------------------------------------------------------------------

function cellLabel(view, row, column) {
  const prompt = data.prompts[view.prompt], plane = view.plane, cell = view.cellOf(row, column);
  const where = "layer " + view.layers[row] + ", position " + prompt.positions[column] + " after " +
      text(prompt.tokens[prompt.positions[column]]) + ": ";
  if (listAt(plane, cell) < 0) return where + "not finite";
  return where + text(guessAt(plane, cell)) + ", " + percent(plane.p[listAt(plane, cell)], 1) +
      (plane.rank[cell] > 0 ?
           ", final token " + text(prompt.finals[column]) + " has rank " + plane.rank[cell] : "");
}

function headOf(view) {
  const prompt = data.prompts[view.prompt], row = make("tr");
  const corner = make("th", "", "layer");
  corner.scope = "col";
  row.append(corner);
  for (const position of prompt.positions) {
    const th = make("th", position >= prompt.tokens.length - prompt.said ? "said" : "");
    th.append(isolated(text(prompt.tokens[position])));
    th.scope = "col";
    th.title = "position " + position + ": " + text(prompt.tokens[position]);
    row.append(th);
  }
  const head = make("thead");
  head.append(row);
  return head;
}

function bodyOf(view) {
  const body = make("tbody"), n = data.prompts[view.prompt].positions.length;
  view.cells = view.layers.map(() => []);
  for (let row = view.layers.length - 1; row >= 0; --row) {
    const tr = make("tr"), th = make("th", "", String(view.layers[row]));
    th.scope = "row";
    tr.append(th);
    for (let column = 0; column < n; ++column) {
      const cell = view.cellOf(row, column), finite = listAt(view.plane, cell) >= 0;
      const td = make("td", finite ? "" : "broken");
      td.append(isolated(finite ? text(guessAt(view.plane, cell)) : "not finite"));
      td.setAttribute("role", "gridcell");
      td.setAttribute("aria-label", cellLabel(view, row, column));
      td.tabIndex = -1;
      td.dataset.row = row;
      td.dataset.column = column;
      view.cells[row].push(td);
      tr.append(td);
    }
    body.append(tr);
  }
  return body;
}

function makeView(promptIndex) {
  const prompt = data.prompts[promptIndex], layers = layersOf(promptIndex, state.lens);
  const view = {prompt: promptIndex, plane: planeOf(promptIndex, state.lens), layers,
                cellOf: (row, column) => column * layers.length + row, box: make("div", "view")};
  const heading = make("h2");
  if (prompt.model) heading.append(isolated(prompt.model), ": ");
  heading.append(isolated(prompt.text));
  const table = make("table"), scroller = make("div", "scroller");
  table.setAttribute("role", "grid");
  table.setAttribute("aria-label", "Guesses of layers and positions, prompt " + prompt.text);
  table.append(headOf(view), bodyOf(view));
  scroller.append(table);
  view.box.append(heading, scroller);
  if (prompt.positions.length === 0) scroller.replaceChildren(make("p", "", "The prompt has no tokens."));
  const place = event => {
    const td = event.target.closest("td");
    return td && {view, row: Number(td.dataset.row), column: Number(td.dataset.column)};
  };
  table.addEventListener("pointerover", event => showCell(place(event) || state.chosen));
  table.addEventListener("pointerleave", () => showCell(state.chosen));
  table.addEventListener("focusin", event => choose(place(event), false));
  let tappedBefore = true;
  table.addEventListener("pointerdown", event => {
    const at = place(event);
    tappedBefore = event.pointerType !== "touch" || (at !== null && isChosen(at));
  });
  table.addEventListener("click", event => {
    const at = place(event);
    if (!at) return;
    choose(at, true);
    if (tappedBefore) togglePin(guessAt(view.plane, view.cellOf(at.row, at.column)));
  });
  table.addEventListener("keydown", event => moveByKey(event, view));
  return view;
}

function isChosen(at) {
  const c = state.chosen;
  return c !== null && c.view === at.view && c.row === at.row && c.column === at.column;
}

// The Tab key comes to one cell of each grid.
function stopAt(view, td) {
  if (view.stop) view.stop.tabIndex = -1;
  view.stop = td;
  td.tabIndex = 0;
}

function choose(at, focus) {
  if (!at) return;
  if (state.chosen) {
    const before = state.chosen.view.cells[state.chosen.row][state.chosen.column];
    before.classList.remove("chosen");
    before.removeAttribute("aria-selected");
  }
  state.chosen = at;
  const td = at.view.cells[at.row][at.column];
  td.classList.add("chosen");
  td.setAttribute("aria-selected", "true");
  stopAt(at.view, td);
  if (focus && document.activeElement !== td) td.focus();
  showCell(at);
}

function moveByKey(event, view) {
  if (!state.chosen || state.chosen.view !== view || event.altKey || event.metaKey) return;
  let {row, column} = state.chosen;
  const top = view.layers.length - 1, last = view.cells[0].length - 1;
  if (event.key === "ArrowUp") row = Math.min(row + 1, top);
  else if (event.key === "ArrowDown") row = Math.max(row - 1, 0);
  else if (event.key === "ArrowLeft") column = Math.max(column - 1, 0);
  else if (event.key === "ArrowRight") column = Math.min(column + 1, last);
  else if (event.key === "Home") [row, column] = event.ctrlKey ? [top, 0] : [row, 0];
  else if (event.key === "End") [row, column] = event.ctrlKey ? [0, last] : [row, last];
  else if (event.key === "Enter" || event.key === " ")
    togglePin(guessAt(view.plane, view.cellOf(row, column)));
  else return;
  event.preventDefault();
  choose({view, row, column}, true);
  bringIntoSight(view, view.cells[row][column]);
}

// Behind the first column and the head, which stay in place, a cell is not seen.
function bringIntoSight(view, td) {
  const box = view.box.querySelector(".scroller"), corner = box.querySelector("thead th");
  const left = td.offsetLeft - corner.offsetWidth, top = td.offsetTop - corner.offsetHeight;
  const right = td.offsetLeft + td.offsetWidth - box.clientWidth;
  if (left < box.scrollLeft) box.scrollLeft = left;
  else if (right > box.scrollLeft) box.scrollLeft = right;
  if (top < box.scrollTop) box.scrollTop = top;
}

function paintAll() {
  const base = styleColour("--page"), ramp = styleColour("--ramp");
  const pins = state.pins.map(p => ({token: p.token, colour: channels(pinColour(p.slot))}));
  for (const view of state.views)
    view.cells.forEach((cells, row) => cells.forEach((td, column) => {
      const cell = view.cellOf(row, column), at = listAt(view.plane, cell);
      let p = at < 0 ? 0 : view.plane.p[at], colour = ramp;
      if (state.colour === "pins") {
        p = 0;
        for (const pin of pins) {
          const own = probability(view.plane, cell, pin.token) || 0;
          if (own > p) [p, colour] = [own, pin.colour];
        }
      }
      paint(td, base, colour, p);
    }));
  byId("legend").hidden = state.colour === "pins";
  showCell(state.shown || state.chosen);
}
