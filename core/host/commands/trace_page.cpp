// SPDX-License-Identifier: Apache-2.0
#include "commands/trace_page.hpp"

#include "commands/trace_page_data.hpp"
#include "commands/trace_page_parts.hpp"
#include "depthlens/base/error.hpp"
#include "html/html_text.hpp"
#include "html/page_head.hpp"

#include <algorithm>

namespace depthlens {
namespace {

// With `generate` more positions for each prompt.
std::size_t cells_of(const trace_result& all, std::uint32_t generate) {
  std::size_t layers = 0;
  for (const trace_lens& l : all.lenses) layers += l.layers.size();
  return positions_read(all, generate) * layers;
}

}  // namespace

std::size_t tokens_to_follow(const trace_result& all) {
  constexpr std::size_t fewest = 16, most = 256, most_ranks = 2'000'000;
  return std::clamp(most_ranks / std::max<std::size_t>(cells_of(all, 0), 1), fewest, most);
}

void check_page_size(const trace_result& all, std::uint32_t generate, const std::vector<v2_prompt>& read) {
  std::size_t cells = cells_of(all, generate), positions = positions_read(all, generate);
  for (const v2_prompt& p : read) cells += p.cells(), positions += p.input.size();
  if (cells > most_page_cells)
    fail(status::usage, "--html: ", positions, " positions with all layers are ", cells,
         " cells; a page has at most ", most_page_cells, ": choose fewer --positions, prompts or lenses");
}

std::string trace_page(const trace_result& all, const std::vector<std::int32_t>& followed,
                       const std::vector<position_readings>& readings, const std::vector<v2_prompt>& read,
                       const tokenizer* t) {
  const std::string model = all.model.empty() && !read.empty() ? read[0].model : all.model;
  const std::string title = html_text(model, 100) + ": layer by layer";
  return cat(page_head(title, trace_page_style, trace_page_script), "<body>\n", trace_page_body,
             "<script type=\"application/json\" id=\"data\">",
             trace_page_data(all, followed, readings, read, t), "</script>\n<script>", trace_page_script,
             "</script>\n</body>\n</html>\n");
}

}  // namespace depthlens
