// SPDX-License-Identifier: Apache-2.0
// What is chosen about the appearance of figures, beside what they show: --style, --width and --titles.
#pragma once

#include <string>
#include <string_view>

namespace depthlens {

struct figure_look {
  double width = 0;  // of the page in points, before `scale`; 0 = one or two columns of a paper, as it needs
  double scale = 1;  // of all lengths, those of letters too
  bool titles = true;  // the figure's own, with the line below; a caption says the same in a paper
  std::string_view paper = "#FFFFFF", ink = "#000000", soft_ink = "#4D4D4D", faint_ink = "#808080",
                   grid = "#E0E0E0";
};

// style: paper, slides (twice as large) or dark (light on black); width: "" or 3.25in, 8.5cm, 240pt; titles:
// on or off. Others are status::usage and name the option; a page is 2.5 inches wide, as slides 5, to 20.
figure_look parse_look(std::string_view style, std::string_view width, std::string_view titles);

}  // namespace depthlens
