// SPDX-License-Identifier: Apache-2.0
// The look of a page: its colours in light and dark, its texts and tables, its figures. Every text has at
// least the contrast of 4.5 to 1 to the paper. The colours of series are those of figures/style.hpp: on the
// dark paper they stand 3 to 1 or better, on the light one as they do in print.
#pragma once

#include <array>
#include <string_view>

namespace depthlens {

inline constexpr std::string_view color_style = R"css(
:root { color-scheme: light; --ink: #16181d; --soft: #525866; --paper: #ffffff; --raised: #f6f7f9;
  --rule: #d9dce2; --link: #0b5cad; --focus: #0b5cad; }
:root[data-theme=dark] { color-scheme: dark; --ink: #eceef2; --soft: #a7aebb; --paper: #15171c;
  --raised: #1e2128; --rule: #3a3f4a; --link: #82b8f5; --focus: #82b8f5; }
@media (prefers-color-scheme: dark) {
  :root:not([data-theme=light]) { color-scheme: dark; --ink: #eceef2; --soft: #a7aebb; --paper: #15171c;
    --raised: #1e2128; --rule: #3a3f4a; --link: #82b8f5; --focus: #82b8f5; }
}
)css";

inline constexpr std::string_view text_style = R"css(
* { box-sizing: border-box; }
html { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto,
  "Liberation Sans", Arial, sans-serif; -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 1240px; padding: 16px 20px 48px; }
header { display: flex; flex-wrap: wrap; gap: 8px 24px; justify-content: space-between;
  align-items: flex-start; }
h1 { font-size: 26px; line-height: 1.2; margin: 8px 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 21px; margin: 40px 0 12px; padding-bottom: 4px; border-bottom: 1px solid var(--rule); }
h3 { font-size: 16px; margin: 20px 0 4px; }
figcaption h3 { margin: 0; }
h4 { font-size: 14px; margin: 0 0 2px; }
p { margin: 4px 0 8px; }
a { color: var(--link); }
code, pre { font-family: ui-monospace, "Liberation Mono", Menlo, Consolas, monospace; font-size: 13px;
  overflow-wrap: anywhere; }
pre { background: var(--raised); border: 1px solid var(--rule); border-radius: 6px; padding: 10px 12px;
  margin: 8px 0; white-space: pre-wrap; }
nav ul { list-style: none; margin: 8px 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 16px; }
button { font: inherit; color: inherit; }
#theme[aria-pressed=true] { border-color: var(--ink); }
#theme { border: 1px solid var(--rule); border-radius: 6px; background: var(--raised); padding: 4px 12px;
  cursor: pointer; margin-top: 8px; }
.notice { border-left: 4px solid #de8f05; background: var(--raised); padding: 8px 12px; }
.soft, .faint { color: var(--soft); }
p.soft { font-size: 14px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
footer { margin-top: 48px; border-top: 1px solid var(--rule); padding-top: 8px; }
)css";

inline constexpr std::string_view table_style = R"css(
.scroll { overflow-x: auto; max-width: 100%; }
.rows { max-height: 480px; overflow-y: auto; border: 1px solid var(--rule); border-radius: 6px; }
table { border-collapse: collapse; font-size: 14px; }
caption { text-align: left; font-weight: 600; padding: 12px 0 4px; }
th, td { text-align: left; padding: 4px 12px 4px 8px; vertical-align: top;
  border-bottom: 1px solid var(--rule); }
td, th { white-space: pre-wrap; }
th { font-weight: 600; }
.facts th[scope=row] { font-weight: 400; color: var(--soft); overflow-wrap: anywhere; min-width: 110px; }
.facts td { overflow-wrap: anywhere; }
.data td, .data th[scope=row] { overflow-wrap: normal; white-space: nowrap; }
.data td:last-child { white-space: normal; min-width: 200px; }
.checksums td { font-family: ui-monospace, "Liberation Mono", Menlo, Consolas, monospace; font-size: 12px; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.sortable th { position: sticky; top: 0; background: var(--raised); white-space: nowrap; padding: 0; }
.sortable th button { border: 0; background: none; padding: 5px 12px 5px 8px; font-weight: 600;
  cursor: pointer; width: 100%; text-align: inherit; }
.sortable th button:focus-visible { outline-offset: -3px; }
.sortable th button::after { content: "\2195"; color: var(--soft); padding-left: 5px; font-weight: 400; }
.sortable th[aria-sort=ascending] button::after { content: "\2191"; color: var(--ink); }
.sortable th[aria-sort=descending] button::after { content: "\2193"; color: var(--ink); }
.sortable tbody tr:hover { background: var(--raised); }
details { margin: 8px 0; }
summary { cursor: pointer; padding: 4px 0; overflow-wrap: anywhere; }
)css";

inline constexpr std::string_view figure_style_of_page = R"css(
figure { margin: 16px 0 28px; padding: 14px 16px 12px; border: 1px solid var(--rule); border-radius: 8px; }
figcaption { margin-bottom: 6px; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr));
  gap: 12px 24px; align-items: end; }
.panel-box { min-width: 0; }
.wide-box { grid-column: 1 / -1; }
.legend { list-style: none; margin: 4px 0 8px; padding: 0; display: flex; flex-wrap: wrap; gap: 2px 18px;
  font-size: 13px; max-width: 100%; }
.legend li { display: flex; align-items: center; gap: 6px; overflow-wrap: anywhere; min-width: 0; }
.sample { flex: none; }
svg.panel { display: block; width: 100%; max-width: 440px; height: auto; touch-action: pan-x pan-y;
  cursor: crosshair; font: 8px Arial, "Liberation Sans", Helvetica, sans-serif; }
svg.wide { max-width: 960px; min-width: 660px; }
svg text { fill: var(--ink); }
svg .faint { fill: var(--soft); }
svg .middle, svg .in-bar { text-anchor: middle; }
svg .end { text-anchor: end; }
svg .in-bar { font-size: 7px; fill: inherit; }
.axis, .grid, .line { fill: none; }
.axis { stroke: var(--ink); stroke-width: 0.6; }
.grid { stroke: var(--rule); stroke-width: 0.5; }
.line { stroke-width: 1.4; stroke-linejoin: round; }
.band { opacity: 0.2; }
.whisker { fill: none; stroke: #DE8F05; stroke-width: 1.2; }
.bar { stroke: var(--paper); stroke-width: 0.5; }
.ring { fill: none; stroke: var(--ink); stroke-width: 1; }
.picked .series { opacity: 0.3; }
.picked .series.on { opacity: 1; }
#tip { position: fixed; z-index: 2; left: 0; top: 0; max-width: min(300px, 90vw); pointer-events: none;
  background: var(--paper); border: 1px solid var(--soft); border-radius: 6px; padding: 5px 9px;
    font-size: 13px;
  line-height: 1.35; box-shadow: 0 2px 8px rgb(0 0 0 / 0.25); overflow-wrap: anywhere; }
#tip p { margin: 0; unicode-bidi: isolate; }
#tip p:first-child { font-weight: 600; }
@media (max-width: 480px) {
  body { padding: 12px 12px 40px; }
  figure { padding: 10px 10px 8px; }
  th, td { padding-right: 8px; }
}
@media print {
  #theme, nav { display: none; }
  figure, tr { break-inside: avoid; }
  .rows { max-height: none; }
}
)css";

inline constexpr std::array page_styles = {color_style, text_style, table_style, figure_style_of_page};

}  // namespace depthlens
