// SPDX-License-Identifier: Apache-2.0
// What --experts adds to a study: a table of the experts that every block chose at every position that the
// study reads, two summaries of it, and a figure. They are the host's, behind the study's own tables, and the
// same for every lens.
#pragma once

#include "depthlens/description.hpp"
#include "engine/record_job.hpp"
#include "log/log_entry.hpp"
#include "model/expert_layout.hpp"

#include <string>

namespace depthlens {

class expert_tables {
 public:
  static constexpr const char *rows = "experts", *use = "expert_use", *routers = "expert_routers";

  // study: its word, in the files' names. The layout outlives it.
  expert_tables(const expert_layout& layout, const std::string& study);

  const expert_layout& layout() const { return layout_; }
  const description& about() const { return about_; }
  // Of a record whose answers are all there: the rows of every position that was read for it, once.
  void write_rows(const record_job& job, const std::string& set, entry_writer& out) const;

 private:
  const expert_layout& layout_;
  description about_;
};

}  // namespace depthlens
