// SPDX-License-Identifier: Apache-2.0
// A backend in this process that reads lenses as the interface says, in double and by its own code, or with
// one fault that a real one could have. Its blocks do nothing but triple the state. For models whose tensors
// are plain F32.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/model/model_files.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

namespace depthlens::test {

enum class fault {
  none,
  no_norm,
  frozen_norm,  // the statistics are those of the last layer
  no_norm_offset,
  no_norm_bias,
  no_head_bias,
  no_epsilon,
  no_softcap,         // in lenses and output
  softcap_of_output,  // the lens alone forgets it
  no_position,
  next_row,       // of the unembedding
  normed_output,  // the last layer is given with the final norm already applied
  not_a_number
};

class faulty_backend {
 public:
  faulty_backend(const model_files& files, fault f) : files_(files), fault_(f) {
    c_.size = sizeof c_;
    c_.self = this;
    c_.lens_create = [](const dlens_model*, std::uint64_t n, const dlens_transport* const* t,
                        dlens_lens** out, dlens_error* e) noexcept {
      return guarded(e, [&] { *out = reinterpret_cast<dlens_lens*>(make_lens(n, t)); });
    };
    c_.lens_destroy = [](const dlens_model*, dlens_lens* l) { delete reinterpret_cast<lens*>(l); };
    c_.forward = [](const dlens_model* m, const dlens_batch* b, std::int32_t* top,
                    const dlens_readings* const* out, dlens_error* e) noexcept {
      return guarded(e, [&] { static_cast<const faulty_backend*>(m->self)->forward(*b, top, out); });
    };
  }
  faulty_backend(const faulty_backend&) = delete;
  const dlens_model* c() const { return &c_; }

 private:
  using row = std::vector<double>;
  struct point {
    std::uint32_t layer;
    row constant;  // empty: the state itself
  };
  using lens = std::vector<point>;

  static lens* make_lens(std::uint64_t n, const dlens_transport* const* transports) {
    auto made = std::make_unique<lens>();
    for (std::uint64_t i = 0; i < n; ++i) {
      const dlens_transport& t = *transports[i];
      if (t.form != DLENS_TRANSPORT_IDENTITY && t.form != DLENS_TRANSPORT_CONSTANT)
        fail(status::internal, "this backend has no such lens");
      made->push_back({t.layer, {}});
      if (t.form == DLENS_TRANSPORT_CONSTANT) made->back().constant.assign(t.b, t.b + 8);
    }
    return made.release();
  }

  row values(const char* name, std::size_t r = 0) const {
    const tensor_view* t = files_.find_tensor(name);
    if (t == nullptr) return {};
    const std::size_t n = t->shape.size() == 2 ? t->shape[1] : t->shape[0];
    std::vector<float> out(n);
    std::memcpy(out.data(), t->data + r * n * sizeof(float), n * sizeof(float));
    return {out.begin(), out.end()};
  }

  row state(std::int32_t token, std::uint32_t layer) const {
    const architecture& a = files_.arch();
    row h = values("embed", static_cast<std::size_t>(token));
    const row position = fault_ == fault::no_position ? row() : values("position", a.position_offset);
    for (std::size_t i = 0; i < h.size(); ++i)
      h[i] = (h[i] * a.embed_scale + (position.empty() ? 0 : position[i])) * std::pow(3.0, layer);
    return h;
  }

  // softcap(unembed norm(h)); frozen: the state whose statistics the norm takes where they are frozen.
  row logits(const row& h, const row& frozen, bool capped) const {
    const architecture& a = files_.arch();
    const auto D = static_cast<double>(h.size());
    const row& from = fault_ == fault::frozen_norm ? frozen : h;
    double mean = 0, square = 0;
    if (a.norm == norm_kind::layer)
      for (const double x : from) mean += x / D;
    for (const double x : from) square += (x - mean) * (x - mean) / D;
    const double root = std::sqrt(square + (fault_ == fault::no_epsilon ? 0 : a.norm_eps));
    const row weight = values("final_norm"), norm_bias = values("final_norm.bias"),
              bias = values("unembed.bias");
    row x = h;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (fault_ == fault::no_norm) continue;
      x[i] = (x[i] - mean) / root * (weight[i] + (fault_ == fault::no_norm_offset ? 0 : a.norm_offset));
      if (!norm_bias.empty() && fault_ != fault::no_norm_bias) x[i] += norm_bias[i];
    }
    row z(a.vocab_size);
    for (std::size_t v = 0; v < z.size(); ++v) {
      const row w = values("unembed", fault_ == fault::next_row ? (v + 1) % z.size() : v);
      for (std::size_t i = 0; i < x.size(); ++i) z[v] += x[i] * w[i];
      if (!bias.empty() && fault_ != fault::no_head_bias) z[v] += bias[v];
      if (capped && a.final_softcap > 0) z[v] = a.final_softcap * std::tanh(z[v] / a.final_softcap);
      if (fault_ == fault::not_a_number && v == 3) z[v] = std::numeric_limits<double>::quiet_NaN();
    }
    return z;
  }

  static row log_softmax(row z) {
    const double top = *std::max_element(z.begin(), z.end());
    double sum = 0;
    for (const double x : z) sum += std::exp(x - top);
    for (double& x : z) x -= top + std::log(sum);
    return z;
  }

  void forward(const dlens_batch& b, std::int32_t* top, const dlens_readings* const* out) const {
    const row last = state(b.tokens[0], files_.arch().n_layers);
    const row final = log_softmax(logits(last, last, fault_ != fault::no_softcap));
    *top = static_cast<std::int32_t>(std::max_element(final.begin(), final.end()) - final.begin());
    for (std::uint32_t i = 0; i < b.n_lenses; ++i) {
      const lens& points = *reinterpret_cast<const lens*>(b.lenses[i]);
      for (std::size_t l = 0; l < points.size(); ++l) {
        row h = points[l].constant.empty() ? state(b.tokens[0], points[l].layer) : points[l].constant;
        const bool last_layer = points[l].layer == files_.arch().n_layers;
        if (fault_ == fault::normed_output && last_layer && points[l].constant.empty())
          for (std::size_t d = 0; d < h.size(); ++d) h[d] *= values("final_norm")[d];
        const bool capped = fault_ != fault::no_softcap && fault_ != fault::softcap_of_output;
        read(b, log_softmax(logits(h, last, capped)), final, *top, l, points.size(), *out[i]);
      }
    }
  }

  static void read(const dlens_batch& b, const row& lp, const row& final, std::int32_t top, std::size_t l,
                   std::size_t L, const dlens_readings& out) {
    for (std::uint32_t k = 0; k < b.target_begin[1]; ++k) {
      const auto target = static_cast<std::size_t>(b.targets[k] < 0 ? top : b.targets[k]);
      out.logprob[k * L + l] = static_cast<float>(lp[target]);
      out.rank[k * L + l] = 1;
      for (const double x : lp) out.rank[k * L + l] += x > lp[target] ? 1 : 0;
    }
    double kl = 0;
    for (std::size_t v = 0; v < lp.size(); ++v) kl += std::exp(final[v]) * (final[v] - lp[v]);
    out.kl[l] = static_cast<float>(kl);
    out.top[l] = static_cast<std::int32_t>(std::max_element(lp.begin(), lp.end()) - lp.begin());
  }

  const model_files& files_;
  fault fault_;
  dlens_model c_{};
};

}  // namespace depthlens::test
