// SPDX-License-Identifier: Apache-2.0
// The reduction that GPUs run, its lanes taken in turn on the host, against that of the cpu backend.
#include "../../plugins/torch/reduce_block.hpp"
#include "plugins/kernels/reduce.hpp"

#include "depthlens/backend/row_measures.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

BOOST_AUTO_TEST_SUITE(torch_reduce)

namespace {

using namespace depthlens;
using namespace depthlens::torch_backend;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();

// Phases lane by lane, from the last lane to the first where `backwards`.
class host_block {
 public:
  template <class T>
  struct own {
    T& operator[](int lane) { return values[static_cast<std::size_t>(lane)]; }
    std::vector<T> values = std::vector<T>(block_lanes);
  };
  explicit host_block(bool backwards) : backwards_(backwards) {}
  block_memory& memory() { return *memory_; }
  template <class Phase>
  void each(const Phase& phase) {
    for (int i = 0; i < block_lanes; ++i) phase(backwards_ ? block_lanes - 1 - i : i);
  }

 private:
  bool backwards_;
  std::unique_ptr<block_memory> memory_ = std::make_unique<block_memory>();
};

// A row's state with room for what it points to.
struct reduced {
  explicit reduced(const std::vector<float>& wanted, std::uint32_t top_k, float maximum = -infinity)
      : top(top_k, {-infinity, 0}) {
    for (const float z : wanted) targets.push_back({z, 0, 0});
    row.targets = targets.data();
    row.n_targets = static_cast<std::uint32_t>(targets.size());
    row.top = top.data();
    row.top_k = top_k;
    row.maximum = maximum;
  }
  reduced(const reduced&) = delete;

  std::vector<target_state> targets;
  std::vector<top_entry> top;
  row_state row;
};

void reduce_as_gpu(const std::vector<float>& z, row_kind kind, std::vector<float>& weights, row_state& row,
                   std::size_t width = segment_values, bool backwards = false) {
  host_block block(backwards);
  for (std::size_t at = 0; at < z.size(); at += width) {
    const std::size_t n = std::min(width, z.size() - at);
    reduce_segment(block,
                   {.logits = z.data() + at,
                    .n = static_cast<std::int64_t>(n),
                    .first_id = static_cast<std::int32_t>(at),
                    .kind = kind,
                    .final_weights = weights.data() + at},
                   row);
  }
}

void reduce_as_cpu(const std::vector<float>& z, row_kind kind, std::vector<float>& weights, row_state& row) {
  constexpr std::size_t width = 960;
  for (std::size_t at = 0; at < z.size(); at += width) {
    const std::size_t n = std::min(width, z.size() - at);
    cpu::baseline::reduce_tile({.logits = z.data() + at,
                                .n = n,
                                .first_id = static_cast<std::int32_t>(at),
                                .kind = kind,
                                .final_weights = weights.data() + at},
                               row);
  }
}

std::vector<float> random_row(std::size_t n, float spread, std::uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> noise(-2, spread);
  std::vector<float> z(n);
  for (float& x : z) x = noise(bits);
  return z;
}

bool close(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || a == b || std::abs(a - b) <= 2e-6 + 1e-6 * std::abs(b);
}

void check_counts_and_top(const reduced& got, const reduced& want) {
  for (std::size_t k = 0; k < want.targets.size(); ++k) {
    BOOST_TEST(got.targets[k].above == want.targets[k].above);
    BOOST_TEST(got.targets[k].equal == want.targets[k].equal);
  }
  BOOST_REQUIRE(got.row.n_top == want.row.n_top);
  std::size_t wrong = 0;
  for (std::size_t j = 0; j < want.row.n_top; ++j)
    wrong += got.top[j].id == want.top[j].id && got.top[j].logit == want.top[j].logit ? 0 : 1;
  BOOST_TEST(wrong == 0u);
}

// A row and the final row `last` through both: counts and top equal, measures close.
void check_row(const std::vector<float>& z, const std::vector<float>& last, std::uint32_t top_k) {
  const float highest = *std::max_element(last.begin(), last.end());
  const std::vector<float> wanted{z[0], z[z.size() / 2], z.back()};
  std::vector<float> gpu_weights(z.size()), cpu_weights(z.size());
  reduced gpu_final(wanted, top_k, highest), cpu_final(wanted, top_k, highest);
  reduced gpu(wanted, top_k), cpu(wanted, top_k);
  reduce_as_gpu(last, row_kind::final, gpu_weights, gpu_final.row);
  reduce_as_cpu(last, row_kind::final, cpu_weights, cpu_final.row);
  reduce_as_gpu(z, row_kind::layer, gpu_weights, gpu.row);
  reduce_as_cpu(z, row_kind::layer, cpu_weights, cpu.row);
  check_counts_and_top(gpu, cpu);
  check_counts_and_top(gpu_final, cpu_final);
  BOOST_TEST(close(log_sum(gpu.row), log_sum(cpu.row)));
  BOOST_TEST(close(entropy_of(gpu.row), entropy_of(cpu.row)));
  BOOST_TEST(close(kl_of(gpu.row, gpu_final.row), kl_of(cpu.row, cpu_final.row)));
  BOOST_TEST(close(kl_of(gpu_final.row, gpu_final.row), kl_of(cpu_final.row, cpu_final.row)));
}

}  // namespace

