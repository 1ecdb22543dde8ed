// SPDX-License-Identifier: Apache-2.0
#include "comparison/difference_table.hpp"

#include "comparison/mean_cells.hpp"
#include "comparison/paired_differences.hpp"
#include "comparison/paired_tables.hpp"
#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/table/csv.hpp"
#include "results/output_digests.hpp"

#include <cstddef>
#include <map>
#include <string_view>
#include <utility>

namespace depthlens {
namespace {

class writer {
 public:
  writer(std::span<const compared_run> runs, const std::filesystem::path& path)
      : runs_(runs),
        file_(path),
        csv_([this](std::string_view bytes) { file_.write(bytes); }, csv_quotes::all_texts) {
    for (const char* name : {"table", "lens", "other_lens", "run", "other_run"}) csv_.text(name);
    csv_.name("layer");
    csv_.text("measure");
    for (const char* name : {"difference", "low", "high", "above_zero", "n", "n_clusters"}) csv_.name(name);
    csv_.end_row();
  }

  difference_table write() {
    if (runs_.size() == 1) pair(runs_[0], runs_[0]);
    for (std::size_t a = 0; a < runs_.size(); ++a)
      for (std::size_t b = a + 1; b < runs_.size(); ++b) pair(runs_[a], runs_[b]);
    file_.commit();
    return std::move(out_);
  }

 private:
  // One line for all tables of two runs of which the same is to be said.
  void remark(const compared_run& run, const compared_run& other,
              const std::vector<std::pair<std::string, std::string>>& table_and_words) {
    std::vector<std::string> order;
    std::map<std::string, std::vector<std::string>> tables;
    for (const auto& [table, words] : table_and_words) {
      std::vector<std::string>& of_words = tables[words];
      if (of_words.empty()) order.push_back(words);
      of_words.push_back(table);
    }
    for (const std::string& words : order)
      out_.remarks.push_back(cat("tables of ", run.label, " and ", other.label, " (",
                                 names_for_people(tables[words]), "): ", words));
  }

  void pair(const compared_run& run, const compared_run& other) {
    const std::vector<paired_table> tables = pair_tables(run, other);
    if (tables.empty())
      out_.remarks.push_back(cat("tables of ", run.label, " and ", other.label,
                                 ": not compared, none has a row for each prompt, position and layer"));
    std::vector<std::pair<std::string, std::string>> remarks;
    for (const paired_table& table : tables) {
      const paired_rows rows = pair_rows(run, other, table);
      if (!rows.not_paired.empty())
        remarks.emplace_back(table.table, "not compared, " + rows.not_paired);
      else if (run.n_layers != other.n_layers)
        remarks.emplace_back(table.table,
                             "the models have different numbers of blocks, only their outputs are compared");
      if (rows.not_paired.empty() && !table.prompts)
        remarks.emplace_back(table.table, "no table of prompts has clusters, every prompt counts as one");
      for (const paired_difference& d : rows.differences) line(run, other, table, d);
      out_.about.push_back({{"table", table.table},
                            {"lens", table.lens},
                            {"other_lens", table.other_lens},
                            {"run", run.label},
                            {"other_run", other.label},
                            {"rows_joined", rows.joined},
                            {"rows_of_run_alone", rows.of_run_alone},
                            {"rows_of_other_alone", rows.of_other_alone}});
    }
    remark(run, other, remarks);
  }

  void line(const compared_run& run, const compared_run& other, const paired_table& table,
            const paired_difference& d) {
    for (const std::string* name : {&table.table, &table.lens, &table.other_lens})
      csv_.text(visible_line(*name));  // run.json may have been edited
    csv_.text(run.label);
    csv_.text(other.label);
    d.layer ? csv_.integer(*d.layer) : csv_.empty();
    csv_.text(d.measure);
    write_number(csv_, d.difference);
    write_ends(csv_, d.ends);
    write_number(csv_, d.above_zero);
    end_with_counts(csv_, d.n, d.n_clusters);
  }

  std::span<const compared_run> runs_;
  atomic_file file_;
  csv_writer csv_;
  difference_table out_;
};

}  // namespace

difference_table write_differences(std::span<const compared_run> runs, const std::filesystem::path& csv) {
  return writer(runs, csv).write();
}

}  // namespace depthlens
