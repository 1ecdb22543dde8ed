// SPDX-License-Identifier: Apache-2.0
#include "gnuplot_environment.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace depthlens {

namespace {

// Kept, among others: PATH, LD_LIBRARY_PATH and HOME (to run), FONTCONFIG_FILE, FONTCONFIG_PATH and
// XDG_DATA_HOME (to find fonts, as in a conda environment), TMPDIR, and SOURCE_DATE_EPOCH (the date in a PDF
// is the one that a user fixes).
constexpr std::array<std::string_view, 13> dropped = {
    "GNUTERM",     // a terminal that this gnuplot lacks ends it before the script's own is set
    "GDFONTPATH",  // fonts of another terminal
    // No picture needs a screen, and one that does not answer (ssh -X) hangs the start.
    "DISPLAY", "WAYLAND_DISPLAY",
    // The language decides which font stands in for a letter that Liberation Sans lacks.
    "FC_LANG", "PANGO_LANGUAGE", "LANGUAGE",
    "PANGOCAIRO_BACKEND",   // another way to draw letters
    "FREETYPE_PROPERTIES",  // the same
    "FC_DEBUG",             // long messages
    "CAIRO_DEBUG_PDF",      // pictures for debugging
    "G_DEBUG",              // fatal-warnings: a warning of Pango ends gnuplot
    "G_MESSAGES_DEBUG",     // long messages
};

// GNUPLOT_LIB (where scripts and data are looked for), GNUPLOT_DRIVER_DIR (programs that open windows),
// GNUPLOT_PS_DIR, GNUPLOT_FONTPATH, GNUPLOT_PFBTOTTF and GNUPLOT_DEFAULT_GDFONT (other terminals) serve
// nothing that is drawn here. LC_ALL=C takes the place of all LC_*.
bool changes_pictures(std::string_view name) {
  return name.starts_with("GNUPLOT") || name.starts_with("LC_") || name == "LANG" ||
         std::find(dropped.begin(), dropped.end(), name) != dropped.end();
}

}  // namespace

std::vector<std::string> gnuplot_environment(const char* const* given) {
  std::vector<std::string> out;
  for (; given != nullptr && *given != nullptr; ++given) {
    const std::string_view entry = *given;
    if (!changes_pictures(entry.substr(0, entry.find('=')))) out.emplace_back(entry);
  }
  out.emplace_back("LC_ALL=C");  // numbers have a point in every country
  return out;
}

}  // namespace depthlens
