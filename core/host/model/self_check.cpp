// SPDX-License-Identifier: Apache-2.0
#include "model/self_check.hpp"

#include "model/non_finite_weights.hpp"
#include "model/probe_run.hpp"
#include "model/readout_reference.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <sstream>

namespace depthlens {
namespace {

constexpr std::array<const char*, 3> check_names{"scale", "readout", "output"};

// What is checked, and against what.
class checker {
 public:
  checker(const model_files& files, const dlens_model* model, const self_check_options& o)
      : files_(files), reference_(files), token_(o.token), r_(run_probes(files, model, o.token)) {
    if (o.precision == "bf16") unit_ = std::ldexp(1.0, -9);
    if (o.precision == "f16" || o.precision == "tf32") unit_ = std::ldexp(1.0, -12);
  }

  // Without a final norm readings are to depend on how large a state is.
  bool applies(const char* name) const { return std::string_view(name) != "scale" || reference_.has_norm(); }

  // Each returns the largest difference seen, in nats.
  double scale() const {
    const std::vector<reference_logit> z = reference_.logits(doubles(r_.noise_100.state), r_.targets);
    double largest = 0;
    for (std::size_t l = 0; l < r_.noise_100.layers.size(); ++l)
      for (std::size_t k = 0; k < r_.targets.size(); ++k) {
        require_number("scale", z[k].value);
        const double once = logprob(r_.noise_100, k, l), tenfold = logprob(r_.noise_1000, k, l);
        const double epsilon = files_.arch().norm_eps * 1e-4 * z[k].absolute_sum;
        if (!(std::abs(once - tenfold) <= epsilon + 2 * tolerance(z[k], once)))
          fail_check("scale", r_.noise_100.layers[l], "a state reads token ", r_.targets[k],
                     " at log-probability ", once, ", ten times that state at ", tenfold,
                     ": the lens does not apply the final norm with the statistics of what it reads");
        largest = std::max(largest, std::abs(once - tenfold));
      }
    return largest;
  }

  double readout() const {
    double largest = 0;
    for (const probe* p : {&r_.noise_1, &r_.noise_100, &r_.noise_1000, &r_.aligned})
      for (std::size_t l = 0; l < p->layers.size(); ++l)
        largest = std::max(largest, compare(*p, l, doubles(p->state), "a given state"));
    return std::max(largest, compare(r_.own, 0, reference_.embedding(token_), "the token's embedding"));
  }

  double output() const {
    const double kl = static_cast<double>(r_.own.kl[1]);
    require_number("output", kl);
    if (r_.own.top[1] != r_.final_top || r_.own.final_top_rank[1] != 1 ||
        !(std::abs(kl) <= (unit_ > 0 ? 1e-2 : 1e-5)))
      fail_check("output", r_.own.layers[1], "the lens has token ", r_.own.top[1],
                 " first, the model's output token ", r_.final_top, ", which the lens ranks ",
                 r_.own.final_top_rank[1], "; KL ", kl,
                 ": at the last layer the lens is not the model's own output");
    return std::abs(kl);
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail_check(const char* name, std::int32_t layer, const Parts&... parts) const {
    if (const std::string weight = non_finite_weight(files_, std::array{token_}); !weight.empty())
      fail(status::data, files_.path().string(), ": the weights give readings that are no numbers at layer ",
           layer, ": ", weight, "; is the file damaged? --skip-check ", name, " reads on all the same");
    fail(status::internal, "self-check \"", name, "\" failed for ", files_.path().string(), " at layer ",
         layer, ": ", parts..., ". Its readings would be wrong; --skip-check ", name,
         " reads on all the same");
  }

  // What the files' own weights give.
  void require_number(const char* name, double value) const {
    if (!std::isfinite(value))
      fail(status::data, files_.path().string(), ": the weights give ", value,
           " where a number is expected: ", non_finite_cause(files_, std::array{token_}),
           "; is the file damaged? --skip-check ", name, " reads on all the same");
  }

  static std::vector<double> doubles(const std::vector<float>& v) { return {v.begin(), v.end()}; }
  static double logprob(const probe& p, std::size_t k, std::size_t l) {
    return static_cast<double>(p.logprob[k * p.layers.size() + l]);
  }

  // Of a log-probability: that of f32 products and sums, of weights and states rounded to the precision.
  double tolerance(const reference_logit& z, double logprob) const {
    const double f32 = std::ldexp(1.0, -24);
    // Roundings of many values average out; those of weights with few values (a quantised file may have the
    // same scale everywhere) may all go one way.
    const double rounded = unit_ * (12 * z.norm + 2 * std::abs(z.value));
    return 2e-5 + 32 * f32 * z.absolute_sum + 4 * f32 * std::abs(logprob) + rounded;
  }

  // Differences of log-probabilities are those of logits.
  double compare(const probe& p, std::size_t l, const std::vector<double>& state, const char* what) const {
    const std::vector<reference_logit> z = reference_.logits(state, r_.targets);
    double largest = 0;
    for (const reference_logit& one : z) require_number("readout", one.value);
    for (std::size_t k = 1; k < z.size(); ++k) {
      const double read = logprob(p, k, l) - logprob(p, 0, l), files = z[k].value - z[0].value;
      if (!(std::abs(read - files) <= tolerance(z[k], logprob(p, k, l)) + tolerance(z[0], logprob(p, 0, l))))
        fail_check("readout", p.layers[l], "of ", what, ", token ", r_.targets[k], " is read ", read,
                   " nats above token ", r_.targets[0], ", by the weights it is ", files,
                   ": norm, biases, unembedding or soft cap are not those of the files");
      largest = std::max(largest, std::abs(read - files));
    }
    return largest;
  }

  const model_files& files_;
  readout_reference reference_;
  std::int32_t token_;
  probe_readings r_;
  double unit_ = 0;  // relative rounding of weights and states; 0: f32
};

}  // namespace

std::vector<std::string> parse_skipped_checks(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream parts(text);
  for (std::string name; std::getline(parts, name, ',');) {
    if (name == "all") return {check_names.begin(), check_names.end()};
    if (std::find(check_names.begin(), check_names.end(), name) == check_names.end())
      fail(status::usage, "--skip-check ", name, ": expected scale, readout, output or all");
    out.push_back(name);
  }
  return out;
}

boost::json::object self_check(const model_files& files, const dlens_model* model,
                               const self_check_options& o) {
  constexpr std::array<double (checker::*)() const, 3> checks{&checker::scale, &checker::readout,
                                                              &checker::output};
  const auto skipped = [&](const char* name) {
    return std::find(o.skipped.begin(), o.skipped.end(), name) != o.skipped.end();
  };
  boost::json::object out;
  std::optional<checker> made;
  for (std::size_t i = 0; i < check_names.size(); ++i) {
    boost::json::object& result = out[check_names[i]].emplace_object();
    result["result"] = skipped(check_names[i]) ? "skipped" : "passed";
    if (skipped(check_names[i])) continue;
    if (!made) made.emplace(files, model, o);
    if (!made->applies(check_names[i])) {
      result["result"] = "not applicable";
      continue;
    }
    result["largest_difference"] = ((*made).*checks[i])();
  }
  return out;
}

}  // namespace depthlens
