// SPDX-License-Identifier: Apache-2.0
// depthlens bench: prompts per second of the whole path of a run on this machine, where the time goes, and
// which share of the rate of plain matrix products the useful work reaches.
#include "commands/command.hpp"

#include "commands/asked_model.hpp"
#include "commands/bench_print.hpp"
#include "commands/prompts.hpp"
#include "depthlens/base/abi_error.hpp"
#include "model/memory_budget.hpp"
#include "model/model_size.hpp"
#include "model/opened_lens.hpp"
#include "model/slow_precision.hpp"
#include "model/thread_limit.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <iostream>
#include <memory>

namespace depthlens {
namespace {

namespace po = boost::program_options;

constexpr std::uint32_t made_up_tokens = 128;  // of a made-up prompt
constexpr double rate_seconds = 1.0;           // of measuring plain products, for each precision

po::options_description bench_options() {
  po::options_description d("Options");
  const auto add = [&d](const char* name, const char* value, const char* help) {
    d.add_options()(name, po::value<std::string>()->value_name(value), help);
  };
  const auto preset = [&d](const char* name, const char* value, const char* from, const char* help) {
    d.add_options()(name, po::value<std::string>()->value_name(value)->default_value(from), help);
  };
  add_model_option(d);
  add("prompts", "FILE", "rows (JSON, JSONL, CSV, TSV) with \"prompt\"; else made-up tokens");
  add("data", "FILE", "the same as --prompts");
  add("limit", "N", "only the first N prompts of a file");
  add("tokens", "T", "made-up tokens of a prompt; default: 128, or what the model takes");
  preset("count", "B", "64", "made-up prompts");
  preset("positions", "LIST", "last", "read there: last, all, or numbers: 0,3,-1");
  add_lens_options(d);
  preset("repeat", "N", "1", "passes; the fastest is stated, the first one warms up");
  add("against", "P", "state layer by layer how close the readings are to those of precision P");
  preset("sharing", "HOW", "on", "on; off: every prompt by itself, to measure against");
  preset("window", "N", "8192", "prompts whose prefixes are shared");
  preset("pack-tokens", "N", "0", "tokens of one forward pass; 0 = as the backend advises");
  d.add_options()("json", po::bool_switch(), "one JSON object");
  add_backend_options(d);
  d.add(common_options());
  return d;
}

bench_prompts asked_prompts(const parsed_options& o, const architecture& arch) {
  const bool prompts = o.has("prompts"), data = o.has("data");
  if (prompts && data) fail(status::usage, "bench takes one of --prompts and --data");
  const bool counted = o.has("tokens") || !o.values["count"].defaulted();
  if ((prompts || data) && counted)
    fail(status::usage, "--tokens and --count are of made-up prompts, not of those of a file");
  if (!prompts && !data && o.has("limit"))
    fail(status::usage, "--limit is of the prompts of a file; made-up ones are counted by --count");
  if (prompts || data) {
    const std::uint64_t limit =
        o.has("limit") ? parse_number("limit", o.text("limit"), 1, 1ull << 40) : 1ull << 40;
    bench_prompts out{read_prompts(o.text(prompts ? "prompts" : "data"), limit), {}};
    if (out.size() == 0) fail(status::data, o.text(prompts ? "prompts" : "data"), ": no prompts");
    return out;
  }
  const std::uint64_t tokens = o.has("tokens")
                                   ? parse_number("tokens", o.text("tokens"), 1, arch.max_positions)
                                   : std::min(made_up_tokens, arch.max_positions);
  return synthetic_prompts(parse_number("count", o.text("count"), 1, (1u << 26) / tokens), tokens,
                           arch.vocab_size);
}

// The model on its backend, with its lenses.
class bench_session {
 public:
  bench_session(const parsed_options& o, registry& plugins)
      : plugins_(plugins),
        model_(open_asked_model(o)),
        prompts_(asked_prompts(o, model_.files->arch())),
        lenses_(open_lenses(parse_lenses(o.texts("lens")), *model_.files, o.values["force-lens"].as<bool>())),
        plan_{.positions = o.text("positions"),
              .rules = asked_rules(o),
              .row_weight = row_weight(*model_.files),
              .rows = rows_of(lenses_, model_.files->arch().n_layers)},
        running_(start(plan_.rules)) {
    report_.against = o.text("against");
  }

