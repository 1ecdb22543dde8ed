// SPDX-License-Identifier: Apache-2.0
// depthlens report DIR: a finished run as one page that can be sent by mail.
#include "commands/command.hpp"

#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/text.hpp"
#include "html/page_file.hpp"
#include "report/page.hpp"
#include "results/output_digests.hpp"
#include "run/finished_run.hpp"
#include "terminal/log.hpp"

#include <iostream>
#include <system_error>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

// A page takes the place of an older one, but not of what the run wrote.
void refuse_output_of_run(const fs::path& dir, const manifest& m, const fs::path& page) {
  std::vector<std::string> own = noted_outputs(m.fields, "");
  own.emplace_back("run.json");
  std::error_code absent;
  for (const std::string& name : own)
    if (fs::equivalent(dir / name, page, absent) && !absent)
      fail(status::usage, "--out ", page.string(), ": is a file of the run; choose another name");
}

std::vector<std::string> altered_tables(const fs::path& dir, const manifest& m) {
  std::vector<std::string> altered;
  for (const std::string& table : summary_tables(m.fields))
    if (state_of_output(m.fields, dir, table) == output_state::different) altered.push_back(table);
  if (!altered.empty())
    log_warning(
        cat("not as the run wrote ", altered.size() == 1 ? "it: " : "them: ", names_for_people(altered),
            "; the page shows what is in ", altered.size() == 1 ? "it" : "them", " now, and says so"));
  return altered;
}

}  // namespace

int report_command(const arguments& args) {
  namespace po = boost::program_options;
  po::options_description d("Options");
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  d.add_options()("dir", text("DIR"), "output folder of a finished run")(
      "out,o", text("FILE.html"), "the page; default: report.html in the folder");
  d.add(common_options());
  const parsed_options o =
      parse_options(args,
                    "usage: depthlens report DIR [--out FILE.html]\n\n"
                    "One page of a run, to be read anywhere: its figures, with values under the\n"
                    "mouse or the arrow keys, its summary tables, data, settings and command.\n"
                    "It needs no network and no other file.\n",
                    d, {{"dir", 1}});
  if (o.done) return 0;
  if (!o.has("dir")) fail(status::usage, "report needs the output folder of a run");
  if (o.has("out") && o.text("out").empty()) fail(status::usage, "--out is empty");
  const fs::path dir = o.text("dir"), page = o.text("out", (dir / "report.html").string());
  const manifest m = read_finished_run(dir);
  refuse_output_of_run(dir, m, page);
  refuse_as_page("--out", page);
  const std::string html = page_html(dir, m.fields, altered_tables(dir, m));
  atomic_file file(page);
  file.write(html);
  file.commit();
  std::cout << page.string() << '\n';
  return 0;
}

}  // namespace depthlens
