// SPDX-License-Identifier: Apache-2.0
// A backend in this process whose "readings" are numbers drawn from a hash of the token path, the layer, the
// lens and the target: whoever asks for a reading in whatever company must get the same ones, and a test can
// work them out.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/base/abi_error.hpp"
#include "engine/evaluator.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace depthlens::test {

inline std::uint64_t mix(std::uint64_t h, std::uint64_t v) {
  h ^= v + 0x9E3779B97F4A7C15U + (h << 6) + (h >> 2);
  h *= 0xFF51AFD7ED558CCDU;
  return h ^ (h >> 33);
}

inline std::uint64_t path_hash(std::span<const std::int32_t> ids) {
  std::uint64_t h = 1;
  for (const std::int32_t id : ids) h = mix(h, static_cast<std::uint64_t>(id));
  return h;
}

// Of a path in a sequence of the long form, whose states are others.
inline std::uint64_t of_form(std::uint64_t path, bool is_long) { return is_long ? mix(path, 77) : path; }

struct fake_lens {
  std::uint64_t salt;
  std::vector<std::int32_t> layers;
};

class fake_backend {
 public:
  // kept_token_bytes: 0 = it keeps no prefixes.
  explicit fake_backend(std::uint32_t vocabulary, std::uint32_t pack_tokens = 64,
                        std::uint64_t kept_token_bytes = 0)
      : vocabulary_(vocabulary) {
    info_ = {.size = sizeof info_,
             .pack_tokens = pack_tokens,
             .weights = "none",
             .device = "fake",
             .prefix_bytes_per_token = kept_token_bytes};
    if (kept_token_bytes > 0)
      c_.prefix_release = [](const dlens_model* m, dlens_prefix* p) {
        auto* kept = reinterpret_cast<kept_path*>(p);
        self(m).kept_tokens -= kept->own;
        delete kept;
      };
    c_.size = sizeof c_;
    c_.self = this;
    c_.info = [](const dlens_model* m) -> const dlens_model_info* { return &self(m).info_; };
    c_.forward = [](const dlens_model* m, const dlens_batch* b, std::int32_t* top,
                    const dlens_readings* const* out,
                    dlens_error* e) noexcept { return guarded(e, [&] { self(m).forward(*b, top, out); }); };
  }
  fake_backend(const fake_backend&) = delete;

  const dlens_model* c() const { return &c_; }
  void advise_calls(std::uint32_t n) { info_.calls = n; }
  // As one that was built before the interface had that field.
  void leave_out_calls() { info_.size = offsetof(dlens_model_info, calls); }
  static active_lens active(const fake_lens& lens) {
    return {reinterpret_cast<const dlens_lens*>(&lens), static_cast<std::uint32_t>(lens.layers.size())};
  }

  // The values of a reading, from the path's hash.
  std::int32_t final_top(std::uint64_t path) const {
    return static_cast<std::int32_t>(mix(path, 11) % vocabulary_);
  }
  std::uint32_t rank(std::uint64_t path, const fake_lens& lens, std::size_t l, std::int32_t target) const {
    return 1 + static_cast<std::uint32_t>(mix(at(path, lens, l), static_cast<std::uint64_t>(target)) %
                                          vocabulary_);
  }
  static float entropy(std::uint64_t path, const fake_lens& lens, std::size_t l) {
    return static_cast<float>(mix(at(path, lens, l), 5) % 1000003) / 1000.0F;
  }
  std::int32_t guess(std::uint64_t path, const fake_lens& lens, std::size_t l) const {
    return static_cast<std::int32_t>(mix(at(path, lens, l), 7) % vocabulary_);
  }

  ~fake_backend() {
    if (kept_tokens != 0) std::abort();  // a path that nobody released
  }

  std::function<void()> on_forward = [] {};  // [any thread] may throw
  std::int32_t poison = -1;                  // a token behind which no reading is a number; -1 = none
  std::atomic<std::uint64_t> kept_tokens{0}, most_kept_tokens{0}, packs_with_prefix{0};
  std::atomic<std::uint64_t> forwards{0}, tokens{0}, reads{0};
  std::mutex guard;
  std::multiset<std::uint64_t> read_paths;  // of all positions read
  std::set<const dlens_lens*> lenses_used;

 protected:
  static fake_backend& self(const dlens_model* m) { return *static_cast<fake_backend*>(m->self); }
  static std::uint64_t at(std::uint64_t path, const fake_lens& lens, std::size_t l) {
    return mix(mix(path, lens.salt), static_cast<std::uint64_t>(lens.layers[l]));
  }

  struct kept_path {
    std::vector<std::int32_t> ids;  // from the root
    bool is_long;                   // of a sequence of the long form
    std::uint64_t own;              // tokens that are not in the path it continues
  };

