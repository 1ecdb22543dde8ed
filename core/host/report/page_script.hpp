// SPDX-License-Identifier: Apache-2.0
// What a page does when it is used: a switch between light and dark, tables that sort, panels that say their
// values under the mouse, a finger or the arrow keys. It asks nothing of anybody, and without it the page
// shows all but the values. Texts go in by textContent alone.
#pragma once

#include <array>
#include <string_view>

namespace depthlens {

inline constexpr std::string_view theme_script = R"js(
'use strict';
{
  const root = document.documentElement;
  const button = document.getElementById('theme');
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => root.dataset.theme ? root.dataset.theme === 'dark' : system.matches;
  const tell = () => button.setAttribute('aria-pressed', isDark());
  button.addEventListener('click', () => { root.dataset.theme = isDark() ? 'light' : 'dark'; tell(); });
  system.addEventListener('change', tell);
  button.hidden = false;
  tell();
}
)js";

inline constexpr std::string_view sort_script = R"js(
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
  const sortBy = (column, order) => {
    const number = heads[column].classList.contains('number');
    const text = (row) => row.cells[column].textContent;
    const way = order === 'descending' ? -1 : 1;
    const compare = (a, b) => {
      const x = text(a), y = text(b);
      if (x === '' || y === '') return (x === '') - (y === '');  // what is missing stays below
      return way * (number ? x - y : x.localeCompare(y, 'en', { numeric: true }));
    };
    body.append(...(order ? [...rows].sort(compare) : rows));
    heads.forEach((head) => head.removeAttribute('aria-sort'));
    if (order) heads[column].setAttribute('aria-sort', order);
  };
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const now = head.getAttribute('aria-sort');
      sortBy(column, now === 'ascending' ? 'descending' : now === 'descending' ? '' : 'ascending');
    });
  });
}
)js";

inline constexpr std::string_view values_script = R"js(
const seriesOf = (svg) => [...svg.querySelectorAll('.series')].map((group) => {
  const list = (name) => group.dataset[name] ? group.dataset[name].split(' ') : [];
  const x = list('x'), y = list('y'), low = list('low'), high = list('high');
  const points = list('at').map((at, i) => {
    const [px, py, halfWidth = 0, halfHeight = 0] = at.split(',').map(Number);
    return { px, py, halfWidth, halfHeight, x: x[i], y: y[i], low: low[i], high: high[i] };
  });
  return { group, name: group.dataset.name, n: group.dataset.n, points };
}).filter((series) => series.points.length > 0);

const linesAbout = (svg, series, point) => {
  const { words, xLabel, yLabel, percent } = svg.dataset;
  const four = (number) => Number.isInteger(number) ? number : Number(number.toPrecision(4));
  const value = (text) => percent ? four(100 * text) + '%' : four(Number(text));
  const x = words ? JSON.parse(words)[point.x] : four(Number(point.x));
  const lines = [series.name || yLabel, `${xLabel}: ${x}`, `${yLabel}: ${value(point.y)}`];
  if (point.low && point.low !== '-') lines.push(`interval ${value(point.low)} to ${value(point.high)}`);
  if (series.n) lines.push(`n = ${series.n}`);
  return lines;
};

// A panel under the mouse or the keys: which of its values is picked.
const watch = (svg) => {
  const tip = document.getElementById('tip'), said = document.getElementById('said');
  const all = seriesOf(svg), ring = document.createElementNS(svg.namespaceURI, 'circle');
  ring.setAttribute('class', 'ring');
  ring.setAttribute('r', 3);
  let picked = null;
  const hide = () => {
    picked = null;
    tip.hidden = true;
    svg.classList.remove('picked');
    ring.remove();
  };
  const show = (at) => {
    picked = at;
    const series = all[at.series], point = series.points[at.point];
    all.forEach((one) => one.group.classList.toggle('on', one === series));
    svg.classList.add('picked');
    ring.setAttribute('cx', point.px);
    ring.setAttribute('cy', point.py);
    svg.append(ring);
    const lines = linesAbout(svg, series, point);
    tip.replaceChildren(...lines.map((line) => {
      const p = document.createElement('p');
      p.dir = 'auto';
      p.textContent = line;
      return p;
    }));
    tip.hidden = false;
    const on = new DOMPoint(point.px, point.py).matrixTransform(svg.getScreenCTM());
    const left = on.x + 14 + tip.offsetWidth < innerWidth ? on.x + 14 : on.x - 14 - tip.offsetWidth;
    const top = on.y - 10 - tip.offsetHeight > 0 ? on.y - 10 - tip.offsetHeight : on.y + 14;
    tip.style.transform = `translate(${Math.max(4, left)}px, ${top}px)`;
    return lines;
  };
)js";

inline constexpr std::string_view pointer_script = R"js(
  const nearest = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    let best = null, distance = Infinity;
    all.forEach((series, s) => series.points.forEach((p, i) => {
      const beside = Math.max(0, Math.abs(at.x - p.px) - p.halfWidth);
      const above = Math.max(0, Math.abs(at.y - p.py) - p.halfHeight);
      const d = Math.hypot(2 * beside, above);  // the place along x is meant more exactly
      if (d <= distance) { distance = d; best = { series: s, point: i }; }
    }));
    return best;
  };
  const follow = (event) => { const at = nearest(event); if (at) show(at); else hide(); };
  const step = (key) => {
    const at = picked || { series: 0, point: 0 };
    if (!picked) return at;
    const n = all.length;
    const last = (s) => all[s].points.length - 1;
    const beside = (by) => {
      const s = (at.series + by + n) % n;
      return { series: s, point: Math.min(at.point, last(s)) };
    };
    switch (key) {
      case 'ArrowRight': return { series: at.series, point: Math.min(at.point + 1, last(at.series)) };
      case 'ArrowLeft': return { series: at.series, point: Math.max(at.point - 1, 0) };
      case 'ArrowDown': return beside(1);
      case 'ArrowUp': return beside(-1);
      case 'Home': return { series: at.series, point: 0 };
      default: return { series: at.series, point: last(at.series) };
    }
  };
  svg.addEventListener('pointermove', follow);
  svg.addEventListener('pointerdown', follow);
  // A finger that is lifted leaves too, and its value stays until something else is touched.
  svg.addEventListener('pointerleave', (event) => { if (event.pointerType === 'mouse') hide(); });
  svg.addEventListener('blur', hide);
  addEventListener('scroll', hide, { passive: true });
  svg.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') return hide();
    if (!['ArrowRight', 'ArrowLeft', 'ArrowDown', 'ArrowUp', 'Home', 'End'].includes(event.key)) return;
    event.preventDefault();
    if (all.length > 0) said.textContent = show(step(event.key)).join(', ');
  });
};
for (const svg of document.querySelectorAll('svg.panel')) {
  const begin = () => {
    for (const type of ['pointerenter', 'focus']) svg.removeEventListener(type, begin);
    watch(svg);
  };
  for (const type of ['pointerenter', 'focus']) svg.addEventListener(type, begin);
}
)js";

inline constexpr std::array page_scripts = {theme_script, sort_script, values_script, pointer_script};

}  // namespace depthlens
