// SPDX-License-Identifier: Apache-2.0
#include "commands/trace_page_names.hpp"

#include "depthlens/base/text.hpp"

#include <algorithm>
#include <filesystem>

namespace depthlens {
namespace {

std::string file_among(const v2_prompt& p, const std::vector<v2_prompt>& read) {
  const bool alike = std::any_of(read.begin(), read.end(), [&](const v2_prompt& other) {
    return other.file != p.file && other.file.filename() == p.file.filename();
  });
  return alike ? p.file.string() : p.file.filename().string();
}

std::string with_remark(const std::string& model, const std::string& remark) {
  return cat(model, model.empty() ? "(" : " (", remark, ")");
}

}  // namespace

std::vector<std::string> headings_of_files(const trace_result& all, const std::vector<v2_prompt>& read) {
  std::vector<std::string> out;
  out.reserve(read.size());
  for (const v2_prompt& p : read) {
    const bool shared = (!all.prompts.empty() && all.model == p.model) ||
                        std::any_of(read.begin(), read.end(), [&](const v2_prompt& other) {
                          return other.file != p.file && other.model == p.model;
                        });
    out.push_back(shared ? with_remark(p.model, file_among(p, read)) : p.model);
  }
  return out;
}

std::string heading_of_command(const trace_result& all, const std::vector<v2_prompt>& read) {
  const bool shared =
      std::any_of(read.begin(), read.end(), [&](const v2_prompt& p) { return p.model == all.model; });
  return shared && all.precision != "f32" ? with_remark(all.model, all.precision) : all.model;
}

}  // namespace depthlens
