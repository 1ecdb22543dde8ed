// SPDX-License-Identifier: Apache-2.0
#include "engine/record_job.hpp"

#include "depthlens/base/abi_error.hpp"
#include "engine/round_request.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

namespace depthlens {

record_abi::record_abi(const record& r, std::uint32_t dataset) {
  for (const auto& [key, value] : r.fields) fields_.push_back({to_text(key), to_text(value)});
  for (const tagged_word& w : r.words)
    words_.push_back({w.begin, w.end, to_text(w.tag), w.in_multiword_tail ? 1u : 0u});
  for (const std::string& option : r.options) options_.push_back(to_text(option));
  c_ = {.size = sizeof c_,
        .dataset = dataset,
        .index = r.index,
        .fields = fields_.data(),
        .n_fields = fields_.size(),
        .words = words_.data(),
        .n_words = words_.size(),
        .options = options_.data(),
        .n_options = options_.size(),
        .left_out = to_text(r.left_out)};
}

namespace {

// What plan may go by.
class tops_state {
 public:
  explicit tops_state(const std::vector<round>& rounds) : rounds_(rounds) {
    c_ = {sizeof c_, static_cast<std::uint32_t>(rounds.size()), this, &final_top, &generated};
  }
  tops_state(const tops_state&) = delete;
  const dlens_tops* c() const { return &c_; }

 private:
  static std::int32_t final_top(const dlens_tops* t, std::uint32_t round, std::uint32_t read) noexcept {
    const std::vector<struct round>& rounds = static_cast<const tops_state*>(t->self)->rounds_;
    if (round >= rounds.size() || read >= rounds[round].results.size() || !rounds[round].results[read])
      return -1;
    return rounds[round].results[read]->final_top;
  }
  static dlens_status generated(const dlens_tops* t, std::uint32_t round, std::uint32_t number,
                                const std::int32_t** ids, std::uint64_t* n, dlens_error* e) noexcept {
    return guarded(e, [&] {
      const std::vector<struct round>& rounds = static_cast<const tops_state*>(t->self)->rounds_;
      if (round >= rounds.size() || number >= rounds[round].generated.size())
        fail(status::usage, "round ", round, " has no generation ", number);
      *ids = rounds[round].generated[number].data();
      *n = rounds[round].generated[number].size();
    });
  }
  const std::vector<round>& rounds_;
  dlens_tops c_{};
};

// Builds the readings of a lens on demand and keeps them for the length of one consume call.
class answers_state {
 public:
  answers_state(const std::vector<round>& rounds, const lens_slot& lens, std::size_t n_states)
      : rounds_(rounds),
        lens_(lens),
        n_states_(n_states),
        last_layer_{static_cast<std::int32_t>(n_states) - 1},
        tops_(rounds) {
    c_ = {sizeof c_, 0, tops_.c(), this, &reading};
  }
  const dlens_answers* c() const { return &c_; }

 private:
  struct view {
    std::vector<std::int32_t> targets;
    std::vector<const std::uint32_t*> rank, ties;
    std::vector<const float*> logprob;
    std::vector<std::int32_t> guess;
    std::vector<const std::int32_t*> top;
    std::vector<const float*> top_logprob, hidden;
    dlens_reading c;
  };

  static dlens_status reading(const dlens_answers* a, std::uint32_t round, std::uint32_t read,
                              const dlens_reading** out, dlens_error* e) noexcept {
    return guarded(e, [&] { *out = static_cast<const answers_state*>(a->self)->make(round, read); });
  }

  const dlens_reading* make(std::uint32_t r, std::uint32_t read) const {
    if (r >= rounds_.size() || read >= rounds_[r].reads.size())
      fail(status::usage, "round ", r, " has no read ", read);
    const read_request& asked = rounds_[r].reads[read];
    const auto& from = lens_.of_control ? rounds_[r].controls : rounds_[r].results;
    if ((lens_.result < 0 && !asked.output_only) || !rounds_[r].results[read] || !from[read])
      fail(status::internal, "round ", r, ", read ", read, ": there are no readings");
    const auto [at, fresh] = views_.try_emplace(std::pair(r, read));
    view& out = at->second;
    if (!fresh) return &out.c;
    const std::int32_t final_top = rounds_[r].results[read]->final_top;
    const site_readings& site = *from[read];
    const lens_reading& result = site.lenses[asked.output_only ? 0 : static_cast<std::size_t>(lens_.result)];
    const std::vector<std::int32_t>& layers = asked.output_only ? last_layer_ : lens_.layers;
    const std::size_t L = layers.size();
    for (const std::int32_t target : asked.targets) {
      // What a control reads are ids, see control_batch.hpp.
      const std::int32_t wanted = target < -1 ? rounds_[r].results[read_of_target(target)]->final_top
                                  : lens_.of_control && target == -1 ? final_top
                                                                     : target;
      const auto k = static_cast<std::size_t>(
          std::lower_bound(site.targets.begin(), site.targets.end(), wanted) - site.targets.begin());
      out.targets.push_back(wanted < 0 ? final_top : wanted);
      out.rank.push_back(result.rank.data() + k * L);
      out.ties.push_back(result.ties.data() + k * L);
      out.logprob.push_back(result.logprob.data() + k * L);
    }
    const std::uint32_t n_top = rounds_[r].n_top[read];
    for (std::size_t l = 0; l < L; ++l) {
      out.guess.push_back(result.top[l * site.top_k]);
      if (n_top == 0) continue;
      out.top.push_back(result.top.data() + l * site.top_k);
      out.top_logprob.push_back(result.top_logprob.data() + l * site.top_k);
    }
    if (asked.hidden) {
      const std::vector<float>& hidden = rounds_[r].results[read]->hidden;
      const std::size_t width = hidden.size() / n_states_;
      for (std::size_t l = 0; l < n_states_; ++l) out.hidden.push_back(hidden.data() + l * width);
    }
    out.c = {.size = sizeof(dlens_reading),
             .n_layers = static_cast<std::uint32_t>(L),
             .n_targets = static_cast<std::uint32_t>(out.targets.size()),
             .final_top = final_top,
             .layers = layers.data(),
             .targets = out.targets.data(),
             .rank = out.rank.data(),
             .ties = out.ties.data(),
             .logprob = out.logprob.data(),
             .entropy = result.entropy.data(),
             .kl = result.kl.data(),
             .guess = out.guess.data(),
             .n_top = n_top,
             .reserved = 0,
             .top = n_top > 0 ? out.top.data() : nullptr,
             .top_logprob = n_top > 0 ? out.top_logprob.data() : nullptr,
             .hidden = out.hidden.empty() ? nullptr : out.hidden.data()};
    return &out.c;
  }

