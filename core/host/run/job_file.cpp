// SPDX-License-Identifier: Apache-2.0
#include "run/job_file.hpp"

#include "depthlens/base/byte_source.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/nearest.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/base/utf8.hpp"
#include "process/own_prefix.hpp"

#include <boost/dll/runtime_symbol_info.hpp>
#include <boost/json.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

constexpr std::pair<std::string_view, std::string_view> recipes[] = {
    {"slurm", "slurm.sh"},      {"hyperqueue", "hyperqueue.sh"}, {"parallel", "parallel.sh"},
    {"snakemake", "Snakefile"}, {"nextflow", "main.nf"},         {"kubernetes", "kubernetes.yaml"}};

std::string_view recipe_of(const std::string& engine) {
  std::vector<std::string> known;
  std::string all;
  for (const auto& [name, file] : recipes) {
    if (name == engine) return file;
    known.emplace_back(name);
    all += cat(all.empty() ? "" : ", ", name);
  }
  fail(status::usage, "--write ", engine, ": there is no such recipe", suggestion(engine, known),
       "; there are: ", all);
}

// Installed, or that of the source tree a build lies in.
fs::path recipe_file(std::string_view name) {
  std::error_code code;
  const fs::path installed = own_prefix() / "share/depthlens/cluster" / name;
  if (fs::exists(installed, code)) return installed;
  for (fs::path folder = own_prefix(); folder.has_relative_path(); folder = folder.parent_path())
    if (const fs::path file = folder / "share/cluster" / name; fs::exists(file, code)) return file;
  fail(status::no_input, installed.string(), ": the recipe is not installed");
}

std::string read_all(const fs::path& file) {
  byte_source source(file);
  std::string text;
  for (std::string line; source.get_line(line);) text += line + '\n';
  return text;
}

using blank = std::pair<std::string, std::string>;

// In one pass: what is filled in may look like a blank.
std::string filled_in(std::string_view text, const std::vector<blank>& blanks) {
  std::string out;
  while (!text.empty()) {
    const auto at =
        std::find_if(blanks.begin(), blanks.end(), [&](const blank& b) { return text.starts_with(b.first); });
    if (at == blanks.end()) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    out += at->second;
    text.remove_prefix(at->first.size());
  }
  return out;
}

// Every node is to compute as it was planned, and with as many threads as the job is given.
std::vector<std::string> resolved_arguments(const job& j) {
  std::vector<std::string> out;
  const std::vector<std::string>& given = j.plan.command.arguments;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::string name = given[i].substr(0, given[i].find('='));
    if (given[i].starts_with("-o") && given[i].size() > 2) continue;  // its folder is attached
    if (name != "--backend" && name != "--threads" && name != "--out" && name != "-o")
      out.push_back(given[i]);
    else if (name == given[i])
      ++i;
  }
  for (const std::string& more : {std::string("--backend"), j.backend, std::string("--threads"),
                                  cat(j.needs.threads), std::string("--out"), j.root.string()})
    out.push_back(more);
  return out;
}

// What a shard runs, but for --shard.
std::string run_command_of(const job& j, const std::string& program) {
  std::string out = shell_quoted(program) + " run";
  for (const std::string& a : resolved_arguments(j)) out += ' ' + shell_quoted(a);
  return out;
}

// In a job file a name stands in comments, in strings of other languages and in YAML: no character may end
// its line there, or be none.
bool is_writable(const std::string& text) {
  bool good = true;
  for (std::size_t at = 0; good && at < text.size();) {
    const utf8_character c = utf8_at(text, at);
    good = c.valid && !detail::is_control(c.value) && c.value != 0x2028 && c.value != 0x2029;
    at += c.size;
  }
  return good;
}

// $'a\\x0ab', for what is shown to be pasted.
std::string bash_quoted(const std::string& text) {
  std::string out = "$'";
  for (const char c : text) {
    if (c == '\'' || c == '\\')
      out += cat('\\', c);
    else if (c >= ' ' && c <= '~')
      out += c;
    else
      detail::append_hex(out += "\\x", static_cast<unsigned char>(c));
  }
  return out + "'";
}

