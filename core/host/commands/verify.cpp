// SPDX-License-Identifier: Apache-2.0
// depthlens verify DIR: is a finished run what it says?
#include "commands/run_options.hpp"
#include "process/stop_signal.hpp"
#include "run/finished_run.hpp"
#include "run/verified_run.hpp"

#include <iostream>
#include <limits>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

manifest run_with_command(const fs::path& dir) {
  manifest m = read_finished_run(dir);
  if (!object_at(&m.fields, "commands"))
    fail(status::config, dir.string(), ": its run.json does not say by which command it was made, as ",
         "those of earlier versions do not");
  return m;
}

}  // namespace

int verify_command(const arguments& args) {
  catch_stop_signals();
  namespace po = boost::program_options;
  po::options_description d("Options");
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  d.add_options()("dir", text("DIR"), "output folder of a finished run")(
      "rows", text("N")->default_value("100"), "compute so many of its records again; 0: none")(
      "seed", text("N")->default_value("42"), "of which those are")("threads", text("N"),
                                                                    "default: all allowed");
  d.add(common_options());
  const parsed_options o = parse_options(
      args,
      "usage: depthlens verify DIR [--rows N] [--seed N]\n\n"
      "Looks whether all files of a run are as it wrote them, whether its tables are those of\n"
      "its logs, and computes some of its records again. Ends with 65 where something differs.\n",
      d, {{"dir", 1}});
  if (o.done) return 0;
  if (!o.has("dir")) fail(status::usage, "verify needs the output folder of a run");
  constexpr auto most = std::numeric_limits<std::uint32_t>::max();
  const std::uint64_t rows = parse_number("rows", o.text("rows"), 0, most),
                      seed =
                          parse_number("seed", o.text("seed"), 0, std::numeric_limits<std::uint64_t>::max());
  const fs::path dir = lasting_path(o.text("dir"));
  const manifest m = run_with_command(dir);
  verified found;
  verify_files(dir, found);
  const auto& commands = *object_at(&m.fields, "commands");
  for (std::size_t i = commands.size(); i-- > 0;) {  // the last one knows the data of those before
    const auto& one = *(commands.begin() + static_cast<std::ptrdiff_t>(i));
    const std::string name(one.key());
    if (are_verified(name.substr(0, name.find(" (")), m.fields, found)) continue;
    const auto typed = command_from_json(&one.value());
    if (!typed) fail(status::data, dir.string(), "/run.json: \"commands\" is damaged");
    typed_run again = run_of(*typed);
    again.request.out = dir;
    if (o.has("threads")) again.request.work.threads = thread_count(o);
    verify_results(std::move(again.request), rows, seed, again.plugins, found);
  }
  verify_nothing_is_missing(m.fields, found);
  for (const std::string& line : found.differences) std::cout << line << '\n';
  std::cout << found.files << " files, " << found.tables << " tables, " << found.records << " records: "
            << (found.differences.empty()
                    ? "no difference"
                    : cat(found.differences.size(),
                          found.differences.size() == 1 ? " difference" : " differences"))
            << '\n';
  return static_cast<int>(found.differences.empty() ? status::ok : status::data);
}

}  // namespace depthlens
