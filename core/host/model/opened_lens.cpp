// SPDX-License-Identifier: Apache-2.0
#include "model/opened_lens.hpp"

#include "model/lens_match.hpp"

#include <set>
#include <utility>

namespace depthlens {

std::vector<lens_spec> parse_lenses(const std::vector<std::string>& texts) {
  if (texts.empty()) return {parse_lens("logit")};
  std::vector<lens_spec> out;
  std::set<std::string> labels;
  for (const std::string& text : texts) {
    out.push_back(parse_lens(text));
    const std::string& label = out.back().label;
    if (labels.insert(label).second) continue;
    const bool labelled = text.starts_with(label + ":");
    fail(status::usage, "two lenses are called \"", label, "\"; give one ", labelled ? "another" : "a",
         " label: --lens LABEL:", labelled ? text.substr(label.size() + 1) : text);
  }
  return out;
}

opened_lens open_lens(lens_spec spec, const model_files& model, bool force) {
  const architecture& a = model.arch();
  lens_file file(spec, a.n_layers, a.d_model);
  std::string match = match_lens(spec, file, model, force);
  return {std::move(spec), std::move(file), std::move(match)};
}

std::vector<opened_lens> open_lenses(std::vector<lens_spec> specs, const model_files& model, bool force) {
  std::vector<opened_lens> out;
  for (lens_spec& s : specs) out.push_back(open_lens(std::move(s), model, force));
  return out;
}

}  // namespace depthlens
