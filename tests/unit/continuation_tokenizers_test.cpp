// SPDX-License-Identifier: Apache-2.0
// The forms of answers under real kinds of tokenizers: byte-level BPE, which puts the blank in front of a
// word into its token, and SentencePiece, which puts one in front of every text besides. Scripts without
// blanks.
#include "depthlens/study/continuation.hpp"

#include "model/tokenizer_service.hpp"
#include "support/reference.hpp"
#include "support/tokenizer_files.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace depthlens;

namespace {

const std::string mark = "\xE2\x96\x81";              // U+2581, a blank in SentencePiece pieces
const std::string lima = "\xE5\x88\xA9\xE9\xA9\xAC";  // two Han characters
const std::string han_is = "\xE6\x98\xAF";
const std::string nbsp = "\xC2\xA0", wide_blank = "\xE3\x80\x80";

tokenizer byte_level() {
  return test::json_tokenizer().join("L", "y").join(" ", "Ly").join("i", "s").join(" ", "is").load();
}
tokenizer sentence_piece() {
  test::json_tokenizer t = test::character_tokenizer({mark, "i", "s", "L", "y", "(", "\n"});
  return t.join("L", "y").join(mark, "Ly").join("i", "s").join(mark, "is").load();
}

struct forms_of {
  tokenizer_service service;
  tokenizer_view view{service.c()};
  explicit forms_of(tokenizer t) : service(std::move(t), bos_policy::automatic) {}

