// SPDX-License-Identifier: Apache-2.0
// depthlens lens fit-jacobian: a Jacobian lens for a model, from a text; lens merge-jacobian: its parts as
// one.
#include "commands/asked_model.hpp"
#include "commands/lens_commands.hpp"
#include "process/stop_signal.hpp"
#include "shards/asked_shard.hpp"
#include "training/backend_jacobian.hpp"
#include "training/jacobian_fit.hpp"
#include "training/jacobian_merge.hpp"

#include <iostream>
#include <limits>

namespace depthlens {
namespace {

namespace po = boost::program_options;

constexpr const char* fit_usage =
    "usage: depthlens lens fit-jacobian --model M --text FILE --out FILE [OPTION...]\n"
    "Fits a Jacobian lens: how the last block's output changes, on average, with\n"
    "that of each block before. Needs the torch backend.\n"
    "Example: depthlens lens fit-jacobian -m gpt2 --text wiki.txt -o gpt2-jacobian.pt\n"
    "         depthlens trace -m gpt2 --lens jacobian=gpt2-jacobian.pt --prompt ...\n";

constexpr const char* merge_usage =
    "usage: depthlens lens merge-jacobian FILE... --out FILE.pt\n"
    "Makes one Jacobian lens of its shards, weighted by their numbers of prompts.\n";

po::typed_value<std::string>* text(const char* name) { return po::value<std::string>()->value_name(name); }
po::typed_value<std::string>* with(const char* name, const char* value) {
  return text(name)->default_value(value);
}

po::options_description fit_options() {
  po::options_description d("Options");
  add_model_option(d);
  d.add_options()("text", text("FILE"), "plain text, CoNLL-U or rows with \"prompt\"")(
      "out,o", text("FILE"), "the lens, which must not be there yet")(
      "tokens", with("N", "128"), "of a prompt; longer paragraphs are divided")(
      "prompts", with("N", "100"), "of the text's, chosen by the seed; published lenses have 1000")(
      "skip", with("N", "16"), "first positions of each prompt that are left out, as its last one is")(
      "seed", with("N", "42"), "of the choice of prompts")(
      "shard", with("I/N", "1/1"), "the I-th of N shares of the prompts; see lens merge-jacobian")(
      "dim-batch", with("N", "8"), "rows of the matrices at once, for so many times the memory");
  add_backend_options(d, {"torch", "torch; auto: the best that can do it", "auto, cpu, cuda[:i]"});
  d.add(common_options());
  return d;
}

std::optional<jacobian_request> parse_fit(const arguments& args) {
  const parsed_options o = parse_options(args, fit_usage, fit_options());
  if (o.done) return std::nullopt;
  for (const char* need : {"model", "text", "out"})
    if (o.text(need).empty()) fail(status::usage, "lens fit-jacobian needs --", need);
  constexpr std::uint64_t most = 1u << 20;
  const auto whole = [&](const char* id, std::uint64_t min, std::uint64_t max) {
    return parse_number(id, o.text(id), min, max);
  };
  jacobian_request r;
  r.model = o.text("model");
  r.text = o.text("text");
  r.out = o.text("out");
  r.tokens = whole("tokens", 3, most);
  r.skip_first = whole("skip", 0, most);
  if (r.tokens < r.skip_first + 2)
    fail(status::usage, "--tokens ", r.tokens, " leaves no position between the ", r.skip_first,
         " first ones (--skip) and the last one");
  r.prompts = whole("prompts", 1, std::uint64_t{1} << 40);
  r.seed = whole("seed", 0, std::numeric_limits<std::uint64_t>::max());
  r.dim_batch = whole("dim-batch", 1, most);
  const asked_shard shard = parse_numbered_shard(o.text("shard"));
  r.shard = shard.number;
  r.shards = shard.of;
  r.bos_text = o.text("bos");
  r.bos = parse_bos_policy(r.bos_text);
  r.work = asked_rules(o);
  r.policy = ignored_config(o);
  return r;
}

}  // namespace

int lens_fit_jacobian_command(const arguments& args) {
  const std::optional<jacobian_request> request = parse_fit(args);
  if (!request) return 0;
  const arguments folders = early_values(args, "--plugin-path");
  registry plugins({folders.begin(), folders.end()});
  require_backend(plugins, request->work.backend, jacobian_ability);
  catch_stop_signals();
  return execute_jacobian_fit(*request, plugins);
}

int lens_merge_jacobian_command(const arguments& args) {
  po::options_description d("Options");
  d.add_options()("which", po::value<std::vector<std::string>>()->value_name("FILE"),
                  "two files of fit-jacobian or more (given first)")("out,o", text("FILE"),
                                                                     "the lens, which must not be there yet");
  d.add(common_options());
  const parsed_options o = parse_options(args, merge_usage, d, {{"which", -1}});
  if (o.done) return 0;
  if (o.text("out").empty()) fail(status::usage, "lens merge-jacobian needs --out");
  const std::vector<std::string> files = o.texts("which");
  require_new_file(o.text("out"));
  merge_jacobians({files.begin(), files.end()}, o.text("out"));
  std::cout << o.text("out") << '\n';
  return 0;
}

}  // namespace depthlens
