// SPDX-License-Identifier: Apache-2.0
// What --save-states keeps of a record: the residual stream at each place that was read for it, at some
// layers, as an entry of a log of its own. States are the model's: no lens and no control changes them.
#pragma once

#include "engine/record_job.hpp"
#include "log/log_entry.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// The layers that a list names, ascending: "all", "last", numbers and ranges as in "0,6,10-12", of a model
// with layers 0..n_layers. Errors: usage, which names the option.
std::vector<std::uint32_t> parse_layers(const std::string& option, const std::string& text,
                                        std::uint32_t n_layers);

// A place whose state is kept.
struct saved_state {
  std::int64_t sequence = 0;  // of those that were read for the record, from 0
  std::int64_t position = 0;  // in it
  std::int64_t token = 0;     // its id
  bool changed = false;       // the experiment changed states of the sequence
  std::string_view values;    // (layers, D) floats, as bytes
};

// How many places the last round of a job asks for whose states are kept: a place that is read twice, or
// that begins alike in two sequences, counts once.
std::size_t count_states(const record_job& job);

// Of a record whose answers are all there, a payload of the log: a row for each place, in the order of
// reading. device: what computed them, "" = nothing was read. Errors: unavailable, where they take more than
// an entry can.
std::string states_to_payload(const record_job& job, const record_key& key,
                              const std::vector<std::uint32_t>& layers, std::uint32_t d_model,
                              std::string_view device);

// A row of such an entry. row_bytes: of the values. Errors: config, for a row of another form.
saved_state state_of_row(const logged_row& row, std::uint64_t row_bytes);

}  // namespace depthlens
