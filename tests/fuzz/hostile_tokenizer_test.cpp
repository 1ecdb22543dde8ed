// SPDX-License-Identifier: Apache-2.0
// tokenizer.json files that ask for more work or memory than their size justifies. Here and not with the
// other tests of the reader, because these count memory.
#include "support/allocation_meter.hpp"
#include "support/tokenizer_files.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

BOOST_AUTO_TEST_SUITE(hostile_tokenizers)

namespace {

using namespace depthlens;
using test::fails_with;
using test::json_tokenizer;

std::string repeated(const std::string& item, std::size_t n) {
  std::string out = item;
  for (std::size_t i = 1; i < n; ++i) out += "," + item;
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_template_that_names_long_lists_of_ids_again_and_again_is_refused) {
  json_tokenizer t;
  t.post_processor =
      R"({"type":"TemplateProcessing","single":[)" + repeated(R"({"SpecialToken":{"id":"b"}})", 2000) +
      R"(,{"Sequence":{"id":"A"}}],"special_tokens":{"b":{"ids":[)" + repeated("1", 20000) + "]}}}";
  const std::string text = t.text();
  const test::scratch_folder folder;
  const auto path = folder.write("tokenizer.json", text);
  const test::allocation_meter meter;
  BOOST_TEST(fails_with(status::data, "more than 256 special tokens", [&] { tokenizer::from_json(path); }));
  BOOST_TEST(meter.peak() < 64 * text.size());
}

BOOST_AUTO_TEST_CASE(as_many_ids_around_a_text_as_are_allowed_are_read) {
  json_tokenizer t;
  t.post_processor =
      R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"b"}},{"Sequence":{"id":"A"}}],)"
      R"("special_tokens":{"b":{"ids":[)" +
      repeated("1", 256) + "]}}}";
  BOOST_TEST(t.load().prefix().size() == 256U);
}

BOOST_AUTO_TEST_CASE(a_long_string_to_split_at_is_refused) {
  json_tokenizer t;
  t.pre_tokenizer = R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":")" +
                    std::string(1025, 'a') + R"("},"behavior":"Isolated"},{"type":"ByteLevel"}]})";
  BOOST_TEST(fails_with(status::data, "String of 1025 bytes", [&] { t.load(); }));
}

// Were each of them to look back over all blanks before it, this would take hours.
BOOST_AUTO_TEST_CASE(an_added_blank_that_takes_the_blanks_before_it_is_found_in_linear_time) {
  json_tokenizer t;
  t.added = R"([{"id":256,"content":" x","lstrip":true},{"id":257,"content":"  ","lstrip":true}])";
  const std::string blanks(std::size_t{1} << 20, ' ');
  const test::ids found = t.load().encode(blanks, test::special::add);
  BOOST_TEST(found.size() == blanks.size() / 2);
  BOOST_TEST(found.back() == 257);
  BOOST_TEST((t.load().encode("a   x", test::special::add) == test::ids{'a', 257, 256}));
}

// As above, with all blanks behind it.
BOOST_AUTO_TEST_CASE(an_added_blank_that_takes_the_blanks_behind_it_is_found_in_linear_time) {
  json_tokenizer t;
  t.added = R"([{"id":256,"content":"  ","rstrip":true}])";
  const std::string blanks(std::size_t{1} << 20, ' ');
  BOOST_TEST(t.load().encode(blanks, test::special::add).size() == blanks.size() / 2);
  BOOST_TEST((t.load().encode("a     b", test::special::add) == test::ids{'a', 256, 256, 'b'}));
}

BOOST_AUTO_TEST_SUITE_END()
