// SPDX-License-Identifier: Apache-2.0
// Probabilities as backgrounds of text, for terminals of 256 colours.
#pragma once

#include <string>

namespace depthlens {

// The text on the background of a probability. Both colours are set, so that it reads the same on dark and on
// light terminals: black on blues for little, on yellows for much; less than 5 % is left as it is.
std::string shaded(const std::string& text, double probability);

// One line that says which is which.
std::string shade_legend();

}  // namespace depthlens
