// SPDX-License-Identifier: Apache-2.0
// What BOS policies make of a tokenizer's own rule, and the C table that experiments get.
#include "model/tokenizer_service.hpp"

#include "depthlens/experiment.hpp"
#include "support/tokenizer_files.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(tokenizer_services)

namespace {

using namespace depthlens;
using test::check_fails;
using test::ids;

constexpr std::int32_t kBos = 256;

// Bytes and <s>; its post-processor puts <s> in front where `adds` is set.
tokenizer with_bos(bool adds) {
  test::json_tokenizer t;
  t.tokens.emplace_back("<s>");
  t.added = R"([{"id":256,"content":"<s>","special":true}])";
  if (adds)
    t.post_processor = R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},)"
                       R"({"Sequence":{"id":"A","type_id":0}}],"pair":[],)"
                       R"("special_tokens":{"<s>":{"id":"<s>","ids":[256],"tokens":["<s>"]}}})";
  return t.load();
}

// The same vocabulary as GGUF, where a BOS token is known although it is not added.
tokenizer gguf_that_does_not_add_bos() {
  test::gguf_parts file = test::gguf_bytes("gpt-2", {});
  file.u32("tokenizer.ggml.bos_token_id", 256);
  return test::load(file);
}

}  // namespace

BOOST_AUTO_TEST_CASE(auto_follows_the_post_processor) {
  const tokenizer_service adds(with_bos(true), bos_policy::automatic);
  BOOST_TEST(adds.encode_prompt("ab") == (ids{kBos, 'a', 'b'}), boost::test_tools::per_element());
  BOOST_TEST(adds.encode_text("ab") == (ids{'a', 'b'}), boost::test_tools::per_element());
  BOOST_TEST(adds.prefix() == ids{kBos}, boost::test_tools::per_element());
  const tokenizer_service plain(with_bos(false), bos_policy::automatic);
  BOOST_TEST(plain.encode_prompt("ab") == (ids{'a', 'b'}), boost::test_tools::per_element());
  BOOST_TEST(plain.prefix().empty());
}

BOOST_AUTO_TEST_CASE(never_takes_away_what_the_post_processor_adds_and_nothing_else) {
  const tokenizer_service t(with_bos(true), bos_policy::never);
  BOOST_TEST(t.encode_prompt("ab") == (ids{'a', 'b'}), boost::test_tools::per_element());
  BOOST_TEST(t.prefix().empty());
  BOOST_TEST(t.encode_prompt("<s>a") == (ids{kBos, 'a'}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(always_adds_one_bos_where_the_tokenizer_adds_none) {
  const tokenizer_service t(gguf_that_does_not_add_bos(), bos_policy::always);
  BOOST_TEST(t.encode_prompt("ab") == (ids{kBos, 'a', 'b'}), boost::test_tools::per_element());
  BOOST_TEST(t.prefix() == ids{kBos}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(always_does_not_add_a_second_bos) {
  const tokenizer_service t(with_bos(true), bos_policy::always);
  BOOST_TEST(t.encode_prompt("ab") == (ids{kBos, 'a', 'b'}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(always_is_refused_where_there_is_no_bos) {
  check_fails([] { const tokenizer_service t(test::json_tokenizer().load(), bos_policy::always); },
              status::usage, "--bos always", "no BOS");
}

BOOST_AUTO_TEST_CASE(texts_never_get_special_tokens) {
  const tokenizer_service t(with_bos(true), bos_policy::always);
  BOOST_TEST(t.encode_text("<s>") == (ids{'<', 's', '>'}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_empty_prompt_is_the_prefix_alone) {
  BOOST_TEST(tokenizer_service(with_bos(true), bos_policy::automatic).encode_prompt("") == ids{kBos},
             boost::test_tools::per_element());
  BOOST_TEST(tokenizer_service(with_bos(false), bos_policy::automatic).encode_prompt("").empty());
}

BOOST_AUTO_TEST_CASE(the_c_table_says_the_same) {
  const tokenizer_service t(with_bos(true), bos_policy::automatic);
  const tokenizer_view view(t.c());
  BOOST_TEST(view.size() == 257U);
  BOOST_TEST(view.encode_prompt("a<s>") == t.encode_prompt("a<s>"), boost::test_tools::per_element());
  BOOST_TEST(view.encode_text("a<s>") == t.encode_text("a<s>"), boost::test_tools::per_element());
  BOOST_TEST(view.prefix() == ids{kBos}, boost::test_tools::per_element());
  BOOST_TEST(view.bytes('a') == "a");
  BOOST_TEST(view.bytes(257).empty());
  BOOST_TEST(view.bytes(-1).empty());
  BOOST_TEST(view.is_special(kBos));
  BOOST_TEST(!view.is_special('a'));
  BOOST_TEST(!view.is_special(-5));
}

BOOST_AUTO_TEST_CASE(a_caller_with_little_room_learns_the_count_and_gets_no_more_than_fits) {
  const tokenizer_service t(with_bos(true), bos_policy::automatic);
  ids room(3, -7);
  std::uint64_t count = 0;
  checked_call(t.c()->encode, t.c(), to_text("abcdef"), std::uint32_t{DLENS_ENCODE_PROMPT}, room.data(),
               std::uint64_t{2}, &count);
  BOOST_TEST(count == 7U);
  BOOST_TEST(room == (ids{kBos, 'a', -7}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(policies_are_read_by_name) {
  BOOST_TEST((parse_bos_policy("auto") == bos_policy::automatic));
  BOOST_TEST((parse_bos_policy("always") == bos_policy::always));
  BOOST_TEST((parse_bos_policy("never") == bos_policy::never));
  check_fails([] { parse_bos_policy("maybe"); }, status::usage, "--bos maybe");
}

BOOST_AUTO_TEST_SUITE_END()
