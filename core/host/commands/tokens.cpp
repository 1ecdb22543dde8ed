// SPDX-License-Identifier: Apache-2.0
// depthlens tokens encode | decode | count: a model's tokenizer by itself.
#include "commands/command.hpp"

#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/json_members.hpp"
#include "depthlens/base/nearest.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/data/json_items.hpp"
#include "model/opened_model.hpp"
#include "results/token_count.hpp"

#include <boost/json.hpp>

#include <iostream>

namespace depthlens {
namespace {

namespace po = boost::program_options;

constexpr const char* any_model_form = "model in any form, or a vocabulary-only GGUF";

void print_ids(const std::vector<std::int32_t>& ids) {
  std::string line = "{\"ids\":[";
  for (std::size_t i = 0; i < ids.size(); ++i) line += (i ? "," : "") + std::to_string(ids[i]);
  std::cout << line << "]}\n";
}

void print_table(const tokenizer& t, const std::vector<std::int32_t>& ids) {
  for (const std::int32_t id : ids) std::cout << id << '\t' << visible_line(t.bytes(id)) << '\n';
}

// An item of --texts: a JSON string, or an object with "text" or "prompt".
std::string text_of(const boost::json::value& v, const json_items& items) {
  if (v.is_string()) return std::string(v.get_string());
  for (const char* key : {"text", "prompt"})
    if (std::optional<std::string> text = text_at(v.if_object(), key)) return *std::move(text);
  items.fail_item("expected a JSON string, or an object with \"text\" or \"prompt\"");
}

int encode(const arguments& args) {
  po::options_description d("Options");
  add_model_option(d, any_model_form);
  d.add_options()("text", po::value<std::string>()->value_name("TEXT"), "the text to encode")(
      "texts", po::value<std::string>()->value_name("FILE"),
      "JSONL: a string, or an object with \"text\" or \"prompt\", on each line")(
      "no-special", po::bool_switch(), "add no BOS or EOS; special strings are plain text")(
      "json", po::bool_switch(), "a line {\"ids\":[...]} for each text (always with --texts)");
  d.add(common_options());
  const parsed_options o =
      parse_options(args,
                    "usage: depthlens tokens encode --model M (--text TEXT | --texts FILE.jsonl)\n"
                    "                               [--no-special] [--json]\n",
                    d);
  if (o.done) return 0;
  if (!o.has("model")) fail(status::usage, "tokens encode needs --model");
  if (o.has("text") == o.has("texts")) fail(status::usage, "tokens encode needs one of --text and --texts");
  const tokenizer t = open_tokenizer(o.text("model"));
  const auto mode = o.values["no-special"].as<bool>() ? tokenizer::special::none : tokenizer::special::add;
  if (o.has("text")) {
    const auto ids = t.encode(o.text("text"), mode);
    if (o.values["json"].as<bool>())
      print_ids(ids);
    else
      print_table(t, ids);
    return 0;
  }
  json_items items(o.text("texts"), json_form::lines);
  for (boost::json::value v; items.next(v);) print_ids(t.encode(text_of(v, items), mode));
  return 0;
}

int decode(const arguments& args) {
  po::options_description d("Options");
  add_model_option(d, any_model_form);
  d.add_options()("id", po::value<std::vector<std::string>>()->value_name("ID"),
                  "token ids (also without --id)");
  d.add(common_options());
  const parsed_options o =
      parse_options(args, "usage: depthlens tokens decode --model M ID...\n", d, {{"id", -1}});
  if (o.done) return 0;
  if (!o.has("model")) fail(status::usage, "tokens decode needs --model");
  const tokenizer t = open_tokenizer(o.text("model"));
  std::vector<std::int32_t> ids;
  for (const std::string& id : o.texts("id"))
    ids.push_back(static_cast<std::int32_t>(parse_number("id", id, 0, t.size() - 1)));
  std::cout << visible(t.decode(ids)) << '\n';
  return 0;
}

int count(const arguments& args) {
  po::options_description d("Options");
  add_model_option(d, any_model_form);
  d.add_options()("text", po::value<std::string>()->value_name("FILE"),
                  "plain UTF-8 text; every line is encoded by itself")(
      "out,o", po::value<std::string>()->value_name("JSON"), "where the frequencies go");
  d.add(common_options());
  const parsed_options o =
      parse_options(args, "usage: depthlens tokens count --model M --text FILE --out JSON\n", d);
  if (o.done) return 0;
  for (const char* need : {"model", "text", "out"})
    if (!o.has(need)) fail(status::usage, "tokens count needs --", need);
  count_tokens(open_tokenizer(o.text("model")), o.text("text"), o.text("out"));
  return 0;
}

}  // namespace

int tokens_command(const arguments& args) {
  const std::string what = args.empty() ? "--help" : args[0];
  const arguments rest(args.empty() ? args.end() : args.begin() + 1, args.end());
  if (what == "encode") return encode(rest);
  if (what == "decode") return decode(rest);
  if (what == "count") return count(rest);
  if (what != "--help" && what != "-h")
    fail(status::usage, "tokens ", what, ": expected encode, decode or count",
         suggestion(what, {"encode", "decode", "count"}));
  for (const auto part : {&encode, &decode, &count}) {
    part({"--help"});
    std::cout << '\n';
  }
  return 0;
}

}  // namespace depthlens