  const bench_report& measure(std::uint64_t repeats) {
    for (std::uint64_t i = 0; i < repeats; ++i)
      report_.passes.push_back(run_pass(model_, *running_, prompts_, plan_));
    for (const char* precision : {"f32", "bf16", "f16"})
      report_.product_rates.emplace_back(precision, plain_rate(precision));
    report_.peak_bytes = peak_memory();
    warn_of_slow_products();
    if (!report_.against.empty()) compare();
    describe();
    return report_;
  }

 private:
  std::unique_ptr<running_model> start(const work_rules& rules) {
    auto model = start_model(model_, plugins_, rules, matrix_bytes(lenses_));
    for (const opened_lens& l : lenses_) model->add_lens(l.file);
    return model;
  }
  // Where the processor alone did not tell, as it does when the model is loaded.
  void warn_of_slow_products() const {
    const std::string& precision = plan_.rules.precision;
    const auto rate = [&](std::string_view of) {
      for (const auto& [name, flops] : report_.product_rates)
        if (name == of && flops) return *flops;
      return 0.0;
    };
    if (slow_precision(precision, running_->info().device)) return;
    if (const auto slow = slow_precision(precision, rate(precision), rate("f32"))) log_warning(*slow);
  }
  void compare() {
    work_rules rules = plan_.rules;
    rules.backend = running_->backend();
    rules.precision = report_.against;
    const auto other = start(rules);
    report_.agreement = measure_agreement(model_, *running_, *other, lenses_, prompts_, plan_);
  }
  void describe() {
    report_.model = model_.name;
    report_.backend = running_->backend();
    report_.precision = plan_.rules.precision;
    report_.device = running_->info().device;
    report_.weights_form = running_->info().weights;
    report_.weight_bytes = running_->info().weight_bytes;
    report_.threads = plan_.rules.threads;
    report_.prompts = prompts_.size();
    report_.rows_of_a_read = plan_.rows.logits;
    report_.files = model_.files_seconds;
    report_.tokenizer = model_.tokenizer_seconds;
    report_.weights = running_->load_seconds();
    report_.check = running_->check_seconds();
  }
  std::optional<double> plain_rate(const char* precision) const {
    const dlens_model* m = running_->c();
    if (!DLENS_HAS(dlens_model, m, product_rate) || m->product_rate == nullptr) return std::nullopt;
    double rate = 0;
    try {
      checked_call(m->product_rate, m, precision, plan_.rules.threads, rate_seconds, &rate);
    } catch (const error& e) {
      if (e.code() != status::unavailable) throw;
      if (plan_.rules.precision == precision)
        log_warning(cat("the rate of plain products could not be measured: ", e.what()));
      return std::nullopt;
    }
    return rate;
  }

  registry& plugins_;
  opened_model model_;
  bench_prompts prompts_;
  std::vector<opened_lens> lenses_;
  bench_plan plan_;
  std::unique_ptr<running_model> running_;
  bench_report report_;
};

}  // namespace

int bench_command(const arguments& args) {
  const parsed_options o =
      parse_options(args, "usage: depthlens bench --model M [--prompts FILE] [OPTION...]\n", bench_options());
  if (o.done) return 0;
  if (!o.has("model")) fail(status::usage, "bench needs --model");
  const std::uint64_t repeats = parse_number("repeat", o.text("repeat"), 1, 1000);
  const thread_limit limit(thread_count(o));
  registry plugins(o.plugin_paths());
  bench_session session(o, plugins);
  const bench_report& report = session.measure(repeats);
  std::cout << (o.values["json"].as<bool>() ? bench_json(report) : bench_table(report));
  return 0;
}

}  // namespace depthlens
