// SPDX-License-Identifier: Apache-2.0
// The KL of two models over the whole vocabulary: what a direct sum says, in each way, and its limits.
#include "model/vocabulary_divergence.hpp"

#include "host/made_model.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <numeric>

using namespace depthlens;
using namespace depthlens::test;

BOOST_AUTO_TEST_SUITE(vocabulary_divergence)

namespace {

const std::atomic<bool> never{false};

// A family's model whose weights are waves of that step.
made_model model_of(const family_model& m, double step) {
  return made_model(m, [step](std::size_t i) { return std::sin(step * static_cast<double>(i * i % 997)); });
}

std::vector<float> wave(std::size_t D, double step) {
  std::vector<float> out;
  for (std::size_t i = 0; i < D; ++i)
    out.push_back(static_cast<float>(3 * std::sin(step * static_cast<double>(i + 1))));
  return out;
}

std::vector<long double> logprobs(const model_files& files, const std::vector<float>& h) {
  std::vector<std::int32_t> tokens(files.arch().vocab_size);
  std::iota(tokens.begin(), tokens.end(), 0);
  std::vector<long double> out;
  long double mass = 0;
  for (const reference_logit& z :
       readout_reference(files).logits(std::vector<double>(h.begin(), h.end()), tokens))
    mass += std::exp(out.emplace_back(z.value));
  for (long double& z : out) z -= std::log(mass);
  return out;
}

double direct_kl(const std::vector<long double>& p, const std::vector<long double>& q) {
  long double sum = 0;
  for (std::size_t t = 0; t < p.size(); ++t) sum += std::exp(p[t]) * (p[t] - q[t]);
  return static_cast<double>(sum);
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_family_agrees_with_a_direct_sum_in_both_ways) {
  for (const family_model& m : family_models()) {
    BOOST_TEST_CONTEXT(m.name) {
      const made_model a = model_of(m, 0.7), b = model_of(m, 0.9);
      const std::size_t D = a.files.arch().d_model;
      const std::vector<std::vector<float>> states = {wave(D, 0.3), wave(D, 1.1)},
                                            others = {wave(D, 0.35), wave(D, 2.3)};
      const std::vector<divergence> found = divergences(
          readout_reference(a.files), std::vector<std::span<const float>>(states.begin(), states.end()),
          readout_reference(b.files), std::vector<std::span<const float>>(others.begin(), others.end()),
          a.files.arch().vocab_size, never);
      BOOST_REQUIRE(found.size() == 2U);
      for (std::size_t r = 0; r < 2; ++r) {
        const auto p = logprobs(a.files, states[r]), q = logprobs(b.files, others[r]);
        BOOST_TEST(found[r].forward > 1e-3);
        BOOST_TEST(std::abs(found[r].forward - direct_kl(p, q)) < 1e-11);
        BOOST_TEST(std::abs(found[r].reverse - direct_kl(q, p)) < 1e-11);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_same_state_of_the_same_model_is_at_no_distance_and_none_is_below_zero) {
  const made_model a = model_of(gpt2_model(), 0.7);
  const std::vector<float> h = wave(a.files.arch().d_model, 0.3);
  std::vector<float> nearly = h;
  nearly[0] = std::nextafter(nearly[0], 9.0f);
  const readout_reference readout(a.files);
  const std::vector<std::span<const float>> states = {h, h}, others = {h, nearly};
  const auto found = divergences(readout, states, readout, others, a.files.arch().vocab_size, never);
  BOOST_TEST(found[0].forward == 0);
  BOOST_TEST(found[0].reverse == 0);
  BOOST_TEST(found[1].forward >= 0);
  BOOST_TEST(found[1].forward < 1e-10);
}

BOOST_AUTO_TEST_CASE(a_state_that_is_not_finite_gives_no_number) {
  const made_model a = model_of(gpt2_model(), 0.7);
  const std::vector<float> h = wave(a.files.arch().d_model, 0.3);
  std::vector<float> broken = h;
  broken[1] = std::numeric_limits<float>::infinity();
  const readout_reference readout(a.files);
  const std::vector<std::span<const float>> states = {h, broken}, others = {broken, h};
  for (const divergence& d :
       divergences(readout, states, readout, others, a.files.arch().vocab_size, never)) {
    BOOST_TEST(std::isnan(d.forward));
    BOOST_TEST(std::isnan(d.reverse));
  }
}

BOOST_AUTO_TEST_SUITE_END()