  std::vector<answer_form> forms(std::string_view prompt, std::string_view answer) const {
    return answer_forms(view, prompt, view.encode_prompt(prompt), answer);
  }
  // "form:piece piece" for each, the pieces divided by '|'.
  std::vector<std::string> operator()(std::string_view prompt, std::string_view answer) const {
    std::vector<std::string> out;
    for (const answer_form& f : forms(prompt, answer)) {
      out.emplace_back(f.form);
      for (std::size_t i = 0; i < f.ids.size(); ++i)
        out.back() += (i == 0 ? ":" : "|") + std::string(view.bytes(f.ids[i]));
    }
    return out;
  }
};

using strings = std::vector<std::string>;

void check(const strings& got, const strings& want) {
  BOOST_TEST(got == want, boost::test_tools::per_element());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(continuation_by_tokenizer)

BOOST_AUTO_TEST_CASE(an_answer_with_its_own_blank_is_read_behind_that_one_alone) {
  const forms_of bytes(byte_level()), pieces(sentence_piece());
  check(bytes("is", "Ly"), {"blank: Ly", "bare:Ly"});
  check(bytes("is", " Ly"), {"blank: Ly", "bare:Ly"});
  check(bytes("is", "  Ly"), {"blank: | Ly", "bare:Ly"});
  check(bytes("is(", "\nLy"), {"blank:\n|Ly", "bare:Ly"});
  check(pieces("is", " Ly"), pieces("is", "Ly"));
  BOOST_REQUIRE(!pieces("is", " Ly").empty());
  BOOST_TEST(pieces("is", " Ly")[0] == "blank: Ly");
}

BOOST_AUTO_TEST_CASE(behind_a_prompt_that_ends_in_a_blank_the_answer_stands_bare_with_ids_of_its_own) {
  const forms_of bytes(byte_level()), pieces(sentence_piece());
  for (const std::string answer : {"Ly", " Ly", "  Ly"}) {
    check(bytes("is ", answer), {"bare:Ly"});
    check(pieces("is ", answer), {"bare:Ly"});
  }
  check(bytes("is" + nbsp, " Ly"), {"bare:Ly"});
  check(bytes("is" + wide_blank, "Ly"), {"bare:Ly"});
  check(bytes("is\t", "Ly"), {"bare:Ly"});
}

BOOST_AUTO_TEST_CASE(behind_a_line_end_both_forms_are_there_and_the_bare_one_is_preferred) {
  const forms_of bytes(byte_level());
  check(bytes("is\n", "Ly"), {"bare:Ly", "blank: Ly"});
  check(bytes("is\n", " Ly"), {"blank: Ly", "bare:Ly"});
}

BOOST_AUTO_TEST_CASE(blanks_of_unicode_are_an_answers_own_blank_too) {
  const forms_of bytes(byte_level());
  for (const std::string& blank : {nbsp, wide_blank}) {
    const auto forms = bytes.forms("is", blank + "Ly");
    BOOST_REQUIRE(forms.size() == 2U);
    BOOST_TEST(forms[0].text == blank + "Ly");
    BOOST_TEST(forms[0].form == "blank");
    BOOST_TEST(forms[1].text == "Ly");
  }
}

BOOST_AUTO_TEST_CASE(scripts_without_blanks_prefer_the_bare_form_and_a_written_blank_stays) {
  const forms_of bytes(byte_level());
  const auto preferred = [&](const std::string& prompt, const std::string& answer) {
    return std::string(bytes.forms(prompt, answer).at(0).form);
  };
  BOOST_TEST(preferred(han_is, lima) == "bare");
  BOOST_TEST(preferred(han_is, "Ly") == "bare");
  BOOST_TEST(preferred("is", lima) == "bare");
  BOOST_TEST(preferred(han_is, " " + lima) == "blank");
  BOOST_TEST(preferred("\xE3\x81\xAF", "\xE3\x83\x91") == "bare");                           // Kana
  BOOST_TEST(preferred("\xE0\xB8\x84\xE0\xB8\xB7\xE0\xB8\xAD", "\xE0\xB8\x81") == "bare");   // Thai
  BOOST_TEST(preferred("\xE1\x9E\x82\xE1\x9E\xBA", "\xE1\x9E\x94") == "bare");               // Khmer
  BOOST_TEST(preferred("\xE0\xBA\x84\xE0\xBA\xB7", "\xE0\xBA\xA7") == "bare");               // Lao
  BOOST_TEST(preferred("\xE1\x80\x9E\xE1\x80\x8A\xE1\x80\xBA", "\xE1\x80\x9B") == "bare");   // Burmese
  BOOST_TEST(preferred(han_is + "\xEF\xBC\x9A", "Ly") == "bare");                            // wide colon
  BOOST_TEST(preferred("\xEC\x88\x98\xEB\x8F\x84\xEB\x8A\x94", "\xED\x8C\x8C") == "blank");  // Korean
  BOOST_TEST(preferred("\xD0\xB8\xD1\x81", "\xD0\x9F") == "blank");                          // Cyrillic
  BOOST_TEST(preferred("is", "\xD9\x82") == "blank");                                        // Arabic
  // The top-1 still decides.
  const auto forms = bytes.forms(han_is, "Ly");
  BOOST_TEST(choose_form(forms, forms[1].ids.front())->form == "blank");
}

BOOST_AUTO_TEST_CASE(the_characters_at_the_ends_of_texts_are_told_whole) {
  BOOST_TEST(ends_in_blank("a" + nbsp));
  BOOST_TEST(ends_in_blank(wide_blank));
  BOOST_TEST(!ends_in_blank("a\n"));
  BOOST_TEST(ends_in_white_space("a\xE2\x80\xA8"));
  BOOST_TEST(!ends_in_blank("a\xE2\x80\xA8"));
  BOOST_TEST(!ends_in_white_space(""));
  BOOST_TEST(!ends_in_white_space("\xA0"));  // half of a character
  BOOST_TEST((utf8_last(lima).value == U'\u9A6C'));
  BOOST_TEST(!utf8_last("a\xE5\x88").valid);
}

// Whatever the tokenizer: prompt and answer together are the text with one blank or none in between.
BOOST_AUTO_TEST_CASE(no_form_doubles_a_blank_under_real_tokenizers,
                     *boost::unit_test::precondition(test::with_reference)) {
  for (const char* name : {"gpt-2", "gpt-neox", "llama-bpe", "llama-spm", "phi-3", "qwen2", "falcon"}) {
    const auto path = test::reference_path() / "tokenizers" / ("ggml-vocab-" + std::string(name) + ".gguf");
    const forms_of t(tokenizer::from_gguf(gguf_file(path)));
    for (const std::string prompt : {"The capital of France is", "The capital of France is ", "A:\n", "(",
                                     "\xE9\xA6\x96\xE9\x83\xBD\xE6\x98\xAF", "x\t", "x\xC2\xA0"})
      for (const std::string answer :
           {"Paris", " Paris", "  Paris", "Buenos Aires", " 1984", "-", lima.c_str()}) {
        const auto forms = t.forms(prompt, answer);
        BOOST_TEST_CONTEXT(name << ": \"" << prompt << "\" + \"" << answer << '"') {
          BOOST_TEST(!forms.empty());
          for (const answer_form& form : forms) {
            std::string read;
            for (const std::int32_t id : form.ids) read += t.view.bytes(id);
            BOOST_TEST(read == form.text);
            BOOST_TEST(!(ends_in_blank(prompt) && begins_with_blank(read)));
          }
        }
      }
  }
}

BOOST_AUTO_TEST_SUITE_END()
