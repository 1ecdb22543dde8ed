// SPDX-License-Identifier: Apache-2.0
// The packs that training makes of a text.
#include "training/batches.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <vector>

using namespace depthlens;

BOOST_AUTO_TEST_SUITE(training_batches)

namespace {

const token_sequences text = {{1, 2, 3}, {4, 5, 6, 7}, {8, 9}};

}  // namespace

BOOST_AUTO_TEST_CASE(a_pack_is_chains_that_are_read_behind_their_first_token) {
  const std::vector<std::size_t> chosen = {2, 0};
  const training_pack pack(text, chosen, 0);
  const dlens_batch& b = pack.batch();
  BOOST_REQUIRE(b.n_tokens == 5U);
  const std::vector<std::int32_t> tokens(b.tokens, b.tokens + 5), parent(b.parent, b.parent + 5);
  BOOST_TEST(tokens == (std::vector<std::int32_t>{8, 9, 1, 2, 3}), boost::test_tools::per_element());
  BOOST_TEST(parent == (std::vector<std::int32_t>{-1, 0, -1, 2, 3}), boost::test_tools::per_element());
  BOOST_TEST(pack.positions() == 3U);
  BOOST_TEST(b.rope_long == nullptr);
}

BOOST_AUTO_TEST_CASE(every_sequence_is_of_the_form_of_its_own_length) {
  const std::vector<std::size_t> all = {0, 1, 2}, shorter = {0, 2};
  const training_pack pack(text, all, 3);
  BOOST_REQUIRE(pack.batch().rope_long != nullptr);
  const std::vector<int> forms(pack.batch().rope_long, pack.batch().rope_long + 9);
  BOOST_TEST(forms == (std::vector<int>{0, 0, 0, 1, 1, 1, 1, 0, 0}), boost::test_tools::per_element());
  BOOST_TEST(training_pack(text, shorter, 3).batch().rope_long == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
