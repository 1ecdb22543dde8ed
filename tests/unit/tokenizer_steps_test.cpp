// SPDX-License-Identifier: Apache-2.0
// How tokenizer.json files of several families write their steps, with exact ids.
#include "support/tokenizer_files.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace depthlens;
using namespace depthlens::test;

namespace {

constexpr auto each = boost::test_tools::per_element();

ids plain(const tokenizer& t, std::string_view text) { return t.encode(text, special::none); }

}  // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_steps)

BOOST_AUTO_TEST_CASE(single_digits_are_cut_behind_byte_level_too) {
  json_tokenizer t;
  t.join("1", "2").join("a", "1").join("\xC2", "\xBD");
  t.pre_tokenizer = R"({"type":"Sequence","pretokenizers":[{"type":"ByteLevel","add_prefix_space":false,)"
                    R"("use_regex":false},{"type":"Digits","individual_digits":true}]})";
  BOOST_TEST(plain(t.load(), "a12\xC2\xBD") == (ids{'a', '1', '2', 0xC2, 0xBD}), each);
}

// The pre_tokenizers as these files write them: line ends as such, other characters unescaped.
BOOST_AUTO_TEST_CASE(files_of_deepseek_and_bloom_are_read) {
  const auto cut_by = [](const std::string& steps) {
    json_tokenizer t;
    t.join("1", "2").join("a", "b").join(" ", "a").join("\r", "\n");
    t.pre_tokenizer =
        R"({"type":"Sequence","pretokenizers":[)" + steps +
        R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]})";
    t.normalizer = R"({"type":"Sequence","normalizers":[]})";
    return t.load();
  };
  const auto split = [](const std::string& regex) {
    return R"({"type":"Split","pattern":{"Regex":")" + regex + R"("},"behavior":"Isolated","invert":false},)";
  };
  const std::string single = R"({"type":"Digits","individual_digits":true},)";
  const tokenizer coder = cut_by(split(R"([\r\n])") + split(R"(\\s?\\p{L}+)") + split(R"(\\s?\\p{P}+)") +
                                 split("[\xE4\xB8\x80-\xE9\xBE\xA5\xE0\xA0\x80-\xE4\xB8\x80"
                                       "\xEA\xB0\x80-\xED\x9F\xBF]+") +
                                 single);
  BOOST_TEST(coder.kind() == "byte-level BPE (deepseek-coder)");
  BOOST_TEST(plain(coder, "12\r\n") == (ids{'1', '2', '\r', '\n'}), each);
  const tokenizer v3 =
      cut_by(split(R"(\\p{N}{1,3})") +
             split("[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F\xE3\x82\xA0-\xE3\x83\xBF]+") +
             split(R"([!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?)"
                   R"([\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+)"));
  BOOST_TEST(v3.kind() == "byte-level BPE (deepseek-v3)");
  BOOST_TEST(plain(v3, "12\r\n ab") == (ids{256, 259, ' ', 257}), each);
  const tokenizer bloom =
      cut_by(split(" ?[^(\\\\s|[.,!?\xE2\x80\xA6\xE3\x80\x82\xEF\xBC\x8C\xE3\x80\x81\xE0\xA5\xA4"
                   "\xDB\x94\xD8\x8C])]+"));
  BOOST_TEST(bloom.kind() == "byte-level BPE (bloom)");
  BOOST_TEST(plain(bloom, "ab12|ab") == (ids{257, 256, '|', 257}), each);
}

BOOST_AUTO_TEST_SUITE_END()
