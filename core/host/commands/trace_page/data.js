// SPDX-License-Identifier: Apache-2.0
// The readings as the page holds them, and what is asked of them. A plane is what one lens says of one
// prompt; its cells are numbered position by position, within each by layer. Probabilities are whole
// ten-thousandths.
const data = JSON.parse(document.getElementById("data").textContent);

// Probabilities of followed tokens that are lower are left out of the data.
const leastFollowed = data.least;

function planeOf(prompt, lens) {
  const planes = data.prompts[prompt].planes, plane = planes[lens] || planes[0];
  if (!plane.seen) {
    plane.seen = new Map();
    plane.depth = layersOf(prompt, lens).length;
    (plane.tracked || data.followed).forEach((token, i) => {
      const cells = new Map(), list = plane.followed[i];
      let cell = 0;
      for (let at = 0; at < list.length; at += 2) {
        cell += list[at];
        cells.set(cell, list[at + 1]);
      }
      plane.seen.set(token, cells);
    });
  }
  return plane;
}

function layersOf(prompt, lens) { return data.prompts[prompt].layers || data.lenses[lens].layers; }

// Is the token's probability known there? Files have it at some positions only.
function isFollowed(plane, cell, token) {
  if (!plane.seen.has(token)) return false;
  if (!plane.tracked) return true;
  return plane.where[plane.tracked.indexOf(token)].includes(Math.floor(cell / plane.depth));
}

// The place of the cell's first token in the lists, which are best first; -1 where the reading is not finite.
function listAt(plane, cell) { return plane.top[cell * data.k] < 0 ? -1 : cell * data.k; }

function guessAt(plane, cell) { return plane.top[cell * data.k]; }

// In ten-thousandths; null where it is not known, which is less than the last of the cell's list.
function probability(plane, cell, token) {
  const at = listAt(plane, cell);
  if (at < 0) return null;
  for (let i = at; i < at + data.k; ++i) if (plane.top[i] === token) return plane.p[i];
  return isFollowed(plane, cell, token) ? plane.seen.get(token).get(cell) || 0 : null;
}

function percent(p, least) {
  if (p === null) return "not in the list";
  if (p < least) return "< " + least / 100 + " %";
  return (p >= 1000 ? Math.round(p / 100) : p / 100) + " %";
}

function text(token) { return token < 0 ? "none" : data.texts[token]; }

function make(tag, className, content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (content !== undefined) made.textContent = content;
  return made;
}

// A token's text never joins the direction of the text around it.
function isolated(content) { return make("bdi", "", content); }

function byId(id) { return document.getElementById(id); }