  // The ids from the root to a token of the pack; checks what a pack promises.
  static std::vector<std::int32_t> path(const dlens_batch& b, std::uint32_t token,
                                        std::size_t* above = nullptr) {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(b.position[token]) + 1);
    std::size_t n = ids.size();
    for (auto t = static_cast<std::int32_t>(token); t >= 0; t = b.parent[t]) {
      if (n == 0) fail(status::internal, "a token has more ancestors than its position says");
      ids[--n] = b.tokens[t];
      if (b.parent[t] >= t) fail(status::internal, "a parent does not precede its child");
      if (is_long(b, static_cast<std::uint32_t>(t)) != is_long(b, token))
        fail(status::internal, "an ancestor is of another form");
    }
    const auto* prefix = reinterpret_cast<const kept_path*>(b.prefix);
    if (n > 0 && prefix && prefix->is_long != is_long(b, token))
      fail(status::internal, "a prefix is of another form");
    if (n > (prefix ? prefix->ids.size() : 0))
      fail(status::internal, "a token has fewer ancestors than its position says");
    if (n > 0) std::copy_n(prefix->ids.begin(), n, ids.begin());
    if (above) *above = n;
    return ids;
  }

  static bool is_long(const dlens_batch& b, std::uint32_t token) {
    return b.rope_long && b.rope_long[token] != 0;
  }

  void keep(const dlens_batch& b) {
    std::size_t above = 0;
    auto kept = std::make_unique<kept_path>();
    kept->ids = path(b, b.keep_token, &above);
    kept->own = kept->ids.size() - above;
    kept->is_long = is_long(b, b.keep_token);
    const std::uint64_t now = kept_tokens += kept->own;
    const std::lock_guard lock(guard);
    if (now > most_kept_tokens) most_kept_tokens = now;
    *b.kept = reinterpret_cast<dlens_prefix*>(kept.release());
  }

  void forward(const dlens_batch& b, std::int32_t* top, const dlens_readings* const* out) {
    on_forward();
    ++forwards;
    tokens += b.n_tokens;
    reads += b.n_reads;
    packs_with_prefix += b.prefix ? 1 : 0;
    for (std::uint32_t p = 0; p < b.n_reads; ++p) {
      const std::uint64_t hash = of_form(path_hash(path(b, b.read_token[p])), is_long(b, b.read_token[p]));
      top[p] = final_top(hash);
      const std::vector<std::int32_t> ids = path(b, b.read_token[p]);
      if (poison >= 0 && std::find(ids.begin(), ids.end(), poison) != ids.end()) {
        top[p] = 0;
        for (std::uint32_t i = 0; i < b.n_lenses; ++i)
          spoil(b, p, *reinterpret_cast<const fake_lens*>(b.lenses[i]), *out[i]);
        continue;
      }
      for (std::uint32_t i = 0; i < b.n_lenses; ++i)
        read(b, p, hash, *reinterpret_cast<const fake_lens*>(b.lenses[i]), *out[i]);
      const std::lock_guard lock(guard);
      read_paths.insert(hash);
    }
    if (b.kept) keep(b);
    const std::lock_guard lock(guard);
    lenses_used.insert(b.lenses, b.lenses + b.n_lenses);
  }

  static void spoil(const dlens_batch& b, std::uint32_t p, const fake_lens& lens, const dlens_readings& out) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::size_t L = lens.layers.size();
    for (std::size_t l = 0; l < L; ++l) {
      for (std::uint32_t k = b.target_begin[p]; k < b.target_begin[p + 1]; ++k) {
        out.rank[k * L + l] = 1, out.ties[k * L + l] = 0;
        out.logprob[k * L + l] = nan;
      }
      out.entropy[p * L + l] = out.kl[p * L + l] = nan;
      for (std::uint32_t t = 0; t < b.top_k; ++t) {
        out.top[(p * L + l) * b.top_k + t] = static_cast<std::int32_t>(t);
        out.top_logprob[(p * L + l) * b.top_k + t] = nan;
      }
    }
  }

  void read(const dlens_batch& b, std::uint32_t p, std::uint64_t hash, const fake_lens& lens,
            const dlens_readings& out) {
    const std::size_t L = lens.layers.size();
    for (std::size_t l = 0; l < L; ++l) {
      for (std::uint32_t k = b.target_begin[p]; k < b.target_begin[p + 1]; ++k) {
        const std::int32_t target = b.targets[k] < 0 ? final_top(hash) : b.targets[k];
        const std::uint32_t r = rank(hash, lens, l, target);
        out.rank[k * L + l] = r;
        out.ties[k * L + l] = r % 3;
        out.logprob[k * L + l] = -static_cast<float>(r) / 7.0F;
      }
      out.entropy[p * L + l] = entropy(hash, lens, l);
      out.kl[p * L + l] = entropy(hash, lens, l) / 3.0F;
      for (std::uint32_t t = 0; t < b.top_k; ++t) {
        out.top[(p * L + l) * b.top_k + t] = static_cast<std::int32_t>(
            (guess(hash, lens, l) + static_cast<std::int32_t>(t)) % static_cast<std::int32_t>(vocabulary_));
        out.top_logprob[(p * L + l) * b.top_k + t] = -1.0F - static_cast<float>(t);
      }
    }
  }

  dlens_model_info info_{};
  dlens_model c_{};

 private:
  std::uint32_t vocabulary_;
};

}  // namespace depthlens::test
