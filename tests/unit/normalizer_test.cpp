// SPDX-License-Identifier: Apache-2.0
// Unicode composition: what utf8proc makes of a text, and in what time.
#include "depthlens/tokenizer/normalizer.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>

using namespace depthlens;

namespace {

std::string composed(std::string text) {
  const normalizer_step nfc{normalizer_step::kind::nfc, {}, {}};
  normalize({&nfc, 1}, piece_place::start, text);
  return text;
}

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(normalizer)

BOOST_AUTO_TEST_CASE(a_mebibyte_of_marks_out_of_order_is_composed_in_little_time) {
  constexpr int times = 1 << 18;
  const auto start = std::chrono::steady_clock::now();
  // U+0301 has class 230, U+0323 has 220: all of the latter come first, and the first one joins the letter.
  const std::string text = composed("a" + repeated("\u0301\u0323", times));
  BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::seconds(20)));
  BOOST_TEST((text == "\u1EA1" + repeated("\u0323", times - 1) + repeated("\u0301", times)));
}

BOOST_AUTO_TEST_CASE(short_texts_are_composed_as_utf8proc_composes_them) {
  constexpr std::array parts = {"a",      "e",      "x",      " ",          "\u0301", "\u0323", "\u0345",
                                "\u0327", "\u0308", "\u0338", "\u00E9",     "\u1E69", "\u0344", "\u212B",
                                "\u0958", "\u1112", "\u1161", "\u11AB",     "\uD55C", "\u05B0", "\u05BC",
                                "\uFB2C", "\u0F73", "\u3099", "\U0001D15E", "\u0B57"};
  std::mt19937 random(11);
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (std::size_t n = random() % 12; n > 0; --n) text += parts[random() % parts.size()];
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> expected(
        utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t*>(text.c_str())), &std::free);
    BOOST_TEST_REQUIRE(composed(text) == reinterpret_cast<const char*>(expected.get()), text);
  }
}

BOOST_AUTO_TEST_SUITE_END()
