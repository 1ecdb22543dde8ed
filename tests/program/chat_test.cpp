// SPDX-License-Identifier: Apache-2.0
// run --chat and trace --chat on the demo model: the text as sent and its ids are those of transformers
// (AutoTokenizer.apply_chat_template, add_generation_prompt=True) and stand in prompts_*.csv; the template is
// part of what a folder belongs to; the BOS token by --bos; and what --chat cannot go with.
#include "depthlens/table/csv.hpp"
#include "program/demo.hpp"
#include "program/tiny_folder.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <vector>

using depthlens::status;
using namespace depthlens::test;
namespace fs = std::filesystem;

BOOST_AUTO_TEST_SUITE(chat)

namespace {

const std::string sent =
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "<|im_start|>user\nThe capital of France is<|im_end|>\n<|im_start|>assistant\n";
const std::string sent_ids =
    "1 9690 198 2683 359 253 5356 5646 11173 3365 3511 308 34519 28 7018 411 407 19712 8182 2 198 1 4093 198 "
    "504 3575 "
    "282 4649 314 2 198 1 520 9531 198";

// The first line of prompts_EXPERIMENT.csv: "text" and "ids".
std::pair<std::string, std::string> first_prompt(const fs::path& run, const std::string& experiment) {
  depthlens::csv_reader reader(run / "data" / ("prompts_" + experiment + ".csv"));
  std::vector<std::string> row;
  BOOST_REQUIRE(reader.next(row));
  const auto value = [&](const char* column) {
    const auto& header = reader.header();
    return row.at(static_cast<std::size_t>(std::find(header.begin(), header.end(), column) - header.begin()));
  };
  BOOST_TEST(value("kept") == "1");
  return {value("text"), value("ids")};
}

words run_of(const std::string& experiment, const fs::path& data, const fs::path& out) {
  return {"run",      experiment, "--model", demo_model(), "--data", experiment + "=" + data.string(),
          "--format", "svg",      "--out",   out.string()};
}

}  // namespace

BOOST_AUTO_TEST_CASE(prompts_of_a_run_are_sent_in_the_template_and_listed_so) {
  const scratch_folder folder;
  const fs::path out = folder.path() / "run";
  const fs::path data = folder.write(
      "rows.json",
      R"([{"prompt":"The capital of France is","answer":"Paris","text":"The capital of France is Paris."}])");
  const words exits = run_of("early-exit", data, out), facts = run_of("facts", data, out);
  const outcome o = must_work(exits + words{"--chat"});
  BOOST_TEST(o.err.find("ChatML") != std::string::npos);
  BOOST_TEST(o.err.find("blank") == std::string::npos);
  BOOST_TEST(first_prompt(out, "early-exit").first == sent);
  BOOST_TEST(first_prompt(out, "early-exit").second == sent_ids);
  must_work(facts +
            words{"--chat", "--whitespace", "keep"});  // extends the run; "text" is about the bare prompt
  BOOST_TEST(first_prompt(out, "facts").first == sent);
  const boost::json::value run = boost::json::parse(read_bytes(out / "run.json"));
  BOOST_TEST(run.at("key").at("chat").as_string() == "ChatML");
  BOOST_TEST(run.at("key").at("chat_template_sha256").as_string().size() == 64U);
  BOOST_TEST(run.at("records").at("finished") == run.at("records").at("wanted"));
  check_refused(exits, status::config, "chat", "ChatML", "off");
  const outcome counted = must_work(exits + words{"--chat", "--fresh", "--dry-run"});
  BOOST_TEST(counted.out.find("tokens given       35") != std::string::npos, counted.out);
}

BOOST_AUTO_TEST_CASE(trace_shows_the_text_as_sent) {
  const words trace = {"trace",  "--model", demo_model(), "--prompt", "The capital of France is",
                       "--json", "--top",   "1",          "--chat"};
  const boost::json::value said = boost::json::parse(must_work(trace).out);
  std::string ids;
  for (const auto& id : said.at("ids").as_array())
    ids += (ids.empty() ? "" : " ") + std::to_string(id.as_int64());
  BOOST_TEST(ids == sent_ids);
  BOOST_TEST(said.at("text").as_string() == sent);
  const outcome patched = must_work(trace + words{"--patch-from", "The capital of Japan is"});
  BOOST_TEST(patched.out.find("Japan is<|im_end|>") != std::string::npos);
}

// A byte tokenizer that puts the token 0, here written <s>, in front of every text.
BOOST_AUTO_TEST_CASE(bos_is_written_by_the_template_unless_bos_says_otherwise) {
  const tiny_folder model;
  json_tokenizer bytes;
  bytes.added = R"([{"id":0,"content":")" + bytes.written(bytes.tokens[0]) + R"(","special":true}])";
  bytes.post_processor = R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"B","type_id":0}},)"
                         R"({"Sequence":{"id":"A","type_id":0}}],"pair":[],)"
                         R"("special_tokens":{"B":{"id":"B","ids":[0],"tokens":["B"]}}})";
  model.write("tokenizer.json", bytes.text());
  const auto ids = [&](const std::string& bos) {
    const boost::json::value said =
        boost::json::parse(must_work({"trace", "--model", model.path(), "--prompt", "x", "--chat", "--json",
                                      "--top", "0", "--bos", bos})
                               .out);
    return boost::json::serialize(said.at("ids"));
  };
  const std::string text = R"([91,73,78,83,84,93,120])";  // [INST]x
  const std::string with_bos = "[0," + text.substr(1);
  model.write("chat_template.jinja", "{{ bos_token }}[INST]{{ messages[0].content }}");
  BOOST_TEST(ids("auto") == with_bos);
  BOOST_TEST(ids("always") == with_bos);
  BOOST_TEST(ids("never") == text);
  model.write("chat_template.jinja", "[INST]{{ messages[0].content }}");
  BOOST_TEST(ids("auto") == text);
  BOOST_TEST(ids("always") == with_bos);
}

BOOST_AUTO_TEST_CASE(what_chat_cannot_go_with_is_refused_by_name) {
  const scratch_folder folder;
  const fs::path out = folder.path() / "run", rows = folder.write("rows.json", R"([{"prompt":"x"}])");
  check_refused(run_of("early-exit", demo_data("prose.conllu"), out) + words{"--chat"}, status::usage,
                "--chat", "early-exit", "prose.conllu", "running text");
  check_refused(run_of("early-exit", rows, out) + words{"--chat", "--seed-compat"}, status::usage, "--chat",
                "--seed-compat");
  const tiny_folder model;
  const words tiny = {"trace", "--model", model.path(), "--prompt", "x", "--chat"};
  check_refused(tiny, status::data, model.path(), "no chat template");
  model.write("tokenizer_config.json", R"({"chat_template":"{{ '<|user|>' + messages[0].content }}"})");
  check_refused(tiny, status::data, "tokenizer_config.json: chat_template", "no known form", "gpt-oss",
                "<|user|>");
  model.write("chat_template.jinja", "[INST]{{ messages[0].content | frob }}");
  check_refused(tiny, status::data, "chat_template.jinja (Mistral)", "line 1", "frob");
  model.write("chat_template.jinja", "[INST]{{ raise_exception('no') }}");
  check_refused(words{"run", "early-exit", "--model", model.path(), "--data", "early-exit=" + rows.string(),
                      "--out", out.string(), "--chat"},
                status::data, "rows.json: record 0", "chat_template.jinja", "refuses: 'no'");
}

BOOST_AUTO_TEST_SUITE_END()
