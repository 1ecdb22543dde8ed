// SPDX-License-Identifier: Apache-2.0
// Colours: a cell mixes the page's colour with that of the guess, or of the likeliest pinned token, by the
// probability; its text is black or white, whichever has more contrast. Pins have colours that are told apart
// with any colour vision, and dashes besides.
const pinColours = {
  light: ["#0072b2", "#c44900", "#007a5a", "#a3408f", "#7d5f00", "#444b54"],
  dark: ["#56b4e9", "#ff8a3d", "#2fcf9f", "#e39ac6", "#f0c33c", "#c6ccd4"],
};
const dashes = ["", "6 3", "2 3", "8 3 2 3", "12 4", "4 2"];
const mostPins = dashes.length;
const system = window.matchMedia("(prefers-color-scheme: dark)");

function theme() {
  const asked = byId("theme").value;
  return asked || (system.matches ? "dark" : "light");
}

function channels(hex) { return [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16)); }

function styleColour(name) {
  return channels(getComputedStyle(document.documentElement).getPropertyValue(name).trim());
}

function mixed(from, to, share) { return from.map((c, i) => Math.round(c + (to[i] - c) * share)); }

function luminance(colour) {
  const [r, g, b] = colour.map(c => {
    const part = c / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

// Black has more contrast than white on what is lighter than this.
function textOn(colour) { return luminance(colour) > 0.179 ? "#000000" : "#ffffff"; }

function css(colour) { return "rgb(" + colour.join(",") + ")"; }

function pinColour(slot) { return pinColours[theme()][slot]; }

function paint(element, base, colour, p) {
  const background = mixed(base, colour, p / 10000);
  element.style.background = css(background);
  element.style.color = textOn(background);
}
