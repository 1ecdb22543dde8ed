// SPDX-License-Identifier: Apache-2.0
#include "commands/run_options.hpp"

#include "commands/asked_model.hpp"
#include "commands/experiment_options.hpp"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/hash.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/nearest.hpp"
#include "depthlens/base/utf8.hpp"
#include "engine/dataset_records.hpp"
#include "process/own_prefix.hpp"
#include "results/figures_of_run.hpp"
#include "results/table_forms.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <limits>
#include <sstream>

namespace depthlens {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

po::options_description run_options() {
  po::options_description d("Options");
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  const auto list = [](const char* name) {
    return po::value<std::vector<std::string>>()->composing()->value_name(name);
  };
  d.add_options()("experiment", list("EXPERIMENT"),
                  "which experiments to run (given first, without --experiment)");
  add_model_option(d);
  d.add_options()("out,o", text("DIR"), "output folder")(
      "data", list("KEY[,KEY]=FILE"), "input of an experiment; KEY = EXPERIMENT or EXPERIMENT.SET");
  add_lens_options(d);
  d.add_options()(
      "null", text("STATE"),
      "a control beside each lens: zero or mean (it reads that state), untrained (random weights) or "
      "shuffled (prompts)")("generate", text("N"),
                            "let the model say N tokens behind each prompt (greedily) and read those too")(
      "target", text("WHAT")->default_value("final"),
      "rows are about the model's own top-1 (final) or the answer (gold)")(
      "limit", text("N"), "only the first N records of each data set")(
      "cuts", text("N")->default_value("4"), "prompts cut from each paragraph of a text")(
      "seed", text("N")->default_value("42"), "of the cuts and of --null")(
      "name", text("NAME"), "of the model, in files and titles")(
      "format", text("LIST")->default_value("png,svg,pdf"), "of figures")(
      "tables", text("LIST")->default_value("csv"),
      "forms of tables: parquet and arrow are written beside csv; those that a run has stay, and are kept "
      "up")("config", text("FILE"), "more options, as lines key = value")(
      "experts", po::bool_switch(),
      "tables and a figure of the experts that each block chose at the positions read")(
      "save-states", text("LAYERS"),
      "keep the residual stream at the positions read, in DIR/states: all, last (behind the last block, "
      "before "
      "the final norm), or layers as in 0,6,10-12; they take twice their size, as the log holds them too")(
      "chat", po::bool_switch(), "send each prompt in the model's own chat template, as a user's message")(
      "seed-compat", po::bool_switch(), "filters, alignment, names and columns of the published code")(
      "fresh", po::bool_switch(), "move an existing run aside and start anew")(
      "shard", text("I/N"),
      "only the records of this shard, for depthlens merge; auto: the number of the array's task")(
      "allow-mixed-devices", po::bool_switch(),
      "go on on another device or instruction set than the run began with; run.json says which records")(
      "dry-run", po::bool_switch(), "count prompts, tokens and memory, run nothing")(
      "window", text("N")->default_value("8192"), "records whose prefixes are shared")(
      "pack-tokens", text("N")->default_value("0"), "tokens of one forward pass; 0 = as the backend advises")(
      "sharing", text("HOW")->default_value("on"),
      "off: compute every prompt by itself, to measure what shared prefixes save");
  add_backend_options(d);
  return d;
}

// Experiments stand before the first option.
std::vector<std::string> leading_words(const arguments& args) {
  std::vector<std::string> out;
  for (const std::string& a : args) {
    if (a.starts_with('-')) break;
    if (std::find(out.begin(), out.end(), a) != out.end())
      fail(status::usage, "experiment ", a, " is named twice");
    out.push_back(a);
  }
  return out;
}

// An experiment that lists its sets has no such one.
[[noreturn]] void refuse_set(const study_plan& study, const std::string& key, const std::string& set) {
  std::vector<std::string> known;
  std::string all;
  for (std::uint64_t i = 0; i < study.plugin.table->n_inputs; ++i) {
    const std::string name = study.plugin.table->inputs[i]->set;
    known.push_back(name.empty() ? study.word : study.word + "." + name);
    if (name == "*") known.pop_back();
    all += (all.empty() ? "" : ", ") + (name == "*" ? study.word + ".NAME" : known.back());
  }
  const bool any = all.find(".NAME") != std::string::npos;
  fail(status::usage, "--data ", key, ": experiment ", study.word, " takes no ",
       set.empty() ? "data without a set" : "such data set", suggestion(key, known), "; it takes ", all,
       any ? ", NAME being any that you choose" : "");
}

// What makes tagged sentences of plain text, where it is installed or else in the source tree.
std::string tagger_script() {
  const fs::path installed = own_prefix() / "share/depthlens/tag-text.sh";
  std::error_code code;
  return fs::exists(installed, code) ? installed.string() : "share/tag-text.sh";
}

// How a file becomes one of these kinds, where a script of ours does that.
std::string advice_for(const dataset_plan& d, const dlens_input& input) {
  if (d.format != file_format::text) return "";
  for (const char* const* k = input.kinds; *k != nullptr; ++k)
    if (std::string_view(*k) == "sentence")
      return cat("; tags come from: bash ", tagger_script(), " ", d.file.string(), " > ",
                 d.file.stem().string(), ".conllu");
  return "";
}

// The kind of records that an experiment wants of a file given for a set.
std::string choose_kind(const study_plan& study, const dataset_plan& d) {
  const dlens_experiment& e = *study.plugin.table;
  const dlens_input* best = nullptr;
  for (std::uint64_t i = 0; i < e.n_inputs; ++i) {
    const std::string_view set = e.inputs[i]->set;
    if (set == d.set) best = e.inputs[i];
    if (set == "*" && !d.set.empty() && best == nullptr) best = e.inputs[i];
  }
  const std::string key = study.word + (d.set.empty() ? "" : "." + d.set);
  if (best == nullptr) refuse_set(study, key, d.set);
  std::string kinds;
  for (const char* const* k = best->kinds; *k != nullptr; ++k) {
    if (gives(d.format, *k)) return *k;
    kinds += cat(kinds.empty() ? "" : " or ", formats_of_kind(*k));
  }
  fail(status::usage, "--data ", key, "=", d.file.string(), ": ", key, " takes ", kinds, "; this is ",
       format_name(d.format), " (share/doc/own-data.md has the forms)", advice_for(d, *best));
}

// Names of sets and models become parts of file names and titles.
void check_name(const std::string& where, std::string_view name) {
  constexpr std::size_t longest = 100;
  const bool plain = std::none_of(name.begin(), name.end(), [](unsigned char c) {
    return c < 0x20 || c == 0x7f || c == '/' || c == '\\';
  });
  if (!plain || name.size() > longest || utf8_first_broken(name) != std::string_view::npos)
    fail(status::usage, where, ": expected a name of up to ", longest,
         " bytes of UTF-8, without slashes and control characters");
}

std::vector<std::string> words_of(const std::vector<study_plan>& studies) {
  std::vector<std::string> out;
  for (const study_plan& s : studies) out.push_back(s.word);
  return out;
}

void add_data(run_request& r, const std::string& text, const cut_options& cuts) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    fail(status::usage, "--data ", text, ": expected KEY[,KEY...]=FILE");
  const fs::path file = text.substr(equals + 1);
  if (!input_exists(file)) fail(status::no_input, file.string(), ": no such file");
  dataset_plan d{
      .file = fs::absolute(file), .format = detect_format(file), .sha256 = sha256_file(file), .cuts = cuts};
  std::istringstream keys(text.substr(0, equals));
  for (std::string key; std::getline(keys, key, ',');) {
    const std::string word = key.substr(0, key.find('.'));
    d.set = word.size() < key.size() ? key.substr(word.size() + 1) : "";
    const auto study =
        std::find_if(r.studies.begin(), r.studies.end(), [&](auto& s) { return s.word == word; });
    if (study == r.studies.end())
      fail(status::usage, "--data ", key, ": experiment ", word, " is not in this command",
           suggestion(word, words_of(r.studies)));
    check_name("--data " + key, d.set);
    d.kind = choose_kind(*study, d);
    for (const dataset_plan& other : study->datasets)
      if (other.set == d.set) fail(status::usage, "--data ", key, " is given twice");
    study->datasets.push_back(d);
  }
}

