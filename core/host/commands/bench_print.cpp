// SPDX-License-Identifier: Apache-2.0
#include "commands/bench_print.hpp"

#include "model/memory_budget.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <iomanip>
#include <sstream>

namespace depthlens {
namespace {

constexpr double giga = 1e9;

// Three digits that matter.
std::string shown(double x) {
  std::ostringstream out;
  const int digits = x >= 100 ? 0 : x >= 10 ? 1 : x >= 1 ? 2 : 3;
  out << std::fixed << std::setprecision(digits) << x;
  return out.str();
}

std::string percent(double share) { return shown(100 * share) + " %"; }

double seconds_of(std::uint64_t ns) { return static_cast<double>(ns) / giga; }

double per_second(double n, double seconds) { return seconds > 0 ? n / seconds : 0; }

// null where the backend does not count.
boost::json::value thread_seconds(const bench_pass& p) {
  if (p.backend.calls == 0) return nullptr;
  return {{"blocks", seconds_of(p.backend.blocks_ns)},
          {"readout", seconds_of(p.backend.readout_ns)},
          {"load", seconds_of(p.backend.load_ns)},
          {"products", seconds_of(p.backend.product_ns)}};
}

boost::json::object work_of(const bench_report& r, const bench_pass& p) {
  boost::json::object flop{{"useful", p.useful.products()},
                           {"useful_blocks", p.useful.blocks},
                           {"useful_readout", p.useful.readout},
                           {"attention", p.useful.attention},
                           {"executed", nullptr}};
  boost::json::object rate{{"useful", per_second(p.useful.products() / giga, p.forward)},
                           {"attention", per_second(p.useful.attention / giga, p.forward)},
                           {"executed", nullptr}};
  if (p.backend.calls != 0) {
    const auto executed = static_cast<double>(p.backend.product_flops);
    flop["executed"] = executed;
    rate["executed"] = per_second(executed / giga, p.forward);
  }
  boost::json::object plain;
  for (const auto& [precision, flops] : r.product_rates)
    plain[precision] = flops ? boost::json::value(*flops / giga) : nullptr;
  rate["plain_products"] = plain;
  rate["share"] = r.share() ? boost::json::value(*r.share()) : nullptr;
  return {{"flop", flop}, {"gflop_per_s", rate}};
}

boost::json::object agreement_of(const bench_report& r) {
  boost::json::array layers;
  for (const layer_agreement& a : r.agreement)
    layers.push_back({{"lens", a.lens},
                      {"layer", a.layer},
                      {"positions", a.positions},
                      {"same_top", a.share(a.same_top)},
                      {"rank_within_1_percent", a.share(a.near_rank)},
                      {"mean_probability_error", a.mean_error()},
                      {"largest_probability_error", a.largest_error}});
  return {{"precision", r.against}, {"layers", layers}};
}

std::string line(const char* head, const std::string& text) {
  std::ostringstream out;
  out << std::left << std::setw(11) << head << text << '\n';
  return out.str();
}

std::string input_lines(const bench_report& r, const bench_pass& p) {
  return line("model", cat(r.model, ", ", r.weights_form, ", ", memory_words(r.weight_bytes))) +
         line("backend",
              cat(r.backend, ": ", r.device, "; ", r.threads, r.threads == 1 ? " thread" : " threads")) +
         line("input", cat(r.prompts, " prompts, ", p.counts.tokens_given, " tokens, ",
                           p.counts.distinct_prefixes, " distinct prefixes")) +
         line("read", cat(p.counts.positions_read, " positions, ", r.rows_of_a_read, " rows of logits each"));
}

std::string time_lines(const bench_report& r, const bench_pass& p) {
  std::string forward = shown(p.forward) + " s";
  if (p.backend.calls != 0) {
    const double blocks = seconds_of(p.backend.blocks_ns), readout = seconds_of(p.backend.readout_ns);
    const double load = seconds_of(p.backend.load_ns), all = blocks + readout + load;
    forward += cat("  of the threads' time: blocks ", percent(blocks / all), ", readout ",
                   percent(readout / all), load > 0 ? ", loading weights " + percent(load / all) : "",
                   "; products ", percent(seconds_of(p.backend.product_ns) / all));
    if (load > 0) forward += cat("; ", p.counts.waves, p.counts.waves == 1 ? " wave" : " waves");
  }
  return line("load", cat(shown(r.load()), " s  files ", shown(r.files), ", tokenizer ", shown(r.tokenizer),
                          ", weights ", shown(r.weights), ", self-check ", shown(r.check))) +
         line("tokenise", shown(p.tokenise) + " s") + line("forest", shown(p.forest) + " s") +
         line("forward", forward);
}

std::string rate_lines(const bench_report& r, const bench_pass& p) {
  const auto rate = [&](double flops) { return shown(per_second(flops / giga, p.forward)) + " GFLOP/s"; };
  std::string useful = rate(p.useful.products());
  if (r.share()) useful += cat(", ", percent(*r.share()), " of plain products");
  std::string plain;
  for (const auto& [precision, flops] : r.product_rates)
    if (flops) plain += cat(plain.empty() ? "" : ", ", precision, " ", shown(*flops / giga), " GFLOP/s");
  return line("prompts", shown(per_second(static_cast<double>(r.prompts), p.seconds())) + " /s") +
         line("tokens",
              cat(shown(per_second(static_cast<double>(p.counts.tokens_given), p.seconds())), " /s given, ",
                  shown(per_second(static_cast<double>(p.counts.distinct_prefixes), p.seconds())),
                  " /s distinct")) +
         line("useful", useful) +
         (p.backend.calls == 0 ? "" : line("executed", rate(static_cast<double>(p.backend.product_flops)))) +
         line("attention", rate(p.useful.attention) + ", not in the lines above") +
         (plain.empty() ? "" : line("machine", "plain products: " + plain));
}

std::string agreement_lines(const bench_report& r) {
  std::ostringstream out;
  out << "\nagainst " << r.against << ", of the token that it has first at the output:\n"
      << "  layer  same top-1  rank within 1 %  probability off by  at most  lens\n";
  for (const layer_agreement& a : r.agreement)
    out << std::setw(7) << a.layer << std::setw(12) << percent(a.share(a.same_top)) << std::setw(17)
        << percent(a.share(a.near_rank)) << std::fixed << std::setprecision(6) << std::setw(20)
        << a.mean_error() << std::setw(9) << std::setprecision(4) << a.largest_error << "  " << a.lens
        << '\n';
  return out.str();
}

}  // namespace

const bench_pass& bench_report::fastest() const {
  return *std::min_element(passes.begin(), passes.end(), [](const bench_pass& a, const bench_pass& b) {
    return a.seconds() < b.seconds();
  });
}

std::optional<double> bench_report::share() const {
  for (const auto& [name, flops] : product_rates)
    if (name == precision && flops)
      return per_second(fastest().useful.products(), fastest().forward) / *flops;
  return std::nullopt;
}

std::string bench_json(const bench_report& r) {
  const bench_pass& p = r.fastest();
  const auto of_all = [&](std::uint64_t n) { return per_second(static_cast<double>(n), p.seconds()); };
  boost::json::array passes;
  for (const bench_pass& one : r.passes) passes.push_back(one.seconds());
  boost::json::object out{
      {"model", r.model},
      {"backend", r.backend},
      {"device", r.device},
      {"precision", r.precision},
      {"threads", r.threads},
      {"prompts", r.prompts},
      {"tokens_given", p.counts.tokens_given},
      {"distinct_prefixes", p.counts.distinct_prefixes},
      {"tokens_computed", p.counts.tokens_computed},
      {"positions_read", p.counts.positions_read},
      {"logit_rows", p.counts.positions_read * r.rows_of_a_read},
      {"prompts_per_s", of_all(r.prompts)},
      {"tokens_per_s", of_all(p.counts.tokens_given)},
      {"distinct_prefixes_per_s", of_all(p.counts.distinct_prefixes)},
      {"seconds",
       {{"load", r.load()},
        {"files", r.files},
        {"tokenizer", r.tokenizer},
        {"weights", r.weights},
        {"check", r.check},
        {"tokenise", p.tokenise},
        {"forest", p.forest},
        {"forward", p.forward},
        {"passes", passes}}},
      {"thread_seconds", thread_seconds(p)},
      {"memory", {{"weights", r.weight_bytes}, {"weights_form", r.weights_form}, {"peak", r.peak_bytes}}}};
  for (const auto& [key, value] : work_of(r, p)) out[key] = value;
  if (!r.against.empty()) out["agreement"] = agreement_of(r);
  return boost::json::serialize(out) + "\n";
}

std::string bench_table(const bench_report& r) {
  const bench_pass& p = r.fastest();
  return input_lines(r, p) + "\n" + time_lines(r, p) + "\n" + rate_lines(r, p) +
         line("memory", cat(memory_words(r.peak_bytes), " at most, weights ", memory_words(r.weight_bytes))) +
         (r.against.empty() ? "" : agreement_lines(r));
}

}  // namespace depthlens
