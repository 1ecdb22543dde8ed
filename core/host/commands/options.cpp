// SPDX-License-Identifier: Apache-2.0
#include "commands/command.hpp"

#include "depthlens/base/byte_source.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/nearest.hpp"
#include "terminal/log.hpp"

#include <sched.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <set>
#include <sstream>

namespace depthlens {

namespace po = boost::program_options;

po::options_description common_options() {
  po::options_description d("Common");
  d.add_options()("plugin-path", po::value<std::vector<std::string>>()->composing()->value_name("DIR"),
                  "look for plugins here first (also DEPTHLENS_PLUGIN_PATH)")(
      "quiet,q", po::bool_switch(), "warnings and errors only on stderr")(
      "progress", po::value<std::string>()->default_value("auto")->value_name("HOW"),
      "on stderr: auto (a bar on a terminal, else a line every 30 s), lines, json (an object on each line) "
      "or "
      "none")("help,h", "show this help");
  return d;
}

std::vector<std::filesystem::path> parsed_options::plugin_paths() const {
  std::vector<std::filesystem::path> out;
  for (const std::string& p : texts("plugin-path")) out.emplace_back(p);
  return out;
}

bool asks_for_help(const arguments& args) {
  const auto end = std::find(args.begin(), args.end(), "--");
  return std::any_of(args.begin(), end, [](const std::string& a) { return a == "--help" || a == "-h"; });
}

namespace {

// The long names, as they are typed.
std::vector<std::string> names_of(const po::options_description& options, const std::string& before) {
  std::vector<std::string> out;
  for (const auto& o : options.options()) out.push_back(before + o->long_name());
  return out;
}

[[noreturn]] void fail_to_parse(const po::error& e, const po::options_description& options,
                                const std::string& config_file = "") {
  const std::string place = config_file.empty() ? "" : cat("--config ", config_file, ": ");
  std::string hint;
  if (const auto* unknown = dynamic_cast<const po::unknown_option*>(&e)) {
    const std::string name = unknown->get_option_name();
    hint = suggestion(name.substr(0, name.find('=')), names_of(options, name.starts_with("--") ? "--" : ""));
  }
  if (dynamic_cast<const po::too_many_positional_options_error*>(&e))
    fail(status::usage, place,
         "a word too many: values stand behind their options, as in --prompt TEXT; see ", "depthlens help");
  fail(status::usage, place, e.what(), hint, "; see depthlens help");
}

// A config file's text, read as data files are: UTF-8, no folder, no line of 16 MiB.
std::string config_text(const std::string& file) {
  try {
    byte_source source(file);
    std::string text;
    for (std::string line; source.get_line(line);) text += line + '\n';
    return text;
  } catch (const error& e) {
    fail(e.code(), "--config: ", e.what());
  }
}

// Lines that would have no effect: the file is read after what they say is needed.
void refuse_idle_lines(const po::parsed_options& lines, const std::string& config_file) {
  for (const auto& line : lines.options) {
    const auto because = [&](const std::string& why) {
      fail(status::usage, "--config ", config_file, ": the line \"", line.string_key, " = ...\" ", why);
    };
    if (line.string_key == "config") because("has no effect: a config file names no other");
    if (line.string_key == "help") because("has no effect: --help is for the command line");
    for (const char* once : {"fresh", "shard"})  // a task that goes on would take it from there again
      if (line.string_key == once) because(cat("is refused: --", once, " is for the command line"));
    if (line.string_key == "experiment") because("has no effect: experiments are named on the command line");
  }
}

}  // namespace

std::vector<std::string> config_values(const std::string& config_file, const std::string& id) {
  po::options_description one;
  one.add_options()(id.c_str(), po::value<std::vector<std::string>>()->composing());
  std::istringstream in(config_text(config_file));
  po::variables_map values;
  try {
    po::store(po::parse_config_file(in, one, true), values);
  } catch (const po::error& e) {
    fail_to_parse(e, one, config_file);
  }
  return values.count(id) != 0 ? values[id].as<std::vector<std::string>>() : std::vector<std::string>();
}

namespace {

constexpr std::array<std::pair<std::string_view, progress_form>, 4> progress_forms = {
    {{"auto", progress_form::automatic},
     {"lines", progress_form::lines},
     {"json", progress_form::json},
     {"none", progress_form::none}}};

// False for another word.
bool takes_progress(std::string_view how) {
  for (const auto& [word, form] : progress_forms)
    if (word == how) set_progress(form);
  return std::any_of(progress_forms.begin(), progress_forms.end(),
                     [&](const auto& f) { return f.first == how; });
}

}  // namespace

void take_progress_early(const arguments& args) {
  for (const std::string& how : early_values(args, "--progress")) takes_progress(how);
}

parsed_options parse_options(const arguments& args, std::string_view usage,
                             const po::options_description& options,
                             const std::vector<std::pair<const char*, int>>& positional,
                             const std::string& config_file) {
  parsed_options out;
  if (asks_for_help(args)) {
    std::cout << usage << "\n" << options;
    out.done = true;
    return out;
  }
  po::positional_options_description places;
  for (const auto& [name, count] : positional) places.add(name, count);
  namespace style = po::command_line_style;
  try {
    po::store(po::command_line_parser(args)
                  .options(options)
                  .positional(places)
                  .style(style::unix_style & ~style::allow_guessing)
                  .run(),
              out.values);
  } catch (const po::error& e) {
    fail_to_parse(e, options);
  }
  try {
    if (!config_file.empty()) {
      std::istringstream in(config_text(config_file));
      const po::parsed_options lines = po::parse_config_file(in, options);
      refuse_idle_lines(lines, config_file);
      po::store(lines, out.values);
    }
    po::notify(out.values);
  } catch (const po::error& e) {
    fail_to_parse(e, options, config_file);
  }
  if (out.has("quiet") && out.values["quiet"].as<bool>()) set_quiet(true);
  if (const std::string how = out.text("progress"); !how.empty() && !takes_progress(how))
    fail(status::usage, "--progress ", how, ": expected auto, lines, json or none");
  return out;
}

std::vector<std::string> early_values(const arguments& args, const std::string& id) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i] == id && i + 1 < args.size()) out.push_back(args[i + 1]);
    if (args[i].starts_with(id + "=")) out.push_back(args[i].substr(id.size() + 1));
  }
  return out;
}