BOOST_AUTO_TEST_CASE(measures_counts_and_top_are_those_of_the_cpu_backend) {
  for (const std::size_t n : {1u, 7u, 255u, 4096u, 4097u, 50257u}) {
    for (const float spread : {0.01f, 1.0f, 12.0f}) {
      std::vector<float> z = random_row(n, spread, 1);
      const std::vector<float> last = random_row(n, 3.0f, 2);
      check_row(z, last, 5);
      std::sort(z.begin(), z.end());  // the maximum rises in every segment
      check_row(z, last, 64);
    }
  }
}

BOOST_AUTO_TEST_CASE(equal_logits_are_counted_and_keep_the_order_of_their_ids) {
  std::vector<float> z = random_row(9000, 2.0f, 3);
  for (float& x : z) x = std::round(x);
  check_row(z, random_row(9000, 1.0f, 4), 64);
  std::fill(z.begin(), z.end(), 1.5f);
  check_row(z, z, 64);
}

BOOST_AUTO_TEST_CASE(logits_that_are_not_finite_give_what_the_cpu_backend_gives) {
  const std::vector<float> last = random_row(5000, 3.0f, 5);
  std::vector<float> z = random_row(5000, 3.0f, 6);
  std::fill(z.begin(), z.begin() + 4500, -infinity);  // a whole segment
  check_row(z, last, 10);
  z = random_row(5000, 3.0f, 6);
  z[17] = nan_value, z[4999] = nan_value;
  check_row(z, last, 10);
  z[17] = infinity;
  check_row(z, last, 10);
  std::fill(z.begin(), z.end(), -infinity);
  check_row(z, last, 3);
  std::fill(z.begin(), z.end(), nan_value);
  check_row(z, last, 3);
}

BOOST_AUTO_TEST_CASE(results_do_not_depend_on_the_order_in_which_lanes_run) {
  const std::vector<float> z = random_row(10000, 4.0f, 7);
  std::vector<float> weights(z.size()), other_weights(z.size());
  reduced forwards({z[1], z[2]}, 20), backwards({z[1], z[2]}, 20);
  reduce_as_gpu(z, row_kind::final, weights, forwards.row, segment_values, false);
  reduce_as_gpu(z, row_kind::final, other_weights, backwards.row, segment_values, true);
  check_counts_and_top(backwards, forwards);
  BOOST_TEST(backwards.row.sum == forwards.row.sum);
  BOOST_TEST(backwards.row.weighted == forwards.row.weighted);
  BOOST_TEST(backwards.row.crossed == forwards.row.crossed);
  BOOST_TEST(std::memcmp(weights.data(), other_weights.data(), weights.size() * sizeof(float)) == 0);
}

BOOST_AUTO_TEST_CASE(the_largest_logit_alone_is_found_without_sums) {
  const std::vector<float> z = random_row(12345, 4.0f, 8);
  std::vector<float> weights(z.size());
  reduced got({}, 1), want({}, 1);
  reduce_as_gpu(z, row_kind::top_only, weights, got.row);
  reduce_as_cpu(z, row_kind::top_only, weights, want.row);
  check_counts_and_top(got, want);
  BOOST_TEST(got.row.maximum == want.row.maximum);
  BOOST_TEST(got.row.sum == 0.0);
}

BOOST_AUTO_TEST_SUITE_END()
