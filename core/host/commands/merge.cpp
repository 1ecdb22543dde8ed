// SPDX-License-Identifier: Apache-2.0
// depthlens merge DIR: tables and figures of a run that several processes computed.
#include "commands/run_options.hpp"
#include "depthlens/base/io_error.hpp"
#include "process/stop_signal.hpp"
#include "results/figures_of_run.hpp"
#include "results/table_forms.hpp"
#include "run/shard_run.hpp"

#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

shard_plan plan_of(const fs::path& folder) {
  if (!input_is_folder(folder)) fail(status::no_input, folder.string(), ": no such folder");
  if (auto plan = shard_plan::read(folder)) return *std::move(plan);
  fail(status::no_input, folder.string(), ": no ", shard_plan::file_name,
       " there; give the --out of the shards");
}

}  // namespace

int merge_command(const arguments& args) {
  catch_stop_signals();
  namespace po = boost::program_options;
  po::options_description d("Options");
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  d.add_options()("dir", po::value<std::vector<std::string>>()->composing()->value_name("DIR"),
                  "output folder of the shards; several where they are not in one")(
      "out,o", text("DIR"), "folder of the whole; default: the first DIR")(
      "partial", po::bool_switch(), "make tables of the shards that are done, though others are not")(
      "format", text("LIST"), "of figures; default: as the run was planned with")(
      "tables", text("LIST"), "forms of tables: csv, parquet, arrow; default likewise")(
      "allow-mixed-devices", po::bool_switch(), "also of shards that different devices computed")(
      "threads", text("N"), "default: all allowed");
  d.add(common_options());
  const parsed_options o =
      parse_options(args,
                    "usage: depthlens merge DIR... [--out DIR] [--partial] [OPTION...]\n\n"
                    "Tables, figures and run.json of a run whose shards are done, as one process would have\n"
                    "written them. The command that the run was planned with is read from shards.json.\n",
                    d, {{"dir", -1}});
  if (o.done) return 0;
  if (!o.has("dir")) fail(status::usage, "merge needs the output folder of the shards");
  merge_request merge{.folders = {}, .partial = o.values["partial"].as<bool>()};
  for (const std::string& dir : o.texts("dir")) merge.folders.push_back(lasting_path(dir));
  const shard_plan plan = plan_of(merge.folders.front());
  const fs::path out = o.has("out") ? output_folder(o) : merge.folders.front();
  typed_run typed = run_of(plan.command);
  run_request& request = typed.request;
  request.out = out;
  if (o.has("format")) request.formats = parse_formats(o.text("format"));
  if (o.has("tables")) request.tables = parse_table_forms(o.text("tables"));
  request.work.threads = thread_count(o);
  request.allow_mixed_devices |= o.values["allow-mixed-devices"].as<bool>();
  return execute_merge(std::move(request), merge, typed.plugins);
}

}  // namespace depthlens
