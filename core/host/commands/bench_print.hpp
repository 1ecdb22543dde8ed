// SPDX-License-Identifier: Apache-2.0
// What `depthlens bench` found, as one JSON object or as a table for a terminal.
#pragma once

#include "commands/bench_agreement.hpp"
#include "commands/bench_work.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace depthlens {

struct bench_report {
  std::string model, backend, device, precision, weights_form;
  unsigned threads = 1;
  std::size_t prompts = 0;
  std::uint64_t rows_of_a_read = 0;                         // of logits
  double files = 0, tokenizer = 0, weights = 0, check = 0;  // seconds of loading
  std::vector<bench_pass> passes;                           // one for each repeat
  // Flop per second that plain products reach, by precision; empty where the backend cannot say.
  std::vector<std::pair<std::string, std::optional<double>>> product_rates;
  std::uint64_t weight_bytes = 0, peak_bytes = 0;
  std::string against;                     // another precision; empty = nothing is compared
  std::vector<layer_agreement> agreement;  // with it

  double load() const { return files + tokenizer + weights + check; }
  const bench_pass& fastest() const;
  // useful flop per second / rate of plain products of this precision
  std::optional<double> share() const;
};

// One line. Rates are those of the fastest pass.
std::string bench_json(const bench_report& r);
std::string bench_table(const bench_report& r);

}  // namespace depthlens