void take_model(const parsed_options& o, run_request& r) {
  r.model = o.text("model");
  r.out = output_folder(o);
  r.name = o.text("name");
  check_name("--name", r.name);
  r.policy = ignored_config(o);
  r.bos_text = o.text("bos");
  r.bos = parse_bos_policy(r.bos_text);
  const std::string target = o.text("target");
  if (target != "final" && target != "gold")
    fail(status::usage, "--target ", target, ": expected final or gold");
  r.target_gold = target == "gold";
}

std::uint64_t asked_seed(const parsed_options& o) {
  return parse_number("seed", o.text("seed"), 0, std::numeric_limits<std::uint64_t>::max());
}

void take_generation(const parsed_options& o, run_request& r) {
  if (!o.has("generate")) return;
  r.generate = static_cast<std::uint32_t>(parse_number("generate", o.text("generate"), 1, most_generated));
  if (r.published)
    fail(status::usage, "--generate cannot go with --seed-compat: the published code has none");
  if (r.null.kind == null_kind::mean)
    fail(status::usage, "--generate cannot go with --null mean: what the mean is over is not known before");
  for (const study_plan& s : r.studies)
    if (!DLENS_HAS(dlens_experiment, s.plugin.table, flags) ||
        (s.plugin.table->flags & DLENS_EXPERIMENT_GENERATES) == 0)
      fail(status::usage, "--generate: experiment ", s.word, " does not read what the model says");
}

