// SPDX-License-Identifier: Apache-2.0
// The reduction by ATen's operations, which serves GPUs without kernels of ours, against that of the CPU.
#include "plugins/torch/reduce.hpp"
#include "plugins/torch/own_kernels.hpp"

#include "depthlens/backend/row_measures.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_SUITE(reducers)

namespace {

using namespace depthlens;
using namespace depthlens::torch_backend;

constexpr std::int64_t n_sites = 4, plan_rows = 3, vocabulary = 90, n_best = 5;

// (rows, vocabulary) with many equal logits.
at::Tensor random_logits() {
  at::Tensor z = at::empty({plan_rows * n_sites, vocabulary}, at::kFloat);
  std::uint32_t state = 7;
  for (std::int64_t i = 0; i < z.numel(); ++i) {
    state = state * 1664525 + 1013904223;
    z.mutable_data_ptr<float>()[i] = static_cast<float>(state >> 26) / 4 - 6;
  }
  return z;
}

std::vector<read_site> sites() {
  std::vector<read_site> out(n_sites);
  for (std::uint32_t i = 0; i < n_sites; ++i)
    out[i] = {i, {i}, std::vector<std::int32_t>(i, static_cast<std::int32_t>(20 * i + 9))};
  return out;
}

constexpr std::int64_t tile_widths[] = {40, vocabulary - 40};

void add_tile(const at::Tensor& z, std::int64_t id, std::int64_t width, tile_reducer& reducer) {
  const at::Tensor tile = z.narrow(1, id, width).contiguous();
  reducer.add(tile.narrow(0, 0, n_sites), 0, id, row_kind::final, true);
  reducer.add(tile.narrow(0, n_sites, 2 * n_sites), n_sites, id, row_kind::layer, true);
}

void reduce(const at::Tensor& z, tile_reducer& reducer) {
  std::int64_t id = 0;
  for (const std::int64_t width : tile_widths) add_tile(z, std::exchange(id, id + width), width, reducer);
  reducer.finish();
}

std::vector<top_entry> finals_of(const at::Tensor& z) {
  const at::Tensor largest = z.amax(1);
  std::vector<top_entry> finals;
  for (std::int64_t i = 0; i < n_sites; ++i) finals.push_back({largest.const_data_ptr<float>()[i], 0});
  return finals;
}

// Knows finals and targets as those of readout_stack do.
struct prepared_table : row_table {
  prepared_table(const at::Tensor& z, const std::vector<read_site>& at)
      : row_table(at, plan_rows, n_best, finals_of(z)) {
    for (const site_target& place : site_targets(at))
      take_target(place, {z.const_data_ptr<float>(), vocabulary, 0, plan_rows * n_sites},
                  static_cast<std::size_t>(place.id));
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_reduction_by_aten_finds_what_the_kernels_of_the_cpu_find) {
  const at::Tensor z = random_logits();
  const std::vector<read_site> at = sites();
  prepared_table by_aten(z, at), by_kernel(z, at);
  reduce(z, *make_aten_reducer(by_aten, at::kCPU));
  reduce(z, *make_reducer(by_kernel, at::kCPU));
  for (std::size_t r = 0; r < by_kernel.states.size(); ++r) {
    const row_state &a = by_aten.states[r], &k = by_kernel.states[r];
    BOOST_TEST(a.maximum == k.maximum);
    BOOST_TEST(log_sum(a) == log_sum(k), boost::test_tools::tolerance(1e-5));
    BOOST_TEST(entropy_of(a) == entropy_of(k), boost::test_tools::tolerance(1e-4));
    if (r >= n_sites)
      BOOST_TEST(kl_of(a, by_aten.states[r % n_sites]) == kl_of(k, by_kernel.states[r % n_sites]),
                 boost::test_tools::tolerance(1e-4));
    for (std::uint32_t t = 0; t < k.n_targets; ++t) {
      BOOST_TEST(a.targets[t].above == k.targets[t].above);
      BOOST_TEST(a.targets[t].equal == k.targets[t].equal);
      BOOST_TEST(k.targets[t].equal > 0u);
    }
    BOOST_REQUIRE(a.n_top == k.n_top);
    for (std::uint32_t j = 0; j < k.n_top; ++j) BOOST_TEST(a.top[j].id == k.top[j].id);
  }
}

BOOST_AUTO_TEST_CASE(the_cpu_has_no_kernels_for_gpus) { BOOST_TEST(!has_own_kernels(at::kCPU)); }

// As where the tiles are not in memory at once.
BOOST_AUTO_TEST_CASE(a_reduction_that_another_one_goes_on_with_gives_the_same_bits) {
  const at::Tensor z = random_logits();
  const std::vector<read_site> at = sites();
  prepared_table whole(z, at), halves(z, at);
  reduce(z, *make_aten_reducer(whole, at::kCPU));
  std::int64_t id = 0;
  for (const std::int64_t width : tile_widths) {
    const auto reducer = make_aten_reducer(halves, at::kCPU);
    add_tile(z, std::exchange(id, id + width), width, *reducer);
    reducer->finish();
  }
  for (std::size_t r = 0; r < whole.states.size(); ++r) {
    const row_state &a = whole.states[r], &b = halves.states[r];
    BOOST_TEST(
        (a.maximum == b.maximum && a.sum == b.sum && a.weighted == b.weighted && a.crossed == b.crossed));
    BOOST_TEST(a.n_top == b.n_top);
    for (std::uint32_t t = 0; t < a.n_targets; ++t)
      BOOST_TEST((a.targets[t].above == b.targets[t].above && a.targets[t].equal == b.targets[t].equal));
    for (std::uint32_t j = 0; j < a.n_top; ++j)
      BOOST_TEST((a.top[j].logit == b.top[j].logit && a.top[j].id == b.top[j].id));
  }
}

BOOST_AUTO_TEST_SUITE_END()
