// SPDX-License-Identifier: Apache-2.0
// The backend of fake_backend.hpp as one that streams its weights: three blocks and two stages behind them.
// It fails if a pass comes to a stage that is not loaded whole, or if one is loaded while the stage in its
// place is at work.
#pragma once

#include "host/fake_backend.hpp"

#include <array>
#include <atomic>
#include <memory>

namespace depthlens::test {

class streamed_backend : public fake_backend {
 public:
  static constexpr std::uint32_t n_blocks = 3, n_stages = 5, n_parts = 4;

  streamed_backend(std::uint32_t vocabulary, std::uint32_t pack_tokens, std::uint64_t kept_token_bytes)
      : fake_backend(vocabulary, pack_tokens, kept_token_bytes) {
    info_.stages = n_stages;
    info_.bytes_per_token = 10;
    info_.bytes_per_read = 100;
    c_.forward = nullptr;
    c_.stage_parts = [](const dlens_model*, std::uint32_t) -> std::uint32_t { return n_parts; };
    c_.stage_load = [](const dlens_model* m, std::uint32_t stage, std::uint32_t part,
                       dlens_error* e) noexcept { return guarded(e, [&] { self(m).load(stage, part); }); };
    c_.pass_begin = [](const dlens_model*, const dlens_batch* b, std::int32_t* top,
                       const dlens_readings* const* out, dlens_pass** pass, dlens_error* e) noexcept {
      return guarded(e, [&] { *pass = reinterpret_cast<dlens_pass*>(new pass_state{*b, top, out, 0, {}}); });
    };
    c_.pass_run = [](const dlens_model* m, dlens_pass* pass, std::uint32_t stage, const dlens_prefix* prefix,
                     dlens_prefix** kept, dlens_error* e) noexcept {
      return guarded(e, [&] { self(m).run(*reinterpret_cast<pass_state*>(pass), stage, prefix, kept); });
    };
    c_.pass_end = [](const dlens_model*, dlens_pass* pass) { delete reinterpret_cast<pass_state*>(pass); };
  }

  std::atomic<std::uint64_t> loads{0};

 private:
  struct pass_state {
    dlens_batch batch;
    std::int32_t* top;
    const dlens_readings* const* out;
    std::uint32_t next_stage;
    kept_path continued;
  };

  static streamed_backend& self(const dlens_model* m) {
    return static_cast<streamed_backend&>(fake_backend::self(m));
  }

  void load(std::uint32_t stage, std::uint32_t part) {
    const std::lock_guard lock(stages_);
    if (running_[stage % 2] > 0 && loaded_stage_[stage % 2] != stage)
      fail(status::internal, "stage ", stage, " is loaded over one that is at work");
    if (loaded_stage_[stage % 2] != stage || loaded_parts_[stage % 2] == (1u << n_parts) - 1)
      loaded_parts_[stage % 2] = 0;
    loaded_stage_[stage % 2] = stage;
    loaded_parts_[stage % 2] |= 1u << part;
    ++loads;
  }

  void run(pass_state& pass, std::uint32_t stage, const dlens_prefix* prefix, dlens_prefix** kept) {
    {
      const std::lock_guard lock(stages_);
      if (loaded_stage_[stage % 2] != stage || loaded_parts_[stage % 2] != (1u << n_parts) - 1)
        fail(status::internal, "stage ", stage, " is not loaded");
      ++running_[stage % 2];
    }
    if (stage != pass.next_stage++) fail(status::internal, "stages do not follow each other");
    dlens_batch batch = pass.batch;
    batch.kept = kept;
    if (stage < n_blocks) {
      batch.prefix = prefix;
      if (prefix) pass.continued = *reinterpret_cast<const kept_path*>(prefix);
      if ((kept != nullptr) != (pass.batch.kept != nullptr)) fail(status::internal, "a path is kept, or not");
      if (kept) keep(batch);
    } else if (stage + 1 == n_stages) {
      batch.kept = nullptr;
      batch.prefix =
          pass.continued.ids.empty() ? nullptr : reinterpret_cast<const dlens_prefix*>(&pass.continued);
      forward(batch, pass.top, pass.out);
    }
    const std::lock_guard lock(stages_);
    --running_[stage % 2];
  }

  std::mutex stages_;
  std::array<std::uint32_t, 2> loaded_stage_{~0u, ~0u}, loaded_parts_{};
  std::array<int, 2> running_{};
};

}  // namespace depthlens::test
