// SPDX-License-Identifier: Apache-2.0
#include "model/self_check.hpp"

#include "model/block_check.hpp"
#include "model/model_views.hpp"
#include "model/non_finite_weights.hpp"
#include "model/probe_run.hpp"
#include "model/readout_reference.hpp"
#include "model/stage_loading.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <sstream>

namespace depthlens {
namespace {

constexpr std::array<const char*, 4> check_names{"scale", "readout", "output", "blocks"};
constexpr std::uint32_t streamed_blocks = 9;  // the first ones, which are loaded to be checked

bool is_skipped(const self_check_options& o, const char* name) {
  return std::find(o.skipped.begin(), o.skipped.end(), name) != o.skipped.end();
}

double unit_of(const std::string& precision) {
  if (precision == "bf16") return std::ldexp(1.0, -9);
  return precision == "f16" || precision == "tf32" ? std::ldexp(1.0, -12) : 0;
}

// What is checked, and against what.
class checker {
 public:
  checker(const model_files& files, const dlens_model* model, const self_check_options& o)
      : files_(files), views_(files), reference_(files), ids_{o.token}, unit_(unit_of(o.precision)) {
    probe_request asked{.ids = ids_};
    if (!is_skipped(o, "blocks")) {
      const std::uint32_t some = is_streamed(model) ? streamed_blocks : UINT32_MAX;
      blocks_.emplace(*views_.c(), o.token, block_check_options{.blocks = some, .unit = unit_});
      ids_ = blocks_->ids();
      hidden_ = blocks_->room();
      asked = {.ids = ids_, .blocks = blocks_->blocks_to_run(), .hidden = &hidden_};
    }
    r_ = run_probes(files, model, asked);
  }

  // Each returns what is said of it. Without a final norm readings are to depend on how large a state is.
  boost::json::object scale() const {
    if (!reference_.has_norm()) return {{"result", "not applicable"}};
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
    return passed(largest);
  }

  boost::json::object readout() const {
    double largest = 0;
    for (const probe* p : {&r_.noise_1, &r_.noise_100, &r_.noise_1000, &r_.aligned})
      for (std::size_t l = 0; l < p->layers.size(); ++l)
        largest = std::max(largest, compare(*p, l, doubles(p->state), "a given state"));
    return passed(
        std::max(largest, compare(r_.own, 0, reference_.embedding(ids_[0]), "the token's embedding")));
  }

  boost::json::object output() const {
    const double kl = static_cast<double>(r_.own.kl[1]);
    require_number("output", kl);
    if (r_.own.top[1] != r_.final_top || r_.own.final_top_rank[1] != 1 ||
        !(std::abs(kl) <= (unit_ > 0 ? 1e-2 : 1e-5)))
      fail_check("output", r_.own.layers[1], "the lens has token ", r_.own.top[1],
                 " first, the model's output token ", r_.final_top, ", which the lens ranks ",
                 r_.own.final_top_rank[1], "; KL ", kl,
                 ": at the last layer the lens is not the model's own output");
    return passed(std::abs(kl));
  }

  boost::json::object blocks() const {
    const block_check_result found = blocks_->run(hidden_);
    if (!found.given) return {{"result", "not applicable"}};
    if (const auto& fault = found.fault; fault && fault->not_a_number)
      fail(status::data, files_.path().string(), ": the weights give states that are no numbers at layer ",
           fault->layer, ", ", fault->what, ": ", non_finite_cause(files_, ids_),
           "; is the file damaged? --skip-check blocks reads on all the same");
    if (found.fault) fail_check("blocks", static_cast<std::int32_t>(found.fault->layer), found.fault->what);
    boost::json::object out = passed(found.largest_difference);
    if (found.checked.empty()) out = {{"result", "not applicable"}};
    out["checked"] = boost::json::array(found.checked.begin(), found.checked.end());
    if (!found.not_checked.empty())
      out["not checked"] = boost::json::array(found.not_checked.begin(), found.not_checked.end());
    return out;
  }

 private:
  static boost::json::object passed(double largest_difference) {
    return {{"result", "passed"}, {"largest_difference", largest_difference}};
  }

  template <class... Parts>
  [[noreturn]] void fail_check(const char* name, std::int32_t layer, const Parts&... parts) const {
    if (const std::string weight = non_finite_weight(files_, ids_); !weight.empty())
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
           " where a number is expected: ", non_finite_cause(files_, ids_),
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
  const model_views views_;
  readout_reference reference_;
  std::vector<std::int32_t> ids_;      // (T) of the forward call; the first one is read
  double unit_;                        // relative rounding of weights and states; 0: f32
  std::optional<block_check> blocks_;  // where they are checked
  std::vector<float> hidden_;          // (T, n_layers + 1, D) for that
  probe_readings r_;
};

}  // namespace

std::vector<std::string> parse_skipped_checks(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream parts(text);
  for (std::string name; std::getline(parts, name, ',');) {
    if (name == "all") return {check_names.begin(), check_names.end()};
    if (std::find(check_names.begin(), check_names.end(), name) == check_names.end())
      fail(status::usage, "--skip-check ", name, ": expected scale, readout, output, blocks or all");
    out.push_back(name);
  }
  return out;
}

boost::json::object self_check(const model_files& files, const dlens_model* model,
                               const self_check_options& o) {
  constexpr std::array<boost::json::object (checker::*)() const, 4> checks{
      &checker::scale, &checker::readout, &checker::output, &checker::blocks};
  boost::json::object out;
  std::optional<checker> made;
  for (std::size_t i = 0; i < check_names.size(); ++i) {
    if (is_skipped(o, check_names[i])) {
      out[check_names[i]] = {{"result", "skipped"}};
      continue;
    }
    if (!made) made.emplace(files, model, o);
    out[check_names[i]] = ((*made).*checks[i])();
  }
  return out;
}

}  // namespace depthlens