void take_procedure(const parsed_options& o, run_request& r) {
  r.published = o.values["seed-compat"].as<bool>();
  r.fresh = o.values["fresh"].as<bool>();
  r.dry_run = o.values["dry-run"].as<bool>();
  r.experts = o.values["experts"].as<bool>();
  r.save_states = o.text("save-states");
  if (o.has("save-states") && r.save_states.empty())
    fail(status::usage, "--save-states: expected all, last, or layers as in 0,6,10-12");
  r.chat = o.values["chat"].as<bool>();
  if (r.chat && r.published)
    fail(status::usage, "--chat cannot go with --seed-compat: the published code sends prompts as they are");
  r.allow_mixed_devices = o.values["allow-mixed-devices"].as<bool>();
  if (o.has("shard")) r.shard = parse_shard(o.text("shard"));
  r.work = asked_rules(o);
  constexpr auto most = std::numeric_limits<std::uint32_t>::max();
  r.limit = o.has("limit") ? parse_number("limit", o.text("limit"), 1, most)
                           : std::numeric_limits<std::uint64_t>::max();
  r.formats = parse_formats(o.text("format"));
  r.tables = parse_table_forms(o.text("tables"));
  r.lenses = parse_lenses(o.texts("lens"));
  // The published code reads every tuned lens so.
  for (lens_spec& l : r.lenses) l.published_alignment |= r.published && l.kind == lens_kind::tuned;
  r.null = {.kind = parse_null(o.text("null")), .seed = asked_seed(o)};
  r.force_lens = o.values["force-lens"].as<bool>();
  take_generation(o, r);
}

// What is cut from running text is no message.
void refuse_text_in_chat(const study_plan& study) {
  for (const dataset_plan& d : study.datasets)
    if (!is_asked_in_chat(d.kind))
      fail(status::usage, "--chat: ", study.word, " reads running text in ", d.file.string(),
           ", and a chat template goes around prompts; give ", formats_of_kind("prompt"), " or ",
           formats_of_kind("fact"), ", or leave --chat out");
}

// "--data downstream.NAME=FILE"
std::string ways_to_give_data(const study_plan& study) {
  bool plain = false, of_set = false;
  for (std::uint64_t i = 0; i < study.plugin.table->n_inputs; ++i)
    (*study.plugin.table->inputs[i]->set == '\0' ? plain : of_set) = true;
  return cat(plain ? cat("--data ", study.word, "=FILE") : std::string(), plain && of_set ? " or " : "",
             of_set ? cat("--data ", study.word, ".NAME=FILE") : std::string());
}

void take_data(const parsed_options& o, run_request& r) {
  cut_options cuts;
  cuts.cuts = static_cast<unsigned>(parse_number("cuts", o.text("cuts"), 1, 1000));
  cuts.seed = asked_seed(o);
  for (const std::string& data : o.texts("data")) add_data(r, data, cuts);
  for (const study_plan& s : r.studies)
    if (s.datasets.empty())
      fail(status::usage, "experiment ", s.word, " has no data: give ", ways_to_give_data(s));
  if (r.chat)
    for (const study_plan& s : r.studies) refuse_text_in_chat(s);
}

