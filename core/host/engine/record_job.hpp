// SPDX-License-Identifier: Apache-2.0
// One record on its way through a study: its rounds of requests, the answers that have come, and the C views
// of both that plan and consume get.
#pragma once

#include "depthlens/abi/experiment.h"
#include "depthlens/data/record.hpp"
#include "engine/evaluator.hpp"
#include "engine/generation.hpp"
#include "engine/lens_slot.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace depthlens {

// The C form of a record; views into the record it was made from.
class record_abi {
 public:
  record_abi(const record& r, std::uint32_t dataset);
  record_abi(const record_abi&) = delete;
  const dlens_record* c() const { return &c_; }

 private:
  std::vector<dlens_pair> fields_;
  std::vector<dlens_word> words_;
  std::vector<dlens_text> options_;
  dlens_record c_{};
};

// Sequences and reads that one call of plan asked for, and their results.
struct round {
  std::vector<std::vector<std::int32_t>> sequences;
  std::vector<std::vector<state_edit>> edits;  // (sequences), or empty: none is changed
  std::vector<read_request> reads;
  std::vector<std::uint32_t> n_top;  // (reads) likeliest tokens that the study asked for
  std::vector<std::shared_ptr<const site_readings>>
      results;  // (reads), set by different threads at different indices
  std::vector<std::shared_ptr<const site_readings>> controls;  // (reads) by the run's control; or empty
  std::vector<generation_request> generations;
  std::vector<std::vector<std::int32_t>> generated;  // (generations), once they are there
};

// What requests are checked against.
struct model_shape {
  std::uint32_t vocab_size, n_layers, d_model, n_lenses;
};

class record_job {
 public:
  record_job(record r, std::uint32_t dataset, std::uint32_t study);

  const record& data() const { return record_; }
  const dlens_record* c_record() const { return c_record_.c(); }
  std::uint32_t dataset() const { return dataset_; }
  std::uint32_t study() const { return study_; }
  std::uint64_t content_hash() const { return content_hash_; }

  // Calls the study's plan for the next round. False: it asked for nothing, the record is complete. What it
  // asks for and cannot be is status::internal.
  bool plan(const dlens_study& study, const model_shape& model);
  round& last_round() { return rounds_.back(); }
  const std::vector<round>& rounds() const { return rounds_; }
  // Keeps the text of a generation of the last round; all of them come before its reads. Returns whether the
  // round is complete, which without reads it is then. finite: it did not end in logits that are not.
  bool receive_text(std::size_t generation, std::vector<std::int32_t> ids, bool finite);
  // Keeps a result of the last round; true for the one that completes it.
  bool receive(std::size_t read, std::shared_ptr<const site_readings> result);
  // The same of what the control reads, where the job waits for that: see wait_for_control.
  bool receive_control(std::size_t read, std::shared_ptr<const site_readings> result);
  // Before its first plan: every read is complete with that of the run's control only.
  void wait_for_control() { controlled_ = true; }
  // Before its reads are computed: their states are kept for the run, see saved_states.hpp.
  void want_states() { wants_states_ = true; }
  bool wants_states() const { return wants_states_; }
  // n_layers: of the model.
  void consume(const dlens_study& study, const std::vector<lens_slot>& lenses, std::uint32_t lens,
               std::uint32_t n_layers, const dlens_sink& sink) const;
  // Are all its readings by a lens finite?
  bool finite(const std::vector<lens_slot>& lenses, std::uint32_t lens) const;
  // The tokens up to the first position that is read as numbers that are not finite.
  std::vector<std::int32_t> not_finite_ids() const;
  void release() { rounds_.clear(); }  // its answers are not needed any more

 private:
  record record_;
  std::uint32_t dataset_, study_;
  std::uint64_t content_hash_;
  record_abi c_record_;
  std::vector<round> rounds_;
  bool controlled_ = false, finite_texts_ = true, wants_states_ = false;
  std::atomic<std::size_t> missing_{0};  // texts and reads of the last round
};

}  // namespace depthlens
