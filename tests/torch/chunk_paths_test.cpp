// SPDX-License-Identifier: Apache-2.0
// A tree of tokens as paths of chunks of 64 positions.
#include "plugins/torch/chunk_paths.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

BOOST_AUTO_TEST_SUITE(paths_of_chunks)

using namespace depthlens;
using namespace depthlens::torch_backend;

namespace {

using numbers = std::vector<std::int64_t>;

numbers values_of(const at::Tensor& x) {
  const at::Tensor here = x.contiguous();
  return {here.const_data_ptr<std::int64_t>(), here.const_data_ptr<std::int64_t>() + here.numel()};
}

// A trunk of 62 tokens, then two branches of 4 each: from position 62 on, across the end of a chunk.
token_tree forked() {
  token_tree tree;
  for (std::int32_t i = 0; i < 66; ++i) tree.position.push_back(i);
  for (std::int32_t i = 62; i < 66; ++i) tree.position.push_back(i);
  tree.token.assign(tree.position.size(), 0);
  tree.n_positions = 66;
  return tree;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_branch_within_a_chunk_repeats_its_beginning_and_is_continued_from_its_own_state) {
  const token_tree tree = forked();
  const chunk_paths paths(tree, 8, at::kCPU);
  BOOST_REQUIRE(paths.groups().size() == 2u);
  const path_group &first = paths.groups()[0], &second = paths.groups()[1];
  BOOST_TEST((first.begins_chunk && second.begins_chunk && !first.from.defined()));
  BOOST_TEST((first.tokens.sizes() == at::IntArrayRef{2, 64}));
  BOOST_TEST((values_of(first.tokens[1].narrow(0, 60, 4)) == numbers{60, 61, 66, 67}));
  BOOST_TEST((values_of(first.kept) == numbers{0, 1}));
  BOOST_TEST(first.fresh_tokens.size(0) == 66);
  BOOST_TEST((values_of(first.fresh_places.narrow(0, 64, 2)) == numbers{126, 127}));
  BOOST_TEST((values_of(second.tokens) == numbers{64, 65, 68, 69}));
  BOOST_TEST((values_of(second.from) == numbers{0, 1}));
  BOOST_TEST(!second.kept.defined());
}

BOOST_AUTO_TEST_CASE(groups_hold_no_more_paths_than_asked_and_each_token_is_fresh_once) {
  const token_tree tree = forked();
  const chunk_paths paths(tree, 1, at::kCPU);
  BOOST_TEST(paths.groups().size() == 4u);
  numbers fresh;
  for (const path_group& group : paths.groups()) {
    BOOST_TEST(group.tokens.size(0) == 1);
    for (const std::int64_t token : values_of(group.fresh_tokens)) fresh.push_back(token);
  }
  std::sort(fresh.begin(), fresh.end());
  numbers all(tree.position.size());
  std::iota(all.begin(), all.end(), 0);
  BOOST_TEST((fresh == all));
}

BOOST_AUTO_TEST_CASE(ancestors_are_found_across_branches) {
  const token_tree tree = forked();
  const chunk_paths paths(tree, 8, at::kCPU);
  const numbers above = values_of(paths.ancestors(3));
  BOOST_TEST(above.size() == 71u);
  BOOST_TEST((above[2] == 70 && above[3] == 0 && above[66] == 59 && above[69] == 66 && above[70] == 70));
}

BOOST_AUTO_TEST_SUITE_END()