// The arguments without what is typed for one process of several, or once. A value may look like an option.
arguments without_options(const arguments& args, const po::options_description& known,
                          std::vector<std::string> left_out) {
  left_out.insert(left_out.end(), {"--shard", "--fresh"});
  arguments out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--") break;                             // ends the options; words behind it are refused
    if (args[i].starts_with("-q") && args[i].size() > 2) {  // -qo DIR
      out.insert(out.end(), {"-q", "-" + args[i].substr(2)});
      if (args[i] == "-qo" && i + 1 < args.size()) out.push_back(args[++i]);
      continue;
    }
    const std::string name = args[i].substr(0, args[i].find('='));
    const po::option_description* option =
        name.starts_with("--") ? known.find_nothrow(name.substr(2), false) : nullptr;
    const bool takes_next =
        name == args[i] && (name == "-o" || (option && option->semantic()->max_tokens() > 0));
    const std::size_t end = std::min(args.size(), i + (takes_next ? 2 : 1));
    if (std::find(left_out.begin(), left_out.end(), name) == left_out.end())
      out.insert(out.end(), args.begin() + static_cast<std::ptrdiff_t>(i),
                 args.begin() + static_cast<std::ptrdiff_t>(end));
    i = end - 1;
  }
  return out;
}

// For a list of their options: one that cannot be loaded takes nothing from the others.
std::vector<study_plan> all_experiments(registry& plugins) {
  std::vector<study_plan> out;
  for (const std::string& word : plugins.words("experiment")) {
    try {
      out.push_back({.word = word, .plugin = plugins.load_experiment(word)});
    } catch (const error& e) {
      log_warning(e.what());
    }
  }
  return out;
}

}  // namespace

registry plugins_for(const arguments& args) {
  std::vector<fs::path> folders;
  for (const std::string& p : early_values(args, "--plugin-path")) folders.emplace_back(p);
  // --help also helps where the config file is the trouble.
  if (const auto configs = early_values(args, "--config"); !configs.empty() && !asks_for_help(args))
    for (const std::string& p : config_values(configs.front(), "plugin-path")) folders.emplace_back(p);
  return registry(folders);
}

typed_run run_of(const typed_command& command) {
  std::error_code code;
  fs::current_path(command.folder, code);
  if (code)
    fail(status::no_input, command.folder.string(), ": cannot be entered (", code.message(),
         "); the run's command was typed there, and names files from there: put a link to the folder in its "
         "place");
  typed_run out{.plugins = plugins_for(command.arguments), .request = {}};
  const bool was_quiet = quiet();  // as the command that reads this one was asked to be
  const progress_form form = progress_asked();
  const bool asks_for_help = !parse_run(command.arguments, out.plugins, out.request);
  set_quiet(was_quiet);
  set_progress(form);
  if (asks_for_help) fail(status::data, "the run's command asks for help alone");
  return out;
}

bool parse_run(const arguments& args, registry& plugins, run_request& r) {
  parsed_options unused;
  return parse_run_like(
      args, plugins,
      {.usage = "usage: depthlens run EXPERIMENT... --model M --out DIR [--data KEY=FILE]...\n"
                "                     [OPTION...]\n",
       .options = {},
       .own = {}},
      r, unused);
}

bool parse_run_like(const arguments& args, registry& plugins, const run_like_command& command, run_request& r,
                    parsed_options& values) {
  const std::vector<std::string> words = leading_words(args);
  for (const std::string& word : words)
    r.studies.push_back({.word = word, .plugin = plugins.load_experiment(word)});
  std::vector<study_plan> described = r.studies;
  if (asks_for_help(args) && described.empty()) described = all_experiments(plugins);
  experiment_options declared(described);
  // The help of an experiment begins with its own options, that of run ends with those of all experiments.
  po::options_description d;
  if (!command.options.options().empty()) d.add(command.options);
  if (!words.empty()) d.add(declared.description());
  d.add(run_options());
  if (words.empty()) d.add(declared.description());
  d.add(common_options());
  // The config file's name is needed before its contents can be parsed with the rest.
  const std::vector<std::string> configs = early_values(args, "--config");
  const std::string config_file = configs.empty() ? "" : configs.front();
  values = parse_options(args, command.usage, d, {{"experiment", -1}}, config_file);
  const parsed_options& o = values;
  if (o.done) return false;
  if (words.empty())
    fail(status::usage, "run needs one or more experiments first; there are: ", plugins.list("experiment"));
  if (o.texts("experiment").size() != words.size())
    fail(status::usage, "experiments are named before the first option; \"", o.texts("experiment").back(),
         "\" is not");
  for (const char* need : {"model", "out"})
    if (!o.has(need)) fail(status::usage, "run needs --", need);

  take_model(o, r);
  take_procedure(o, r);
  take_data(o, r);
  for (study_plan& s : r.studies) declared.apply(o, s);
  r.command = {.arguments = without_options(args, d, command.own), .folder = fs::current_path()};
  return true;
}

}  // namespace depthlens
