// SPDX-License-Identifier: Apache-2.0
#include "engine/saved_states.hpp"

#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/error.hpp"
#include "log/log_file.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

namespace depthlens {
namespace {

constexpr const char* row_name = "states";
constexpr std::size_t row_width = 5;

dlens_value number_value(std::int64_t v) { return {DLENS_I64, 0, {.i64 = v}}; }

// A place of a record that is read for the first time.
struct new_place {
  const round* in;
  std::size_t read;
  std::int64_t sequence;  // over all rounds
  bool changed;
};

// Tells which reads of a record are of new places. Plain sequences are what their tokens are; a changed one
// is like no other.
class place_list {
 public:
  void add(const round& r, std::vector<new_place>& out) {
    for (std::size_t i = 0; i < r.reads.size(); ++i) {
      const auto [sequence, position] = std::pair(r.reads[i].sequence, r.reads[i].position);
      const std::int64_t number = first_sequence_ + sequence;
      if (!places_.insert({number, position}).second) continue;
      const bool changed = !r.edits.empty() && !r.edits[sequence].empty();
      const std::vector<std::int32_t>& ids = r.sequences[sequence];
      if (!changed && !prefixes_.insert({ids.begin(), ids.begin() + position + 1}).second) continue;
      out.push_back({&r, i, number, changed});
    }
    first_sequence_ += static_cast<std::int64_t>(r.sequences.size());
  }

 private:
  std::set<std::pair<std::int64_t, std::uint32_t>> places_;
  std::set<std::vector<std::int32_t>> prefixes_;
  std::int64_t first_sequence_ = 0;
};

std::vector<new_place> places_of(const record_job& job) {
  place_list list;
  std::vector<new_place> out;
  for (const round& r : job.rounds()) list.add(r, out);
  return out;
}

[[noreturn]] void refuse_layers(const std::string& option, const std::string& text, std::uint32_t n_layers) {
  fail(status::usage, option, ' ', printable(text),
       ": expected all, last, or layers of the model, which are 0..", n_layers, ", as in 0,", n_layers / 2,
       '-', n_layers);
}

}  // namespace

std::vector<std::uint32_t> parse_layers(const std::string& option, const std::string& text,
                                        std::uint32_t n_layers) {
  std::set<std::uint32_t> out;
  const auto number = [&](std::string_view digits) {
    std::uint32_t n = 0;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    if (code != std::errc{} || end != digits.data() + digits.size() || n > n_layers)
      refuse_layers(option, text, n_layers);
    return n;
  };
  const auto add = [&](std::uint32_t first, std::uint32_t last) {
    if (first > last) refuse_layers(option, text, n_layers);
    for (std::uint32_t l = first; l <= last; ++l) out.insert(l);
  };
  if (text.empty() || text.back() == ',') refuse_layers(option, text, n_layers);
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t dash = part.find('-');
    if (part == "all")
      add(0, n_layers);
    else if (part == "last")
      add(n_layers, n_layers);
    else if (dash != std::string::npos)
      add(number(std::string_view(part).substr(0, dash)), number(std::string_view(part).substr(dash + 1)));
    else
      add(number(part), number(part));
  }
  return {out.begin(), out.end()};
}

std::size_t count_states(const record_job& job) {
  std::vector<new_place> places;
  place_list().add(job.rounds().back(), places);
  return places.size();
}

std::string states_to_payload(const record_job& job, const record_key& key,
                              const std::vector<std::uint32_t>& layers, std::uint32_t d_model,
                              std::string_view device) {
  const std::vector<new_place> places = places_of(job);
  const std::size_t D = d_model * sizeof(float);
  std::string values(layers.size() * D, '\0');
  constexpr std::uint64_t besides = 64;  // bytes of a row but for its values
  if (places.size() > (log_file::longest_payload / 2) / (values.size() + besides))
    fail(status::unavailable, "--save-states: record ", key.index, key.set.empty() ? "" : " of ", key.set,
         " is read at ", places.size(), " places; their states at ", layers.size(),
         " layers take more than 512 MiB, which is the most for a record: choose fewer layers");
  entry_writer out(key);
  out.device(device);
  for (const new_place& p : places) {
    const read_request& read = p.in->reads[p.read];
    const std::vector<float>& hidden = p.in->results[p.read]->hidden;
    if (hidden.size() / d_model <= layers.back()) fail(status::internal, "a read has no states");
    for (std::size_t l = 0; l < layers.size(); ++l)
      std::memcpy(values.data() + l * D, hidden.data() + std::size_t{layers[l]} * d_model, D);
    std::array<dlens_value, row_width> row = {number_value(p.sequence),
                                              number_value(read.position),
                                              number_value(p.in->sequences[read.sequence][read.position]),
                                              number_value(p.changed ? 1 : 0),
                                              {DLENS_TEXT, 0, {.i64 = 0}}};
    row.back().as.text = to_text(values);
    out.row(row_name, row.data(), row.size());
  }
  return out.take();
}

saved_state state_of_row(const logged_row& row, std::uint64_t row_bytes) {
  const auto& v = row.values;
  const bool whole =
      row.table == row_name && v.size() == row_width && v.back().type == DLENS_TEXT &&
      std::all_of(v.begin(), v.end() - 1, [](const dlens_value& n) { return n.type == DLENS_I64; });
  if (!whole || to_view(v.back().as.text).size() != row_bytes)
    fail(status::config, "the log of states holds rows of another form; use --fresh");
  return {.sequence = v[0].as.i64,
          .position = v[1].as.i64,
          .token = v[2].as.i64,
          .changed = v[3].as.i64 != 0,
          .values = to_view(v.back().as.text)};
}

}  // namespace depthlens
