// SPDX-License-Identifier: Apache-2.0
#include "comparison/place_prompts.hpp"

#include "comparison/paired_tables.hpp"
#include "comparison/table_rows.hpp"
#include "depthlens/table/csv.hpp"

#include <algorithm>
#include <vector>

namespace depthlens {

const place_prompt* place_prompts::find(const kept_place& place) {
  if (set_ != place.set) open(place.set);
  const auto at = prompts_.find({place.prompt, by_position_ ? place.position : 0});
  return at == prompts_.end() ? nullptr : &at->second;
}

void place_prompts::open(const std::string& set) {
  set_ = set;
  prompts_.clear();
  const auto of_set = prompts_of(run_, study_, set.empty() ? study_ : study_ + "_" + set);
  by_position_ = !of_set && set.empty();
  if (of_set)
    read(*of_set);
  else if (by_position_)
    for (const std::filesystem::path& csv : tables_of_prompts(run_, study_)) read(csv);
}

void place_prompts::read(const std::filesystem::path& file) {
  csv_reader csv(file);
  const std::size_t prompt = csv.column("prompt_id"), ids = csv.column("ids"),
                    cluster = csv.column("cluster");
  const auto position = csv.find_column("position");
  if (by_position_ && !position) return;
  for (std::vector<std::string> line; csv.next(line);) {
    std::int64_t at = 0;
    if (by_position_) {
      if (line[*position].empty()) continue;  // was not read
      at = whole_number(csv, line, *position);
    }
    const std::string& text = line[ids];
    const std::int64_t id = whole_number(csv, line, prompt);
    const auto blanks = std::count(text.begin(), text.end(), ' ');
    prompts_[{id, at}] = {
        .ids = XXH3_128bits(text.data(), text.size()),
        .n_tokens = text.empty() ? 0 : static_cast<std::int64_t>(blanks) + 1,
        .cluster = static_cast<std::uint64_t>(line[cluster].empty() ? id : whole_number(csv, line, cluster))};
  }
}

}  // namespace depthlens
