// SPDX-License-Identifier: Apache-2.0
#include "commands/train_options.hpp"

#include "commands/asked_model.hpp"
#include "results/figures_of_run.hpp"

#include <charconv>
#include <limits>

namespace depthlens {
namespace {

namespace po = boost::program_options;

constexpr const char* usage_text =
    "usage: depthlens lens train --model M --text FILE --out DIR [OPTION...]\n"
    "Trains a tuned lens: params.pt, params.safetensors and config.json in DIR. The\n"
    "same command again goes on with a training that was stopped. Needs the torch\n"
    "backend.\n"
    "Example: depthlens lens train -m gpt2 --text wiki.txt --tokens 262144 -o lens\n"
    "         depthlens lens info tuned=lens -m gpt2\n";

po::options_description train_options() {
  po::options_description d("Options");
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  const auto with = [&](const char* name, const char* value) { return text(name)->default_value(value); };
  add_model_option(d);
  d.add_options()("text", text("FILE"), "plain text, CoNLL-U or rows with \"prompt\"")("out,o", text("DIR"),
                                                                                       "folder of the lens")(
      "tokens", with("N", "262144"), "train on so many positions, the text again where it is shorter")(
      "steps", text("N"), "so many steps instead of --tokens")("batch-tokens", with("N", "1024"),
                                                               "positions of a step")(
      "context", with("N", "128"), "tokens of a sequence; longer paragraphs are divided")(
      "optimizer", with("NAME", "adam"), "adam, or sgd with Nesterov momentum")(
      "learning-rate", text("X"), "of the first step, falls linearly to 0; default 0.001 (adam), 0.1 (sgd)")(
      "momentum", with("X", "0.9"), "of sgd, or of adam's mean")("second-momentum", with("X", "0.99"),
                                                                 "of adam's mean square")(
      "weight-decay", with("X", "0"), "pull to the logit lens, times the learning rate")(
      "gradient-limit", with("X", "0"), "largest norm of a layer's gradient; 0: none")(
      "bias-only", po::bool_switch(), "train the biases alone")(
      "init", with("HOW", "least-squares"),
      "least-squares: begin with the linear prediction of the last state; identity: with the logit lens")(
      "init-tokens", with("N", "65536"), "positions for least-squares and --whiten")(
      "ridge", with("X", "0.001"), "of least-squares, as a share of the states' mean variance")(
      "whiten", with("on|off", "on"), "step where a layer's states have variance 1 and no correlations")(
      "validation", with("WHAT", "0.05"), "share of the text, its end, or a FILE, that is held out")(
      "validation-tokens", with("N", "4096"), "measure on at most so many positions of it")(
      "checkpoint-every", with("N", "50"), "steps")("seed", with("N", "42"), "of the order of the text")(
      "fresh", po::bool_switch(), "move a training that is there aside")(
      "allow-mixed-devices", po::bool_switch(),
      "go on on another device or instruction set than the training began with")(
      "format", with("LIST", "png,svg,pdf"), "of figures");
  add_backend_options(d, {"torch", "torch; auto: the best that can train", "auto, cpu, cuda[:i]"});
  d.add(common_options());
  return d;
}

double parse_real(const char* option, const std::string& text, double min, double max) {
  double x = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), x);
  if (code != std::errc{} || end != text.data() + text.size() || !(x >= min && x <= max))
    fail(status::usage, "--", option, ' ', text, ": expected a number from ", min, " to ", max);
  return x;
}

bool is_number(const std::string& text) {
  double x = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), x);
  return code == std::errc{} && end == text.data() + text.size();
}

