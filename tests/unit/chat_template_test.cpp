// SPDX-License-Identifier: Apache-2.0
// Chat templates: for the files of tests/data/chat the text is that of transformers, to the byte; where a
// model's files keep them; and what is refused, hostile templates among it.
#include "depthlens/chat/chat_template.hpp"
#include "depthlens/chat/template_reader.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

using namespace depthlens;
using namespace depthlens::test;

namespace {

namespace fs = std::filesystem;

fs::path chat_data() {
  const char* source = std::getenv("DEPTHLENS_SOURCE");
  BOOST_REQUIRE_MESSAGE(source != nullptr, "DEPTHLENS_SOURCE does not name the source tree");
  return fs::path(source) / "tests/data/chat";
}

chat_template template_of(std::string text) {
  return chat_template({std::move(text), "t.jinja", "<s>", "</s>"});
}

std::string shown(const std::string& text, std::string_view prompt = "x") {
  return template_of("[INST]" + text + "{{ messages[0].content }}").wrap(prompt);
}

template <class... Parts>
void refused(const std::string& text, const Parts&... parts) {
  check_fails([&] { shown(text); }, status::data, parts...);
}

std::string repeated(std::string_view part, std::size_t n) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) out += part;
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(chat_templates)

BOOST_AUTO_TEST_CASE(text_is_that_of_transformers) {
  std::size_t n = 0;
  for (const auto& item : fs::directory_iterator(chat_data())) {
    if (item.path().extension() != ".jinja") continue;
    const chat_template t = template_of(read_bytes(item.path()));
    const auto expected = [&](const char* end) {
      return read_bytes(item.path().parent_path() / (item.path().stem().string() + end));
    };
    BOOST_TEST(t.wrap("The capital of France is") == expected(".plain.txt"), item.path());
    BOOST_TEST(t.wrap("  two\nlines <b> \n") == expected(".edges.txt"), item.path());
    ++n;
  }
  BOOST_TEST(n == 7U);
}

BOOST_AUTO_TEST_CASE(form_is_told_by_the_marks_of_a_template) {
  BOOST_TEST(chat_template::form_of("{{'<|im_start|>'}}") == "ChatML");
  BOOST_TEST(chat_template::form_of("<|start_header_id|>") == "Llama-3");
  BOOST_TEST(chat_template::form_of("<start_of_turn>") == "Gemma");
  BOOST_TEST(chat_template::form_of("[INST] ") == "Mistral");
  BOOST_TEST(chat_template::form_of("<|start|>user<|message|>") == "gpt-oss");
  BOOST_TEST(chat_template::form_of("<|start|>") == "");
  check_fails([] { template_of("{{ '<|user|>' + messages[0].content }}"); }, status::data, "t.jinja",
              "no known form", "ChatML, Llama-3, Gemma, Mistral, gpt-oss", "<|user|>");
}

BOOST_AUTO_TEST_CASE(what_is_not_understood_is_refused_with_its_line_and_name) {
  refused("\n\n{% include 'x' %}", "t.jinja (Mistral)", "line 3", "include");
  refused("{{ 'x' | tojson }}", "line 1", "tojson");
  refused("{{ 'x' is callable }}", "callable");
  refused("{{ 'x'.encode() }}", "encode");
  refused("{{ 1.5 }}", "fraction");
  refused("{{ f(1) }}", "calls undefined");
  refused("{{ none.x }}", "takes 'x' of none");
  refused("{{ 'a' + 1 }}", "adds a number to a text");
  refused("{{ messages }}", "a list");
  refused("{{ raise_exception('not\nso') }}", "refuses: 'not");
  refused("{{ strftime_now('%Q') }}", "date");
  refused("{% if true %}", "endif");
  refused("{% for x in [1] %}{% endif %}", "endif");
  refused("{{ 'x }}", "no end");
  refused("{{ x", "not closed");
  refused("{# x", "no end");
  check_fails([] { template_of("[INST] nothing").wrap("x"); }, status::data, "does not hold the message");
}

BOOST_AUTO_TEST_CASE(hostile_templates_end_in_an_error) {
  refused("{{" + repeated("(", 5000) + "1" + repeated(")", 5000) + "}}", "nested");
  refused("{{" + repeated("not ", 5000) + "1}}", "nested");
  refused("{{" + repeated("-", 5000) + "1}}", "nested");
  refused("{{ 1" + repeated("+1", 5000) + "}}", "operators");
  refused("{{ x" + repeated(".x", 5000) + "}}", "too long");
  refused(repeated("{% if 1 %}", 5000), "nested");
  refused("{% for i in range(999999999) %}{% endfor %}", "too much work");
  refused("{% for i in range(-999999999999, 1) %}{% endfor %}", "too much work");
  refused(repeated("{% for i in range(1000) %}", 4) + repeated("{% endfor %}", 4), "too much work");
  refused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "too deep");
  refused("{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
          "too much work");
  refused("{{ 999999999999 * 999999999999 }}", "thousand million");
  refused("{{ 99999999999999999999 }}", "too large");
  BOOST_TEST(shown("{% set n = namespace() %}{% set n.self = n %}") == "[INST]x");
  check_fails([] { template_of("[INST]" + std::string(chat_template::most_bytes, ' ')); }, status::data,
              "262150 bytes");
  // A prompt that is all of one letter, looked for in itself.
  check_fails(
      [] { shown("{{ (messages[0].content + 'b') in messages[0].content }}", std::string(1 << 20, 'a')); },
      status::data, "too much work");
}

BOOST_AUTO_TEST_CASE(template_of_a_folder_is_its_own_file_or_else_that_of_its_tokenizer) {
  const scratch_folder folder;
  const auto text = [&] { return read_folder_template(folder.path()).text; };
  check_fails(text, status::data, folder.path().string(), "no chat template");
  folder.write("tokenizer_config.json", R"({"bos_token":{"content":"<b>"},"eos_token":"<e>"})");
  check_fails(text, status::data, "no chat template");
  folder.write("tokenizer_config.json",
               R"({"bos_token":{"content":"<b>"},"eos_token":"<e>","chat_template":"A"})");
  const chat_template_text one = read_folder_template(folder.path());
  BOOST_TEST(one.text == "A");
  BOOST_TEST(one.bos == "<b>");
  BOOST_TEST(one.eos == "<e>");
  folder.write("tokenizer_config.json",
               R"({"chat_template":[{"name":"tool_use","template":"T"},{"name":"default","template":"D"}]})");
  BOOST_TEST(text() == "D");
  folder.write("tokenizer_config.json", R"({"chat_template":[{"name":"tool_use","template":"T"}]})");
  check_fails(text, status::data, "default");
  folder.write("tokenizer_config.json", R"({"chat_template":7})");
  check_fails(text, status::data, "chat_template", "expected an array");
  folder.write("tokenizer_config.json", R"({"chat_template":"A"})");
  folder.write("chat_template.jinja", "J");
  BOOST_TEST(text() == "J");
}

BOOST_AUTO_TEST_SUITE_END()
