// SPDX-License-Identifier: Apache-2.0
#include "commands/trace_options.hpp"

#include "commands/prompts.hpp"
#include "engine/generation.hpp"
#include "html/page_file.hpp"

#include <limits>

namespace depthlens {
namespace {

namespace po = boost::program_options;

constexpr const char* plain_prompt = "TEXT";  // what a word without an option is held as

po::options_description trace_options() {
  po::options_description d("Options");
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  const auto list = [](const char* name) {
    return po::value<std::vector<std::string>>()->composing()->value_name(name);
  };
  add_model_option(d);
  d.add_options()("prompt", list("TEXT"),
                  "a prompt, as a plain word is too; several times for several prompts")(
      "prompts", text("FILE"), "rows (JSON, JSONL, CSV, TSV) with \"prompt\"")(
      "positions", text("LIST"),
      "last, all, or numbers: 0,3,-1; default: last, and all for --html and --format v2")(
      "top", text("K"), "most likely tokens shown, 0 to 64; default: 5, and 10 for --html")(
      "target", list("TEXT|#ID"),
      "token whose rank is read, as written: a leading blank counts; default: the model's own final top-1");
  add_lens_options(d);
  d.add_options()(
      "patch-from", text("TEXT"),
      "for each layer, also the prompt's run with the state of this text's last position at its own last "
      "one")("generate", text("N"),
             "let the model say N tokens behind the prompt (greedily); those are read too")(
      "experts", po::bool_switch(), "which experts each block chose there, and how sure its router was")(
      "chat", po::bool_switch(), "send prompts in the model's own chat template, as a user's message")(
      "json", po::bool_switch(), "one JSON object for each prompt")(
      "format", text("LAYOUT"),
      "of --json: v2 is version 2 of LogitLensKit, layer i being the output of block i")(
      "html", text("FILE"),
      "a page with the layers and positions as a heat map, which needs no network; "
      "without --json, no table is printed then")(
      "read", list("FILE"),
      "with --html: also the readings of a file that --format v2 or LogitLensKit wrote, of another model for "
      "example; several times for several files, and without --model for those alone");
  add_backend_options(d);
  d.add(common_options());
  return d;
}

// A plain word and --prompt, or --prompts.
std::vector<std::string> asked_prompts(const parsed_options& o) {
  const std::vector<std::string> plain = o.texts(plain_prompt);
  if (plain.size() > 1)
    fail(status::usage, "trace takes one plain word as its prompt, not ", plain.size(), ": put a prompt of ",
         "several words in quotes, and further prompts behind --prompt");
  std::vector<std::string> given = plain;
  if (o.has("prompt"))
    for (const std::string& prompt : o.texts("prompt")) given.push_back(prompt);
  if (!given.empty() && o.has("prompts"))
    fail(status::usage, "trace has a prompt and --prompts: give one of them");
  if (!given.empty()) return given;
  if (!o.has("prompts")) fail(status::usage, "trace needs a prompt: a text in quotes, --prompt or --prompts");
  return read_prompts(o.text("prompts"), std::numeric_limits<std::uint64_t>::max());
}

// What one output has no place for, another may have.
void refuse_what_has_no_place(const parsed_options& o, const trace_request& r) {
  const std::string output = r.v2 ? "--format v2" : "--html";
  if (!r.v2 && r.html.empty()) return;
  for (const char* part : {"patch-from", "experts"})
    if (part == std::string("experts") ? r.experts : o.has(part))
      fail(status::usage, output, " has no place for --", part, ": leave one of them out");
  if (r.top_k == 0) fail(status::usage, output, " needs --top of at least 1");
  if (r.v2 && o.texts("lens").size() > 1)
    fail(status::usage, "--format v2 has a place for one lens, not ", o.texts("lens").size());
}

// Readings of files alone.
trace_request only_read(const parsed_options& o) {
  trace_request r{.prompts = {}, .html = o.text("html"), .read = o.texts("read")};
  for (const char* other :
       {plain_prompt, "prompt", "prompts", "positions", "top", "target", "patch-from", "generate", "format"})
    if (o.has(other))
      fail(status::usage, other == std::string(plain_prompt) ? "a prompt" : cat("--", other),
           " needs --model; --read alone shows what its files hold");
  return r;
}

}  // namespace

parsed_options parse_trace_options(const arguments& args) {
  po::options_description d = trace_options();
  if (!asks_for_help(args))
    d.add_options()(plain_prompt, po::value<std::vector<std::string>>(), "a plain word");
  return parse_options(args,
                       "usage: depthlens trace --model M TEXT [OPTION...]\n"
                       "       depthlens trace --model M --prompts FILE [OPTION...]\n",
                       d, {{plain_prompt, -1}});
}

trace_request asked_trace(const parsed_options& o) {
  if (o.has("html") && o.text("html").empty())
    fail(status::usage, "--html is empty: expected the name of a file");
  if (o.has("html")) refuse_as_page("--html", o.text("html"));
  if (o.has("read") && !o.has("html"))
    fail(status::usage, "--read is for the page of --html FILE; give that too");
  if (o.has("read") && !o.has("model")) return only_read(o);
  if (!o.has("model")) fail(status::usage, "trace needs --model");
  trace_request r{.prompts = asked_prompts(o), .html = o.text("html"), .read = o.texts("read")};
  r.json = o.values["json"].as<bool>();
  r.chat = o.values["chat"].as<bool>();
  r.experts = o.values["experts"].as<bool>();
  if (o.has("format")) {
    if (o.text("format") != "v2") fail(status::usage, "--format ", o.text("format"), ": expected v2");
    if (!r.json) fail(status::usage, "--format is of the JSON: it goes with --json");
    r.v2 = true;
  }
  const bool page = !r.html.empty();
  r.positions = o.text("positions", page || r.v2 ? "all" : "last");
  r.top_k = static_cast<std::uint32_t>(parse_number("top", o.text("top", page ? "10" : "5"), 0, 64));
  if (o.has("generate"))
    r.generate = static_cast<std::uint32_t>(parse_number("generate", o.text("generate"), 1, most_generated));
  if (r.generate > 0 && o.has("patch-from")) fail(status::usage, "--generate cannot go with --patch-from");
  refuse_what_has_no_place(o, r);
  return r;
}

}  // namespace depthlens