void take_numbers(const parsed_options& o, train_request& r) {
  constexpr std::uint64_t most = 1ull << 40, most_pack = 1u << 20;
  const auto whole = [&](const char* id, std::uint64_t min, std::uint64_t max) {
    return parse_number(id, o.text(id), min, max);
  };
  const auto real = [&](const char* id, double min, double max) {
    return parse_real(id, o.text(id), min, max);
  };
  r.batch_positions = whole("batch-tokens", 1, most_pack);
  if (o.has("steps") && !o.values["tokens"].defaulted())
    fail(status::usage, "--steps and --tokens say the same twice; give one of them");
  r.steps = o.has("steps") ? whole("steps", 0, most)
                           : (whole("tokens", 0, most) + r.batch_positions - 1) / r.batch_positions;
  r.context = whole("context", 3, most_pack);
  r.fit_positions = whole("init-tokens", 1, most);
  r.validation_positions = whole("validation-tokens", 1, most);
  r.checkpoint_every = whole("checkpoint-every", 1, most);
  r.seed = whole("seed", 0, std::numeric_limits<std::uint64_t>::max());
  constexpr double below_one = 0.999999;
  r.learning_rate = o.has("learning-rate") ? real("learning-rate", 0, 1e6) : r.adam ? 0.001 : 0.1;
  r.momentum = real("momentum", 0, below_one);
  r.second_momentum = real("second-momentum", 0, below_one);
  r.weight_decay = real("weight-decay", 0, 1e6);
  r.gradient_limit = real("gradient-limit", 0, 1e9);
  r.ridge = real("ridge", 0, 1e6);
}

}  // namespace

std::optional<train_request> parse_train(const arguments& args) {
  const parsed_options o = parse_options(args, usage_text, train_options());
  if (o.done) return std::nullopt;
  for (const char* need : {"model", "text", "out"})
    if (!o.has(need)) fail(status::usage, "lens train needs --", need);
  train_request r;
  r.model = o.text("model");
  r.text = o.text("text");
  r.out = output_folder(o);
  const std::string optimizer = o.text("optimizer"), start = o.text("init");
  if (optimizer != "adam" && optimizer != "sgd")
    fail(status::usage, "--optimizer ", optimizer, ": expected adam or sgd");
  if (start != "identity" && start != "least-squares")
    fail(status::usage, "--init ", start, ": expected identity or least-squares");
  r.adam = optimizer == "adam";
  r.start = start == "identity" ? lens_start::identity : lens_start::least_squares;
  r.whiten = parse_switch("whiten", o.text("whiten"));
  r.bias_only = o.values["bias-only"].as<bool>();
  r.fresh = o.values["fresh"].as<bool>();
  r.allow_mixed_devices = o.values["allow-mixed-devices"].as<bool>();
  take_numbers(o, r);
  const std::string held = o.text("validation");
  if (is_number(held))
    r.validation_share = parse_real("validation", held, 0, 0.5);
  else
    r.validation_file = held;
  r.bos_text = o.text("bos");
  r.bos = parse_bos_policy(r.bos_text);
  r.work = asked_rules(o);
  r.formats = parse_formats(o.text("format"));
  r.policy = ignored_config(o);
  return r;
}

boost::json::object options_of(const train_request& r) {
  boost::json::object out;
  out["steps"] = r.steps;
  out["batch_tokens"] = r.batch_positions;
  out["context"] = r.context;
  out["optimizer"] = r.adam ? "adam" : "sgd";
  out["learning_rate"] = r.learning_rate;
  out["momentum"] = r.momentum;
  out["second_momentum"] = r.adam ? boost::json::value(r.second_momentum) : boost::json::value(nullptr);
  out["weight_decay"] = r.weight_decay;
  out["gradient_limit"] = r.gradient_limit;
  out["bias_only"] = r.bias_only;
  out["init"] = r.start == lens_start::least_squares ? "least-squares" : "identity";
  out["whiten"] = r.whiten;
  const bool observes = r.start == lens_start::least_squares || r.whiten;
  out["init_tokens"] = observes ? boost::json::value(r.fit_positions) : boost::json::value(nullptr);
  out["ridge"] = observes ? boost::json::value(r.ridge) : boost::json::value(nullptr);
  out["validation_tokens"] = r.validation_positions;
  out["seed"] = r.seed;
  return out;
}

}  // namespace depthlens