void refuse_unwritable(const std::string& text) {
  if (!is_writable(text))
    fail(status::usage, "--write: ", visible_line(text),
         " has a line break, another control character or bytes that are no UTF-8, which a job file cannot "
         "hold");
}

// Of a job: small letters, digits and dashes, as the strictest of the engines has it.
std::string name_of(const fs::path& root) {
  constexpr std::size_t longest = 40;
  std::string out = "depthlens-";
  for (const char c : root.filename().string()) {
    const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool plain = (small >= 'a' && small <= 'z') || (small >= '0' && small <= '9');
    if (out.size() < longest && (plain || out.back() != '-')) out += plain ? small : '-';
  }
  while (out.back() == '-') out.pop_back();
  return out;
}

// As Slurm asks for GPUs.
std::string gpus_of(const job& j) {
  if (!j.device.starts_with("cuda")) return "none";
  return cat("gpu:", 1 + std::count(j.device.begin(), j.device.end(), ','));
}

// What a job is given so that the program, which takes four fifths of that, has what it needs; libraries and
// pages of files want some too.
std::uint64_t given_mebibytes(std::uint64_t bytes) { return (bytes >> 20) * 5 / 4 + 300; }

// Kubernetes makes $ of $$, and puts variables in place of $(NAME).
std::string for_kubernetes(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '$' ? std::string("$$") : std::string(1, c);
  return out;
}

// In a text of Groovy between three quotes.
std::string for_nextflow(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '\'') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::uint64_t shard_needs::minutes() const {
  constexpr double each_second = 1e10, safety = 2, begin = 10;
  return static_cast<std::uint64_t>(begin + std::ceil(safety * flops / (each_second * threads) / 60));
}

void check_engine(const std::string& engine) { recipe_file(recipe_of(engine)); }

std::string shell_quoted(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./=,:+@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return text;
  if (!is_writable(text)) return bash_quoted(text);
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string job_file(const std::string& engine, const job& j) {
  const std::string program = boost::dll::program_location().string();
  for (const std::string& text : {program, j.root.string(), j.plan.command.folder.string()})
    refuse_unwritable(text);
  for (const std::string& a : j.plan.command.arguments) refuse_unwritable(a);
  if (engine == "slurm" && j.plan.command.folder.string().find('\\') != std::string::npos)
    fail(status::usage, "--write slurm: ", j.plan.command.folder.string(),
         ": has a backslash, which #SBATCH lines take away; plan from another folder");
  std::vector<blank> blanks = {{"@SHARDS@", cat(j.plan.shards())},
                               {"@COMMAND@", run_command_of(j, program)},
                               {"@PROGRAM@", shell_quoted(program)},
                               {"@OUT@", shell_quoted(j.root.string())},
                               {"@FOLDER@", shell_quoted(j.plan.command.folder.string())},
                               {"@THREADS@", cat(j.needs.threads)},
                               {"@MEMORY@", cat(given_mebibytes(j.needs.memory))},
                               {"@MINUTES@", cat(j.needs.minutes())},
                               {"@NAME@", name_of(j.root)},
                               {"@GRES@", gpus_of(j)}};
  if (engine == "kubernetes")
    for (blank& b : blanks) {
      if (b.first == "@FOLDER@")  // a text of YAML, not of a shell
        b.second = boost::json::serialize(boost::json::string(j.plan.command.folder.string()));
      if (b.first == "@COMMAND@") b.second = for_kubernetes(b.second);
    }
  if (engine == "snakemake")
    for (const auto& [name, text] : blanks)
      if (text.find("\"\"\"") != std::string::npos)
        fail(status::usage,
             "--write: a path or text of this command has three quotes, which a Snakefile cannot hold");
  if (engine == "nextflow") {
    std::vector<blank> texts;
    for (const char* name : {"COMMAND", "PROGRAM", "OUT", "FOLDER"})
      for (const auto& [blank_name, text] : blanks)
        if (blank_name == cat('@', name, '@'))
          texts.emplace_back(cat('@', name, "_TEXT@"), for_nextflow(text));
    blanks.insert(blanks.end(), texts.begin(), texts.end());
  }
  return filled_in(read_all(recipe_file(recipe_of(engine))), blanks);
}

}  // namespace depthlens
