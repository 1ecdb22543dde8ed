// SPDX-License-Identifier: Apache-2.0
// The commands of the program, and what they share in reading their options.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/model/config_policy.hpp"

#include <boost/program_options.hpp>

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

using arguments = std::vector<std::string>;

struct command {
  std::string_view name;
  std::string_view summary;  // one line for `depthlens help`
  // Returns the exit code; throws depthlens::error.
  int (*run)(const arguments&);
};

std::span<const command> all_commands();  // run, plot, trace, ... each with its function below

// Each in a file of its name.
int run_command(const arguments&);
int plot_command(const arguments&);
int report_command(const arguments&);
int shard_command(const arguments&);
int status_command(const arguments&);
int merge_command(const arguments&);
int verify_command(const arguments&);
int trace_command(const arguments&);
int bench_command(const arguments&);
int tokens_command(const arguments&);
int lens_command(const arguments&);
int plugins_command(const arguments&);
// depthlens plugins check, under the name that it was called by.
int check_plugins_command(const arguments& args, const std::string& name);
int models_command(const arguments&);
int new_command(const arguments&);
int env_command(const arguments&);
int help_command(const arguments&);

// --- options ----------------------------------------------------------------------------------------------

// --plugin-path, --quiet, --progress and --help, which every command has; all but the last may stand before
// it too.
boost::program_options::options_description common_options();

// What --progress asks for, where it can be told before anything is parsed: mistakes are told in that form.
void take_progress_early(const arguments& args);

// --help or -h before any "--".
bool asks_for_help(const arguments& args);

// Parses, applies the common options; errors are status::usage and name the option. Where help is asked for
// the usage and options are printed and `done` is true.
struct parsed_options {
  boost::program_options::variables_map values;
  bool done = false;

  bool has(const char* id) const { return values.count(id) != 0; }
  std::string text(const char* id, const std::string& fallback = "") const {
    return has(id) ? values[id].as<std::string>() : fallback;
  }
  std::vector<std::string> texts(const char* id) const {
    return has(id) ? values[id].as<std::vector<std::string>>() : std::vector<std::string>{};
  }
  std::vector<std::filesystem::path> plugin_paths() const;
};
parsed_options parse_options(const arguments& args, std::string_view usage,
                             const boost::program_options::options_description& options,
                             const std::vector<std::pair<const char*, int>>& positional = {},
                             const std::string& config_file = "");

// The values of an option, as "--id V" or "--id=V", for what has to be known before the rest can be parsed.
std::vector<std::string> early_values(const arguments& args, const std::string& id);

// --model or -m, for every command that takes one.
void add_model_option(boost::program_options::options_description& options,
                      const char* help = "folder, file.gguf or [org/]name in the local cache");

// --lens, which may be given again, and --force-lens; `otherwise` ends the help of --lens: what is read
// without it.
void add_lens_options(boost::program_options::options_description& options,
                      const std::string& otherwise = "; default: logit");
void add_force_lens(boost::program_options::options_description& options);

// --bos, --backend, --device, --precision, --threads, --ignore-config and --skip-check, for every command
// that computes.
struct backend_defaults {
  const char* backend = "auto";
  const char* backends = "auto, cpu, ...";
  const char* devices = "auto, cpu, cuda[:i]; torch shares the work among GPUs: cuda:0,cuda:1";
};
void add_backend_options(boost::program_options::options_description& options,
                         const backend_defaults& defaults = {});

// --ignore-config KEY[,KEY...], for every command that opens a model to compute with or describe it.
void add_ignore_config(boost::program_options::options_description& options);
config_policy ignored_config(const parsed_options& options);

// --threads, else SLURM_CPUS_PER_TASK, else the affinity mask.
unsigned thread_count(const parsed_options& options);

// The folder that --out names, by its lasting path. Errors: status::usage where it is empty; cannot_create or
// permission where nothing can stand there: a link loop, a name that is too long.
std::filesystem::path output_folder(const parsed_options& options);

// The lines `id = VALUE` of a config file, for what has to be known before the rest can be parsed.
std::vector<std::string> config_values(const std::string& config_file, const std::string& id);

// A path that stays the same folder whatever happens to links and the working folder on the way.
std::filesystem::path lasting_path(const std::filesystem::path& path);

// A whole number in min..max, or status::usage naming the option.
std::uint64_t parse_number(std::string_view option, std::string_view text, std::uint64_t min,
                           std::uint64_t max);

// "on" or "off", or status::usage naming the option.
bool parse_switch(std::string_view option, std::string_view text);

}  // namespace depthlens