std::uint64_t parse_number(std::string_view option, std::string_view text, std::uint64_t min,
                           std::uint64_t max) {
  std::uint64_t n = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (code != std::errc{} || end != text.data() + text.size() || n < min || n > max)
    fail(status::usage, "--", option, ' ', text, ": expected a whole number from ", min, " to ", max);
  return n;
}

bool parse_switch(std::string_view option, std::string_view text) {
  if (text != "on" && text != "off") fail(status::usage, "--", option, ' ', text, ": expected on or off");
  return text == "on";
}

void add_ignore_config(po::options_description& options) {
  options.add_options()("ignore-config",
                        po::value<std::vector<std::string>>()->composing()->value_name("KEY[,KEY]"),
                        "keys of config.json or GGUF metadata that change nothing and are not understood");
}

void add_model_option(po::options_description& options, const char* help) {
  options.add_options()("model,m", po::value<std::string>()->value_name("M"), help);
}

void add_lens_options(po::options_description& options, const std::string& otherwise) {
  const std::string help =
      "[LABEL:]logit, [LABEL:]tuned=DIR[@seed] or [LABEL:]jacobian=FILE; several times for several lenses";
  options.add_options()("lens", po::value<std::vector<std::string>>()->composing()->value_name("LENS"),
                        (help + otherwise).c_str());
  add_force_lens(options);
}

void add_force_lens(po::options_description& options) {
  options.add_options()("force-lens", po::bool_switch(),
                        "take a lens that was made for another unembedding or target layer");
}

void add_backend_options(po::options_description& options, const backend_defaults& defaults) {
  const auto add = [&](const char* name, const char* value, const char* preset, const char* help) {
    auto* v = po::value<std::string>()->value_name(value);
    options.add_options()(name, preset == nullptr ? v : v->default_value(preset), help);
  };
  add("bos", "HOW", "auto", "BOS before each text: auto (the tokenizer's rule), always, never");
  add("backend", "NAME", defaults.backend, defaults.backends);
  add("device", "DEV", "auto", defaults.devices);
  add("precision", "P", "f32", "f32, bf16, f16; torch on a GPU: tf32 too");
  add("threads", "N", nullptr, "default: all allowed");
  add("memory", "SIZE", nullptr,
      "most memory to take: 6G, 800M, bytes, or a share: 60% (also DEPTHLENS_MEMORY); "
      "default: 80% of what the process may have");
  add("device-memory", "SIZE", nullptr,
      "the same of a GPU's own memory (also DEPTHLENS_DEVICE_MEMORY); default: 90% of what is free");
  add_ignore_config(options);
  add("skip-check", "NAME[,NAME]", nullptr,
      "checks of the loaded model to leave out: scale, readout, output, blocks, all");
}

config_policy ignored_config(const parsed_options& options) {
  std::set<std::string> keys;
  for (const std::string& list : options.texts("ignore-config")) {
    std::istringstream parts(list);
    for (std::string key; std::getline(parts, key, ',');)
      if (!key.empty()) keys.insert(key);
  }
  return {{keys.begin(), keys.end()}};
}

std::filesystem::path output_folder(const parsed_options& options) {
  const std::string text = options.text("out");
  if (text.empty()) fail(status::usage, "--out is empty: expected the name of a folder");
  std::error_code code;
  if (std::filesystem::status(text, code).type() == std::filesystem::file_type::none && code)
    fail_errno(code.value(), file_use::create, "--out ", text, ": cannot be made");
  return lasting_path(text);
}

std::filesystem::path lasting_path(const std::filesystem::path& path) {
  std::error_code code;
  const std::filesystem::path whole = std::filesystem::absolute(path, code);
  const std::filesystem::path resolved = std::filesystem::weakly_canonical(whole, code);
  return code ? whole : resolved;
}

unsigned thread_count(const parsed_options& options) {
  constexpr unsigned most = 1024;
  if (options.has("threads"))
    return static_cast<unsigned>(parse_number("threads", options.text("threads"), 1, most));
  if (const char* slurm = std::getenv("SLURM_CPUS_PER_TASK"))
    return static_cast<unsigned>(parse_number("threads (SLURM_CPUS_PER_TASK)", slurm, 1, most));
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<unsigned>(CPU_COUNT(&set));
}

}  // namespace depthlens