  const std::vector<round>& rounds_;
  const lens_slot& lens_;
  const std::size_t n_states_;                  // layers 0..n of the model
  const std::vector<std::int32_t> last_layer_;  // n, of reads that are of the output alone
  const tops_state tops_;
  mutable std::map<std::pair<std::uint32_t, std::uint32_t>, view> views_;
  dlens_answers c_{};
};

}  // namespace

record_job::record_job(record r, std::uint32_t dataset, std::uint32_t study)
    : record_(std::move(r)),
      dataset_(dataset),
      study_(study),
      content_hash_(record_.content_hash()),
      c_record_(record_, dataset) {}

bool record_job::plan(const dlens_study& study, const model_shape& model) {
  if (!record_.left_out.empty()) return false;
  round next;
  round_request request(next, model);
  const tops_state tops(rounds_);
  try {
    checked_call(study.plan, &study, c_record(), tops.c(), request.c());
  } catch (const error& e) {
    if (request.refused().empty()) throw;
    fail(status::internal, request.refused());
  }
  request.complete();
  if (next.reads.empty() && next.generations.empty()) return false;
  if (rounds_.size() == DLENS_MOST_ROUNDS)
    fail(status::internal, "it asks for more than ", DLENS_MOST_ROUNDS, " rounds and does not stop");
  next.results.resize(next.reads.size());
  next.generated.resize(next.generations.size());
  if (controlled_) next.controls.resize(next.reads.size());
  missing_ = next.reads.size() + next.controls.size() + next.generations.size();
  rounds_.push_back(std::move(next));
  return true;
}

bool record_job::receive_text(std::size_t generation, std::vector<std::int32_t> ids, bool finite) {
  finite_texts_ = finite_texts_ && finite;
  rounds_.back().generated[generation] = std::move(ids);
  return --missing_ == 0;
}

bool record_job::receive(std::size_t read, std::shared_ptr<const site_readings> result) {
  rounds_.back().results[read] = std::move(result);
  return --missing_ == 0;
}

bool record_job::receive_control(std::size_t read, std::shared_ptr<const site_readings> result) {
  rounds_.back().controls[read] = std::move(result);
  return --missing_ == 0;
}

bool record_job::finite(const std::vector<lens_slot>& lenses, std::uint32_t lens) const {
  if (lenses[lens].result < 0) return true;
  if (!finite_texts_) return false;
  const auto at = static_cast<std::size_t>(lenses[lens].result);
  for (const round& r : rounds_)
    for (std::size_t i = 0; i < r.results.size(); ++i)
      if (const auto& site = lenses[lens].of_control ? r.controls[i] : r.results[i];
          site && !site->lenses[r.reads[i].output_only ? 0 : at].finite)
        return false;
  return true;
}

std::vector<std::int32_t> record_job::not_finite_ids() const {
  for (const round& r : rounds_)
    for (std::size_t i = 0; i < r.reads.size(); ++i) {
      if (!r.results[i]) continue;
      for (const lens_reading& lens : r.results[i]->lenses) {
        if (lens.finite) continue;
        const std::vector<std::int32_t>& ids = r.sequences[r.reads[i].sequence];
        return {ids.begin(), ids.begin() + r.reads[i].position + 1};
      }
    }
  // A text that broke off: its prompt.
  for (const round& r : rounds_)
    if (!r.generations.empty()) return r.generations.front().ids;
  return {};
}

void record_job::consume(const dlens_study& study, const std::vector<lens_slot>& lenses, std::uint32_t lens,
                         std::uint32_t n_layers, const dlens_sink& sink) const {
  const answers_state answers(rounds_, lenses[lens], n_layers + std::size_t{1});
  checked_call(study.consume, &study, c_record(), answers.c(), lens, &sink);
}

}  // namespace depthlens
