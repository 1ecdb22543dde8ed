// SPDX-License-Identifier: Apache-2.0
#include "training/jacobian_merge.hpp"

#include "depthlens/files/jacobian_writer.hpp"
#include "model/jacobian_file.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <sstream>

namespace depthlens {
namespace {

using jacobian_files = std::vector<std::unique_ptr<jacobian_file>>;

std::uint64_t prompts_of(const jacobian_file& file) {
  const std::int64_t n = file.n_prompts().value_or(0);
  if (n < 1) fail(status::data, file.path(), ": does not say on how many prompts it was fitted (n_prompts)");
  return static_cast<std::uint64_t>(n);
}

std::uint64_t width_of(const jacobian_file& file) {
  std::optional<std::uint64_t> width;
  for (const auto& [block, matrix] : file.matrices()) {
    const std::vector<std::uint64_t>& shape = matrix->view.shape;
    if (block < 0 || shape.size() != 2 || shape[0] != shape[1] || (width && *width != shape[0]))
      fail(status::data, file.path(), ": the matrix of block ", block, " is not one of a Jacobian lens");
    width = shape[0];
  }
  return *width;
}

// A file that names no target, or counts it from the end, cannot say which block that is: it must be the
// last.
std::uint64_t target_of(const jacobian_file& file) {
  const std::int64_t behind = file.matrices().rbegin()->first + 1;
  const std::int64_t target = file.target_layer().value_or(-1);
  if (target < -1 || (target >= 0 && target < behind))
    fail(status::data, file.path(), ": its target_layer ", target, " does not lie behind block ", behind - 1);
  return static_cast<std::uint64_t>(target < 0 ? behind : target);
}

std::map<std::string, std::string> without_shard(std::map<std::string, std::string> fit) {
  fit.erase("shard");
  return fit;
}

void refuse_other_lens(const jacobian_file& first, const jacobian_file& other) {
  const auto blocks = [](const jacobian_file& f) {
    std::set<std::int64_t> out;
    for (const auto& [block, matrix] : f.matrices()) out.insert(block);
    return out;
  };
  const char* differs = width_of(first) != width_of(other)     ? "width"
                        : blocks(first) != blocks(other)       ? "source_layers"
                        : target_of(first) != target_of(other) ? "target_layer"
                                                               : nullptr;
  if (differs != nullptr)
    fail(status::data, other.path(), ": is no part of the same lens as ", first.path(), ": its ", differs,
         " is another");
  const auto a = without_shard(first.fit()), b = without_shard(other.fit());
  const auto at = [](const auto& fit, const std::string& key) {
    const auto found = fit.find(key);
    return found == fit.end() ? std::string("nothing") : printable(found->second);
  };
  for (const auto* fit : {&a, &b})
    for (const auto& [key, value] : *fit)
      if (at(a, key) != at(b, key))
        fail(status::data, other.path(), ": was fitted otherwise than ", first.path(), ": ", printable(key),
             " is ", at(b, key), ", not ", at(a, key));
}

// "1/3 2/3": the shards of all files, "" where they are the whole or none is said to be a shard.
std::string shards_of(const jacobian_files& files) {
  std::set<std::string> seen;
  std::string count;
  for (const auto& file : files) {
    const auto said = file->fit().find("shard");
    if (said == file->fit().end()) {
      if (!file->fit().empty() && files.size() > 1)
        fail(status::data, file->path(), ": holds all prompts already, it is no shard");
      continue;
    }
    std::istringstream words(said->second);
    for (std::string word; words >> word;) {
      const std::string of = word.substr(word.find('/') + 1);
      if (!count.empty() && of != count)
        fail(status::data, file->path(), ": is shard ", printable(word), ", others are of ", printable(count),
             " shards");
      count = of;
      if (!seen.insert(word).second)
        fail(status::data, file->path(), ": shard ", printable(word), " comes twice");
    }
  }
  if (std::to_string(seen.size()) == count) return "";
  std::string out;
  for (const std::string& word : seen) out += (out.empty() ? "" : " ") + word;
  return out;
}

}  // namespace

void merge_jacobians(const std::vector<std::filesystem::path>& paths, const std::filesystem::path& out) {
  if (paths.size() < 2) fail(status::usage, "lens merge-jacobian needs two files or more");
  jacobian_files files;
  jacobian_description about;
  for (const auto& path : paths) {
    files.push_back(std::make_unique<jacobian_file>(path));
    refuse_other_lens(*files[0], *files.back());
    about.n_prompts += prompts_of(*files.back());
  }
  const jacobian_file& first = *files[0];
  about.d_model = width_of(first);
  for (const auto& [block, matrix] : first.matrices())
    about.source_layers.push_back(static_cast<std::uint64_t>(block));
  about.target_layer = target_of(first);
  about.fit = without_shard(first.fit());
  const std::string shards = shards_of(files);
  if (!shards.empty()) about.fit["shard"] = shards;
  if (!shards.empty()) log_warning(cat("shards are missing: the lens is of ", printable(shards)));
  if (first.fit().empty())
    log_warning("the files do not say how they were fitted: that their prompts differ is not known");
  const std::size_t n = about.d_model * about.d_model;
  std::vector<float> values(n);
  write_jacobian_lens(out, about, [&](std::size_t m) {
    std::vector<double> sum(n);
    for (const auto& file : files) {
      file->read(*file->matrices().at(static_cast<std::int64_t>(about.source_layers[m])), values.data());
      const auto weight = static_cast<double>(prompts_of(*file));
      for (std::size_t i = 0; i < n; ++i) sum[i] += weight * static_cast<double>(values[i]);
    }
    for (std::size_t i = 0; i < n; ++i)
      values[i] = static_cast<float>(sum[i] / static_cast<double>(about.n_prompts));
    if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); }))
      fail(status::data, "the matrices of block ", about.source_layers[m], " hold what is no number");
    return std::span<const float>(values);
  });
}

}  // namespace depthlens
